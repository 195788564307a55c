#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cards that fail under scripts/flash, on loop devices."""
import os
import signal
import subprocess

import loops  # first: it knows where scripts/card is
import tiny_image
from card import IO, Trouble
from card.image import Image
from card.target import Target
from card.writer import CHUNK, Writer
from loops import CARD, MIB, TOP, LoopCase, run

class Faults(LoopCase):
    """A card that fails starts nothing: its first sector stays blank."""

    def failed(self, card, done, words):
        self.assertEqual(done.returncode, os.EX_IOERR, done.stderr)
        self.assertIn(words, done.stderr)
        self.assertNotIn("written and verified", done.stderr)
        self.assertEqual(card.start(), bytes(512))

    def test_write_fails_on_the_way(self):
        """The file behind the loop device finds no room after 9 MiB; the kernel calls that an input/output error."""
        place = self.folder / "small"
        place.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", place)
        self.addCleanup(lambda: run("umount", place))
        card = self.card(folder=place, sparse=True)
        self.failed(card, self.flash(self.image, card.device, "--yes"), "writing failed at ")
        run("mount", "-o", "remount,size=40m", place)
        self.written(card)  # control: the same card, once there is room

    def write(self, card, progress):
        """Within this process, so that `progress` can do something to the card between writing and reading back."""
        target = Target(card.device)
        disk = target.claim()
        try:
            with Image(self.image).contents() as stream:
                Writer(disk, target.size, progress).run(stream, tiny_image.SIZE)
        finally:
            os.close(disk)

    def fault(self, card, phase, at, strike):
        """strike() when `at` bytes of `phase` are done. The Trouble that comes of it."""
        struck = []

        def progress(now, done, _):
            if now == phase and done >= at and not struck:
                struck.append(True)
                strike()
        with self.assertRaises(Trouble) as caught:
            self.write(card, progress)
        self.assertTrue(struck)
        self.assertEqual(caught.exception.code, IO)
        self.assertEqual(card.start(), bytes(512))
        return str(caught.exception)

    def test_what_was_written_is_another_when_read_back(self):
        for offset in (600, 5 * MIB, tiny_image.SIZE - 1, CARD - 1):
            card = self.card()

            def flip():
                with open(card.file, "r+b") as file:
                    file.seek(offset)
                    byte = file.read(1)[0]
                    file.seek(offset)
                    file.write(bytes([byte ^ 1]))
            chunk = max(o for o in (0, CHUNK, 2 * CHUNK, 3 * CHUNK, CARD - MIB) if o <= offset)
            self.assertIn(f"did not keep what was written at {chunk // MIB} MiB", self.fault(card, "verifying", 0, flip))
        self.write(card, lambda *_: None)  # control: the last card without the fault
        self.assertEqual(card.file.read_bytes()[:tiny_image.SIZE], self.image.read_bytes())

    def test_reading_back_is_not_reading_the_cache(self):
        """The control of the test above: through the cache, as a careless program reads, the fault stays unseen."""
        card = self.card()
        with open(card.device, "r+b", buffering=0) as disk:
            disk.write(bytes(MIB))
            os.fsync(disk.fileno())
            with open(card.file, "r+b") as file:
                file.write(b"\xff" * MIB)
            disk.seek(0)
            self.assertEqual(disk.read(MIB), bytes(MIB))

    def test_card_that_is_smaller_than_it_says(self):
        """What it has no room for it writes over its beginning, as forged cards do."""
        card = self.card()

        def wrap():
            with open(card.file, "r+b") as file:
                file.seek(2 * CHUNK)
                late = file.read(CHUNK)
                file.seek(0)
                file.write(bytes(512) + late[512:])
        self.assertIn("smaller than it says", self.fault(card, "verifying", 0, wrap))

    def test_card_ends_while_it_is_read_back(self):
        card = self.card()
        words = self.fault(card, "verifying", CHUNK, lambda: os.truncate(card.file, CHUNK))
        self.assertRegex(words, "did not keep|reading back failed")

    def test_card_is_pulled(self):
        """Writes to a device that is gone fail. /dev/full, which takes nothing, stands for it from the second chunk on."""
        card = self.card()
        gone = os.open("/dev/full", os.O_RDWR)
        try:
            words = []

            def progress(phase, done, _):
                if phase == "writing" and done >= CHUNK and not words:
                    words.append("pulled")
                    writer.disk = gone
            target = Target(card.device)
            disk = target.claim()
            try:
                writer = Writer(disk, target.size, progress)
                with self.assertRaises(Trouble) as caught, Image(self.packed).contents() as stream:
                    writer.run(stream, tiny_image.SIZE)
            finally:
                os.close(disk)
        finally:
            os.close(gone)
        self.assertEqual(caught.exception.code, IO)
        self.assertIn("writing failed at 4 MiB: No space left on device", str(caught.exception))
        self.assertEqual(card.start(), bytes(512))

    def test_stopped_on_the_way(self):
        card = self.card()

        def progress(phase, done, _):
            if phase == "verifying" and done:
                raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.write(card, progress)
        self.assertEqual(card.start(), bytes(512))
        self.written(card)  # and nothing is left that keeps the card busy

    def test_ctrl_c(self):
        """A zstd of its own: unpacked for the third time, to be written, it presses Ctrl-C after 6 MB."""
        zstd = self.folder / "interrupts/zstd"
        zstd.parent.mkdir()
        zstd.write_text(f'#!/bin/sh\necho x >>{zstd}.calls\n[ $(wc -l <{zstd}.calls) != 3 ] && exec cat {self.image}\n'
                        f'head -c 6000000 {self.image}; kill -INT $PPID; exec tail -c +6000001 {self.image}\n')
        zstd.chmod(0o755)
        card = self.card()
        done = subprocess.run([TOP / "scripts/flash", self.packed, card.device, "--yes"], capture_output=True, text=True, timeout=60,
                              env=os.environ | {"PATH": f"{zstd.parent}:{os.environ['PATH']}"},
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.assertEqual(done.returncode, 130, done.stderr)
        self.assertIn("run the command again", done.stderr)
        self.assertEqual(card.start(), bytes(512))


if __name__ == "__main__":
    loops.main()
