#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""scripts/image.py and its parts: what its patterns take, where partitions lie, and that its last look at a root finds what must not be
in one, each with a control."""
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/boards"), str(TOP / "tests")]
import image  # noqa: E402
import image_parts  # noqa: E402
from neighbour import checksum  # noqa: E402


class Patterns(unittest.TestCase):
    def test_one_star_stays_inside_a_folder(self):
        self.assertTrue(image.matches("drivers/phy/a.ko.xz", ["drivers/phy/*.ko.xz"]))
        self.assertFalse(image.matches("drivers/phy/b/a.ko.xz", ["drivers/phy/*.ko.xz"]))
        self.assertTrue(image.matches("drivers/phy/b/a.ko.xz", ["drivers/phy/**"]))
        self.assertFalse(image.matches("xdrivers/phy/a", ["drivers/**"]))
        self.assertFalse(image.matches("usr/binx", ["usr/bin"]))
        self.assertFalse(image.matches("usr/libXso", ["usr/lib.so"]))

    def test_each_board_reads(self):
        for name in ("qemu-virt", "raspberrypi"):
            board = image.Board(name)
            self.assertIn("sealcam-camera.service", board.lists["enable"])
            self.assertLessEqual(len((board.folder / "autoboot.txt").read_bytes()), 512)
            for slot, root in ((0, 5), (1, 6)):
                self.assertIn(f"sealcam.root={root} ", image.kernel_line(board, slot))
            for folder in board.folders:  # unknown keys have no effect, and are mistakes
                known = {"version", "leave_out_packages", "leave_out", "modules", "modules_leave_out", "mask", "enable", "initramfs_modules",
                         "kernel_line", "watchdog", "boot"}
                self.assertLessEqual(set(json.loads((folder / "image.json").read_text())), known)


class Layout(unittest.TestCase):
    def test_partitions_do_not_meet(self):
        table, end = image_parts.layout()
        numbers = {n: (start, start + size) for n, start, size, _ in table}
        outer = sorted(numbers[n] for n in (1, 2, 3, 4))
        inner = sorted(numbers[n] for n in (5, 6, 7))
        for parts in (outer, inner):
            for (_, before), (after, _) in zip(parts, parts[1:]):
                self.assertLessEqual(before, after)
        self.assertGreater(inner[0][0], numbers[4][0])
        self.assertEqual((inner[-1][1], numbers[4][1]), (end, end))
        self.assertEqual(inner[-1], numbers[7])  # data is last: it grows
        self.assertEqual(numbers[5][1] - numbers[5][0], numbers[6][1] - numbers[6][0])

    def test_sfdisk_writes_it_as_the_initramfs_reads_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "x.img")
            image_parts.assemble(path, {})
            with path.open("rb") as card:
                def number(at):
                    card.seek(at)
                    return struct.unpack("<I", card.read(4))[0]
                # The same three steps as in board/common/image/init.
                extended = number(446 + 48 + 8)
                second = extended + number(extended * 512 + 446 + 16 + 8)
                third = extended + number(second * 512 + 446 + 16 + 8)
                begin = third + number(third * 512 + 446 + 8)
                table = {n: (start * 2048, size * 2048) for n, start, size, _ in image_parts.layout()[0]}
                self.assertEqual(number(440), image_parts.DISK)
                self.assertEqual((begin, number(third * 512 + 446 + 12)), table[7])
                self.assertEqual(number(446 + 48 + 12), table[4][1])
                # The link to the last record covers it to the end, so that it can grow with it.
                self.assertEqual(third + number(second * 512 + 446 + 16 + 12), sum(table[7]))


class LastLook(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.root = image.Root(None, None, self.folder)
        for path in ("etc/machine-id", "usr/bin/tool"):
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).touch()

    def refused(self, words):
        with self.assertRaisesRegex(image.Failure, words):
            self.root.check()

    def test_a_good_root_passes(self):
        self.root.check()

    def test_rights_of_others(self):
        (self.folder / "usr/bin/tool").chmod(0o4755)
        self.refused("another's rights")

    def test_a_machine_id(self):
        (self.folder / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        self.refused("machine-id")

    def test_keys(self):
        (self.folder / "etc/ssh_host_rsa_key").touch()
        self.refused("keys")

    def test_a_missing_library(self):
        source = self.folder / "a.c"
        source.write_text("int main(void) { return 0; }")
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-shared", "-Wl,-soname,libx.so.1", "-o", self.folder / "libx.so", "-x", "c", "/dev/null"], check=True)
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-shared", "-Wl,--no-as-needed", source, self.folder / "libx.so", "-o",
                        self.folder / "usr/bin/tool"], check=True)
        (self.folder / "libx.so").unlink()
        self.refused("libx.so.1")
        library = self.folder / "usr/lib/aarch64-linux-gnu"
        library.mkdir(parents=True)
        (library / "libx.so.1").touch()
        self.root.check()


class Neighbour(unittest.TestCase):
    def test_the_internet_checksum(self):
        self.assertEqual(checksum(bytes.fromhex("00 01 f2 03 f4 f5 f6 f7".replace(" ", ""))), 0x220D)  # RFC 1071 section 3
        self.assertEqual(checksum(b"\x01"), 0xFEFF)


if __name__ == "__main__":
    unittest.main()
