#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sectors of partition 1 that change while a board selects a slot: each combination of them leaves one valid choice.

The partition is a file. The tests need no privileges, so they do not mount it: mtools creates and deletes files, and the kernel's
write into autoboot.txt is a model. It changes the content, the times of the file, and the flag that the partition is in use.
power_cuts_test.py compares the model with the sectors that the kernel of a board in QEMU writes.
"""
import itertools
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/updates")]
import card_log  # noqa: E402
import image_parts  # noqa: E402
import image_update  # noqa: E402

SECTOR = 512
CONTENTS = {slot: image_update.autoboot((TOP / "board/qemu-virt/image/autoboot.txt").read_text(), slot) for slot in "ab"}
IN_USE = 65  # byte of the first sector; bit 0 is set while the partition is mounted for writing


def mtools(*command, **options):
    return subprocess.run([str(c) for c in command], capture_output=True, check=True, **options).stdout


def combinations(before, after):
    """Yields (partition, changed sectors) for each combination of the sectors in which both differ."""
    changed = [n for n in range(0, len(before), SECTOR) if before[n:n + SECTOR] != after[n:n + SECTOR]]
    assert 0 < len(changed) <= 10, changed
    for chosen in itertools.chain.from_iterable(itertools.combinations(changed, n) for n in range(len(changed) + 1)):
        content = bytearray(before)
        for start in chosen:
            content[start:start + SECTOR] = after[start:start + SECTOR]
        yield content, chosen


class Sectors(unittest.TestCase):
    def setUp(self):
        os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")
        self.partition = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sealcam-updates-"))) / "card.fat"

    def make(self, files=0):
        """Creates the partition with `files` more files. Its clusters have the size of a sector, so a folder grows after 16 entries."""
        image_parts.fat(self.partition, image_parts.SIZES["card"], "SEALCAM",
                        {"autoboot.txt": CONTENTS["a"], "boot.scr": b"x" * 700, **{f"f{n}.txt": b"y" for n in range(files)}})
        return self.partition.read_bytes()

    def choice(self, content):
        """Returns the slot of the partition with this content."""
        self.partition.write_bytes(content)
        text = mtools("mtype", "-i", self.partition, "::autoboot.txt")
        return next((slot for slot, expected in CONTENTS.items() if text == expected), None)

    def replaced(self, before):
        """The model of a write into autoboot.txt. Returns (place of the content, partition after it)."""
        place, entry = before.index(CONTENTS["a"]), before.index(card_log.AUTOBOOT_ENTRY)
        self.assertEqual(place % SECTOR, 0)
        after = bytearray(before)
        after[place:place + SECTOR] = CONTENTS["b"]
        # The times of the last access and of the last change.
        after[entry + 18:entry + 20], after[entry + 22:entry + 26] = b"\x21\x5c", b"\x11\x22\x21\x5c"
        after[IN_USE] |= 1
        return place, bytes(after)

    def test_each_combination_of_the_written_sectors_is_a_valid_choice(self):
        before = self.make()
        place, after = self.replaced(before)
        count = 0
        for content, chosen in combinations(before, after):
            self.assertEqual(self.choice(content), "b" if place in chosen else "a", chosen)
            count += 1
        self.assertEqual(count, 8)

    def test_the_file_tryboot_never_changes_the_choice(self):
        for files in (0, 12):  # with 12 more files, the folder gets another cluster
            before = self.make(files)
            mtools("mcopy", "-i", self.partition, "-", "::tryboot", input=b"")
            requested = self.partition.read_bytes()
            mtools("mdel", "-i", self.partition, "::tryboot")
            taken = self.partition.read_bytes()
            for content, chosen in itertools.chain(combinations(before, requested), combinations(requested, taken)):
                self.assertEqual(self.choice(content), "a", (files, chosen))

    def test_control_a_content_of_two_sectors_has_moments_with_a_mixture(self):
        before = self.make()
        place, after = self.replaced(before)
        split, found = place + CONTENTS["a"].index(b"\n"), set()
        for first, second in itertools.product((before, after), repeat=2):
            found.add(self.choice(after[:place] + first[place:split] + second[split:place + SECTOR] + after[place + SECTOR:]))
        self.assertIn(None, found)


class WriteLog(unittest.TestCase):
    """The log of QEMU from which the test in QEMU makes cards as after a power cut."""

    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sealcam-updates-")))
        path, content = self.folder / "log", struct.pack("<QQQI", card_log.MAGIC, 1, 0, SECTOR).ljust(SECTOR, b"\0")
        # (sector, sectors, flags): two writes, a flush, and two writes
        for number, (sector, count, flags) in enumerate(((0, 1, 0), (2, 2, 0), (0, 0, card_log.FLUSH), (0, 1, 0), (4, 2, 0))):
            content += struct.pack("<4Q", sector, count, flags, 0).ljust(SECTOR, b"\0") + bytes([65 + number]) * count * SECTOR
        path.write_bytes(content + struct.pack("<4Q", 0, 9, 0, 0).ljust(SECTOR, b"\0"))  # QEMU ended before the data
        self.log = card_log.Log(path)

    def card(self, writes):
        card = self.folder / "card"
        card.write_bytes(b"." * 6 * SECTOR)
        self.log.apply(card, writes)
        return card.read_bytes()[::SECTOR].decode()

    def test_writes_before_a_flush_are_on_the_card_and_later_ones_in_part(self):
        self.assertEqual([(w.offset // SECTOR, w.size // SECTOR) for w in self.log.writes], [(0, 1), (2, 2), (0, 0), (0, 1), (4, 2)])
        self.assertEqual([self.log.last_flush(end) for end in range(6)], [0, 0, 0, 3, 3, 3])
        found = {self.card(self.log.moment(5, random.Random(seed))) for seed in range(200)}
        self.assertEqual({text[1:4] for text in found}, {".BB"})
        self.assertEqual(found, {first + ".BB" + last for first in "AD" for last in ("..", "E.", "EE")})

    def test_a_kernel_with_other_writes_than_the_model_is_found(self):
        start, place, entry = 10 * SECTOR, 3 * SECTOR, SECTOR
        before = bytearray(5 * SECTOR)
        before[place:place + SECTOR], before[entry + 32:entry + 43] = CONTENTS["a"], card_log.AUTOBOOT_ENTRY
        good = [(0, b"flag"), (place, CONTENTS["b"]), (entry, b"times"), (0, b"flag")]

        def check(writes):
            data, log = b"", object.__new__(card_log.Log)
            log.path, log.writes = self.folder / "kernel", []
            for at, text in writes:
                text = text.ljust(-(-len(text) // SECTOR) * SECTOR, b"\0")
                log.writes.append(card_log.Write(start + at, len(text), 0, len(data)))
                data += text
            log.path.write_bytes(data)
            log.check_selection((start, len(before)), bytes(before), CONTENTS)

        check([(4 * SECTOR, b"another file"), *good])
        for wrong in (good[:1], [*good, good[1]], [(place, CONTENTS["a"]), *good], [(place - SECTOR, b"x" * SECTOR + CONTENTS["b"]), *good[2:]],
                      [(place, CONTENTS["b"][:100])]):
            with self.assertRaisesRegex(ValueError, "not replaced by one write"):
                check(wrong)
        for late in ((2 * SECTOR, b"allocation table"), (entry, b"x" * 2 * SECTOR), (4 * SECTOR, b"another file")):
            with self.assertRaisesRegex(ValueError, "that the model does not have"):
                check([*good, late])


if __name__ == "__main__":
    unittest.main()
