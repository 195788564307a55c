#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/flash with SD cards that fail, on loop devices."""
import os
import signal
import subprocess

import loops  # must be first: it adds scripts to the path
import tiny_image
from card import IO, Fault
from card.image import Image
from card.target import Target
from card.writer import CHUNK, Writer
from loops import CARD, MIB, TOP, LoopCase, run

class Faults(LoopCase):
    """After a fault, the first sector of the card is blank, so that no board starts from it."""

    def failed(self, card, done, message):
        self.assertEqual(done.returncode, os.EX_IOERR, done.stderr)
        self.assertIn(message, done.stderr)
        self.assertNotIn("written and verified", done.stderr)
        self.assertEqual(card.start(), bytes(512))

    def test_write_fails(self):
        """The file system of the backing file is full after 9 MiB, which the kernel reports as an input/output error."""
        place = self.folder / "small"
        place.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=9m", "tmpfs", place)
        self.addCleanup(lambda: run("umount", place))
        card = self.card(folder=place, sparse=True)
        self.failed(card, self.flash(self.image, card.device, "--yes"), "writing failed at ")
        run("mount", "-o", "remount,size=40m", place)
        self.written(card)  # control: the same card with enough space

    def write(self, card, progress):
        """Writes in this process, so that `progress` can change the card between writing and verification."""
        target = Target(card.device)
        disk = target.claim()
        try:
            with Image(self.image).contents() as stream:
                Writer(disk, target.size, progress).run(stream, tiny_image.SIZE)
        finally:
            os.close(disk)

    def fault(self, card, phase, at, damage):
        """Calls damage() after `at` bytes of `phase`. Returns the text of the resulting Fault."""
        damaged = []

        def progress(now, done, _):
            if now == phase and done >= at and not damaged:
                damaged.append(True)
                damage()
        with self.assertRaises(Fault) as caught:
            self.write(card, progress)
        self.assertTrue(damaged)
        self.assertEqual(caught.exception.code, IO)
        self.assertEqual(card.start(), bytes(512))
        return str(caught.exception)

    def test_card_returns_other_data_than_written(self):
        for offset in (600, 5 * MIB, tiny_image.SIZE - 1, CARD - 1):
            card = self.card()

            def flip():
                with open(card.file, "r+b") as file:
                    file.seek(offset)
                    byte = file.read(1)[0]
                    file.seek(offset)
                    file.write(bytes([byte ^ 1]))
            chunk = max(o for o in (0, CHUNK, 2 * CHUNK, 3 * CHUNK, CARD - MIB) if o <= offset)
            self.assertIn(f"returns other data than written at {chunk // MIB} MiB", self.fault(card, "verifying", 0, flip))
        self.write(card, lambda *_: None)  # control: the last card without the fault
        self.assertEqual(card.file.read_bytes()[:tiny_image.SIZE], self.image.read_bytes())

    def test_a_read_through_the_cache_does_not_find_the_fault(self):
        """The control of the test above: verification must bypass the cache."""
        card = self.card()
        with open(card.device, "r+b", buffering=0) as disk:
            disk.write(bytes(MIB))
            os.fsync(disk.fileno())
            with open(card.file, "r+b") as file:
                file.write(b"\xff" * MIB)
            disk.seek(0)
            self.assertEqual(disk.read(MIB), bytes(MIB))

    def test_card_is_smaller_than_reported(self):
        """A counterfeit card writes data beyond its real size over its beginning."""
        card = self.card()

        def wrap():
            with open(card.file, "r+b") as file:
                file.seek(2 * CHUNK)
                late = file.read(CHUNK)
                file.seek(0)
                file.write(bytes(512) + late[512:])
        self.assertIn("smaller than it reports", self.fault(card, "verifying", 0, wrap))

    def test_card_ends_during_verification(self):
        card = self.card()
        message = self.fault(card, "verifying", CHUNK, lambda: os.truncate(card.file, CHUNK))
        self.assertRegex(message, "other data than written|verifying failed")

    def test_card_is_removed(self):
        """Writes to a removed device fail. From the second chunk on, /dev/full replaces the device."""
        card = self.card()
        full = os.open("/dev/full", os.O_RDWR)
        try:
            removed = []

            def progress(phase, done, _):
                if phase == "writing" and done >= CHUNK and not removed:
                    removed.append(True)
                    writer.disk = full
            target = Target(card.device)
            disk = target.claim()
            try:
                writer = Writer(disk, target.size, progress)
                with self.assertRaises(Fault) as caught, Image(self.packed).contents() as stream:
                    writer.run(stream, tiny_image.SIZE)
            finally:
                os.close(disk)
        finally:
            os.close(full)
        self.assertEqual(caught.exception.code, IO)
        self.assertIn("writing failed at 4 MiB: No space left on device", str(caught.exception))
        self.assertEqual(card.start(), bytes(512))

    def test_interrupt_during_verification(self):
        card = self.card()

        def progress(phase, done, _):
            if phase == "verifying" and done:
                raise KeyboardInterrupt
        with self.assertRaises(KeyboardInterrupt):
            self.write(card, progress)
        self.assertEqual(card.start(), bytes(512))
        self.written(card)  # the card is no longer in use

    def test_ctrl_c(self):
        """A script replaces zstd. In its third run, which unpacks for writing, it sends SIGINT after 6 MB."""
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
