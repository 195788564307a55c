#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which disks scripts/flash rejects. The tests use files in place of sysfs and procfs."""
import os
import pathlib
import sys
import tempfile
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from card import NO_INPUT, NOT_ALLOWED, USAGE, WOULD_OVERWRITE, Fault  # noqa: E402
from card.target import Machine, Target  # noqa: E402

GIB = 1 << 30


class Fake(Machine):
    """A machine to which tests add disks, partitions and mounts."""

    def __init__(self, folder):
        super().__init__(folder / "sys", folder / "proc")
        for place in (self.sys / "dev/block", self.sys / "class/block", self.proc / "self"):
            place.mkdir(parents=True)
        self.mounts = []
        (self.proc / "swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")
        self.mount("0:22", "/proc", "proc")

    def _add(self, node, number, size, **files):
        for name, content in ({"size": str(size // 512), "ro": "0", "removable": "1"} | files).items():
            path = node / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        for folder in ("holders", "slaves"):
            (node / folder).mkdir()
        (self.sys / "dev/block" / number).symlink_to(node)
        (self.sys / "class/block" / node.name).symlink_to(node)
        return node

    def disk(self, name, number, size=8 * GIB, **files):
        return self._add(self.sys / "devices/usb1/block" / name, number, size, **files)

    def partition(self, disk, name, number):
        return self._add(disk / name, number, GIB, partition="1")

    def virtual(self, name, number, title, *slaves):
        """Adds a device of device mapper or RAID over `slaves`."""
        kind = {"dm/name": title} if title else {"md/level": "raid1"}
        node = self._add(self.sys / "devices/virtual/block" / name, number, GIB, **kind)
        for slave in slaves:
            (node / "slaves" / slave.name).symlink_to(slave)
            (slave / "holders" / name).symlink_to(node)
        return node

    def mount(self, number, place, source, process="self"):
        path = self.proc / process / "mountinfo"
        path.parent.mkdir(exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"36 35 {number} / {place} rw,noatime shared:1 - ext4 {source} rw\n")

    def swap(self, source):
        with open(self.proc / "swaps", "a", encoding="utf-8") as file:
            file.write(f"{source}\tpartition\t999\t0\t-2\n")


class Rejections(unittest.TestCase):
    """Each test has a control: the card of the same machine, or the same card without the cause, is accepted."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.machine = Fake(pathlib.Path(folder.name))
        self.system = self.machine.disk("sda", "8:0", removable="0")
        self.card = self.machine.disk("sdb", "8:16")
        self.card1 = self.machine.partition(self.card, "sdb1", "8:17")

    def accepted(self, number="8:16", needed=GIB):
        Target.of_number(number, self.machine).reject(needed)

    def rejected(self, code, message, number="8:16", needed=GIB):
        with self.assertRaises(Fault) as caught:
            self.accepted(number, needed)
        self.assertEqual(caught.exception.code, code, caught.exception)
        self.assertIn(message, str(caught.exception))

    def test_an_unused_card_is_accepted(self):
        self.accepted()

    def test_systems_disk_by_partition(self):
        self.machine.partition(self.system, "sda2", "8:2")
        self.accepted("8:0")  # control: the disk has no mounted partition
        self.machine.mount("8:2", "/", "/dev/sda2")
        self.rejected(NOT_ALLOWED, "contains the running system", "8:0")
        self.accepted()

    def test_systems_disk_under_encryption_and_volumes(self):
        part = self.machine.partition(self.system, "sda3", "8:3")
        crypt = self.machine.virtual("dm-0", "252:0", "sda3_crypt", part)
        self.machine.virtual("dm-1", "252:1", "vg-root", crypt)
        self.machine.mount("252:1", "/", "/dev/mapper/vg-root")
        self.rejected(NOT_ALLOWED, "contains the running system", "8:0")
        self.accepted()

    def test_systems_disk_in_a_raid_of_two(self):
        second = self.machine.disk("sdc", "8:32")
        self.machine.virtual("md0", "9:0", None, self.machine.partition(self.system, "sda1", "8:1"),
                             self.machine.partition(second, "sdc1", "8:33"))
        self.machine.mount("9:0", "/usr", "/dev/md0")
        self.rejected(NOT_ALLOWED, "contains the running system", "8:0")
        self.rejected(NOT_ALLOWED, "contains the running system", "8:32")
        self.accepted()

    def test_systems_disk_seen_from_a_container(self):
        self.machine.mount("8:0", "/", "/dev/sda", process="1")
        self.rejected(NOT_ALLOWED, "contains the running system", "8:0")
        self.accepted()

    def test_mounted(self):
        self.machine.mount("8:17", "/media/me/My\\040card", "/dev/sdb1")
        self.rejected(WOULD_OVERWRITE, "/dev/sdb1 is mounted at /media/me/My card; if that is the card: sudo umount /dev/sdb1")
        self.accepted("8:0")

    def test_mounted_without_a_partition(self):
        self.machine.mount("8:16", "/mnt", "/dev/sdb")
        self.rejected(WOULD_OVERWRITE, "/dev/sdb is mounted at /mnt")
        self.accepted("8:0")

    def test_mounted_with_an_anonymous_device_number(self):
        self.machine.mount("0:55", "/mnt", "/dev/sdb1")  # as btrfs does
        self.rejected(WOULD_OVERWRITE, "/dev/sdb1 is mounted at /mnt")
        self.accepted("8:0")

    def test_control_characters_of_a_mount_point_are_replaced(self):
        self.machine.mount("8:17", "/media/\\033[2J", "/dev/sdb1")
        self.rejected(WOULD_OVERWRITE, "/media/?[2J")

    def test_swap(self):
        self.machine.swap("/dev/sdb1")
        self.rejected(WOULD_OVERWRITE, "sudo swapoff /dev/sdb1")
        self.accepted("8:0")

    def test_part_of_device_mapper(self):
        self.machine.virtual("dm-0", "252:0", "luks-1234", self.card1)
        self.rejected(WOULD_OVERWRITE, "/dev/sdb1 is part of luks-1234")
        self.accepted("8:0")

    def test_part_of_a_raid(self):
        self.machine.virtual("md127", "9:127", None, self.card)
        self.rejected(WOULD_OVERWRITE, "/dev/sdb is part of md127")
        self.accepted("8:0")

    def test_behind_a_loop_device(self):
        loop = self.machine.disk("loop0", "7:0", **{"loop/backing_file": "/home/me/other.img"})
        self.accepted()
        (loop / "loop/backing_file").write_text("/dev/sdb1\n")
        self.rejected(WOULD_OVERWRITE, "sudo losetup -d /dev/loop0")

    def test_not_a_whole_disk(self):
        self.machine.virtual("dm-0", "252:0", "x")
        self.machine.virtual("md0", "9:0", None)
        self.rejected(USAGE, "give the whole disk, /dev/sdb", "8:17")
        self.rejected(USAGE, "consists of other disks", "252:0")
        self.rejected(USAGE, "consists of other disks", "9:0")
        self.rejected(NO_INPUT, "has no disk", "1:1")

    def test_empty_reader(self):
        self.machine.disk("sdd", "8:48", size=0)
        self.rejected(NO_INPUT, "has no card", "8:48")

    def test_size(self):
        self.accepted(needed=8 * GIB)
        self.rejected(WOULD_OVERWRITE, "too small", needed=8 * GIB + 512)

    def test_locked_card(self):
        (self.card / "ro").write_text("1\n")
        self.rejected(WOULD_OVERWRITE, "is read-only")

    def test_large_sectors(self):
        (self.card / "queue").mkdir()
        (self.card / "queue/logical_block_size").write_text("512\n")
        self.accepted()
        (self.card / "queue/logical_block_size").write_text("4096\n")
        self.rejected(WOULD_OVERWRITE, "sectors of 4096 bytes")

    def test_another_disk_with_the_same_name_is_rejected(self):
        """If a card is removed, the next disk gets its name."""
        def opened(as_number):
            disk = os.open("/dev/null", os.O_RDWR)  # each machine has this device number, 1:3
            with unittest.mock.patch("card.target.os.open", return_value=disk):
                return disk, Target.of_number(as_number, self.machine).claim()
        self.machine.disk("sdy", "1:3")
        disk, claimed = opened("1:3")  # control
        self.assertEqual(disk, claimed)
        os.close(disk)
        self.machine.disk("sdz", "8:99")
        with self.assertRaises(Fault) as caught:
            opened("8:99")
        self.assertEqual(caught.exception.code, WOULD_OVERWRITE)
        self.assertIn("another disk", str(caught.exception))


if __name__ == "__main__":
    unittest.main()
