#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Output, questions and result of scripts/flash, on loop devices."""
import contextlib
import hashlib
import json
import os
import pathlib
import pty
import re
import unittest

import loops
import tiny_image
from loops import CARD, MIB, PASSPHRASE, TOP, LoopCase, digest, run

class Writing(LoopCase):
    def test_the_card_contains_the_image(self):
        expected = self.image.read_bytes()
        for image in (self.image, self.packed):
            card = self.card()
            done = self.written(card, image=image)
            self.assertIn("written and verified", done.stderr)
            content = card.file.read_bytes()
            self.assertEqual(hashlib.sha256(content[:len(expected)]).digest(), hashlib.sha256(expected).digest())
            # The end of the card, where a backup partition table could be, is erased. Old data before it is unchanged.
            self.assertEqual(content[-MIB:], bytes(MIB))
            self.assertEqual(set(content[len(expected):-MIB]), {0xA5})

    def test_a_card_with_exactly_the_size_of_the_image(self):
        card = self.card(size=tiny_image.SIZE)
        self.written(card)
        self.assertEqual(digest(card.file), digest(self.image))

    def test_a_card_that_is_slightly_larger_than_the_image(self):
        card = self.card(size=tiny_image.SIZE + 1536)
        self.written(card)
        self.assertEqual(card.file.read_bytes(), self.image.read_bytes() + bytes(1536))

    def test_settings(self):
        file = self.folder / "passphrase"
        file.write_text(PASSPHRASE + "\n")
        for way in ({"stdin": PASSPHRASE + "\n"}, {"arguments": ["--wifi-password-file", file]}):
            card = self.card()
            # This mcopy records command lines and environment. A process list must not show the passphrase.
            recorder = self.folder / "bin/mcopy"
            recorder.parent.mkdir(exist_ok=True)
            recorder.write_text(f'#!/bin/sh\ntr "\\0" "\\n" </proc/$PPID/cmdline >{self.folder}/recorded\n(echo "$@"; env) >>{self.folder}/recorded\n'
                            'PATH=${PATH#*:} exec mcopy "$@"\n')
            recorder.chmod(0o755)
            done = self.written(card, "--wifi", "Home", "--name", "door", "--country", "DE", *way.get("arguments", []),
                                stdin=way.get("stdin", ""), path=f"{recorder.parent}:{os.environ['PATH']}")
            self.assertEqual(json.loads(tiny_image.read_file(card.file, "sealcam.json")),
                             {"name": "door", "country": "DE", "wifi": {"ssid": "Home", "psk": PASSPHRASE}})
            recorded = (self.folder / "recorded").read_text()
            self.assertIn("flash.py", recorded)  # control: mcopy recorded the command line
            for shown in (done.stdout, done.stderr, recorded):
                self.assertNotIn(PASSPHRASE, shown)

    def test_an_image_that_is_larger_than_its_partitions_must_fit(self):
        longer = self.folder / "longer.img"
        longer.write_bytes(self.image.read_bytes() + bytes(CARD))
        card = self.card()
        self.rejected(os.EX_CANTCREAT, "too small", card, image=longer)
        self.rejected(os.EX_CANTCREAT, "too small", card, image=tiny_image.pack(longer))
        self.written(card)


class PartitionTable(LoopCase):
    def test_the_kernel_reads_the_new_partitions(self):
        card = self.card("--partscan")
        self.written(card)
        name = pathlib.Path(card.device).name
        run("blockdev", "--rereadpt", card.device)
        if not list(pathlib.Path("/sys/block", name).glob("*/partition")):
            self.skipTest("this kernel reads no MBR")
        card = self.card("--partscan")
        self.written(card)
        name = pathlib.Path(card.device).name
        found = {int(p.read_text()) for p in pathlib.Path("/sys/block", name).glob("*/partition")}
        self.assertEqual(found, {1, 2, 3, 4, 5, 6})


class PassphrasePrompt(LoopCase):
    def test_without_a_terminal_it_requires_yes(self):
        card = self.card()
        before = digest(card.file)
        done = self.flash(self.image, card.device, stdin="yes\n")
        self.assertEqual((done.returncode, digest(card.file)), (os.EX_USAGE, before), done.stderr)
        self.assertIn("--yes", done.stderr)

    def run_on_terminal(self, card, *arguments, answers):
        """Runs scripts/flash on a terminal. `answers`: list of (text on the screen, typed answer)."""
        child, terminal = pty.fork()
        if child == 0:
            os.execv(TOP / "scripts/flash", ["flash", str(self.image), card.device, *arguments])
        shown = b""
        with os.fdopen(terminal, "r+b", buffering=0) as screen, contextlib.suppress(OSError):  # EIO at its end
            while block := screen.read(4096):
                shown += block
                if answers and answers[0][0].encode() in shown.rpartition(b"\0")[2]:
                    shown += b"\0"  # marks the end of the answered text
                    screen.write(answers.pop(0)[1].encode() + b"\n")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode().replace("\0", "")

    def test_it_requires_the_name_of_the_device(self):
        card = self.card()
        name = pathlib.Path(card.device).name
        before = digest(card.file)
        for answer in ("", "y", "yes", name + "1"):
            code, shown = self.run_on_terminal(card, answers=[("to continue:", answer)])
            self.assertEqual((code, digest(card.file)), (1, before), shown)
            self.assertIn("nothing was written", shown)
        self.assertRegex(shown, re.escape(f"{card.device}: the file ") + r".*, 25\.2 MB, not removable")
        code, shown = self.run_on_terminal(card, answers=[("to continue:", name)])
        self.assertEqual(code, 0, shown)

    def test_it_lists_the_partitions_that_will_be_lost(self):
        card = self.partitioned()
        run("mkfs.ext4", "-q", "-L", "diary", f"{card.device}p5")
        code, shown = self.run_on_terminal(card, answers=[("to continue:", "no")])
        self.assertEqual(code, 1, shown)
        name = pathlib.Path(card.device).name
        self.assertRegex(shown, name + r'p5 +1\.0 MB +ext4 "diary"')
        self.assertRegex(shown, name + r'p1 +5\.2 MB +vfat "SEALCAM"')

    def test_it_reads_the_passphrase_without_echo(self):
        card = self.card()
        code, shown = self.run_on_terminal(card, "--wifi", "Home", answers=[("passphrase:", PASSPHRASE), ("Repeat the passphrase:", PASSPHRASE),
                                                                ("to continue:", pathlib.Path(card.device).name)])
        self.assertEqual(code, 0, shown)
        self.assertEqual(json.loads(tiny_image.read_file(card.file, "sealcam.json"))["wifi"]["psk"], PASSPHRASE)
        self.assertNotIn(PASSPHRASE, shown)


if __name__ == "__main__":
    loops.main()
