#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks and images that scripts/flash rejects, on loop devices."""
import fcntl
import os
import shutil
import subprocess
import sys

import loops
import tiny_image
from loops import PASSPHRASE, TOP, LoopCase, digest, run

class Rejections(LoopCase):
    """Each test has a control: without the cause, the same card is written."""

    def test_mounted(self):
        card = self.card()
        run("mkfs.ext4", "-q", card.device)
        place = self.folder / "My card"
        place.mkdir()
        run("mount", card.device, place)
        try:
            self.rejected(os.EX_CANTCREAT, f"{card.device} is mounted at {place}", card)
        finally:
            run("umount", place)
        self.written(card)

    def test_mounted_partition(self):
        card = self.partitioned()
        part = f"{card.device}p5"
        run("mkfs.ext4", "-q", part)
        place = self.folder / "part"
        place.mkdir()
        run("mount", part, place)
        try:
            self.rejected(os.EX_CANTCREAT, f"sudo umount {part}", card)
        finally:
            run("umount", place)
        self.written(card)

    def test_mounted_in_another_mount_namespace(self):
        """As in a container: only opening the device exclusively shows the mount."""
        card = self.card()
        run("mkfs.ext4", "-q", card.device)
        place = self.folder / "hidden"
        place.mkdir()
        other = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                  f"mount {card.device} {place} && echo mounted && read -r _"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with other:
            self.assertEqual(other.stdout.readline(), "mounted\n")
            self.rejected(os.EX_CANTCREAT, "in use by another program or container", card)
            other.communicate("\n")
        self.written(card)

    def test_behind_another_loop_device(self):
        card = self.card()
        second = run("losetup", "--find", "--show", card.device)
        try:
            self.rejected(os.EX_CANTCREAT, f"is used by {second}", card)
        finally:
            run("losetup", "--detach", second)
        self.written(card)

    def test_claimed_by_another_writer(self):
        card = self.card()
        held = os.open(card.device, os.O_RDWR | os.O_EXCL)
        try:
            self.rejected(os.EX_CANTCREAT, "in use by another program", card)
        finally:
            os.close(held)
        self.written(card)

    def test_not_a_whole_disk(self):
        card = self.partitioned()
        self.rejected(os.EX_USAGE, f"give the whole disk, {card.device}", card, device=f"{card.device}p1")
        for path, code in ((self.image, os.EX_USAGE), (self.folder, os.EX_USAGE), ("/dev/null", os.EX_USAGE),
                           (self.folder / "none", os.EX_NOINPUT)):
            self.rejected(code, str(path), card, device=path)
        self.written(card)

    def test_empty_loop_device(self):
        """The device has a high number, so that parallel tests do not get it as the first free one."""
        add, remove, number = 0x4C80, 0x4C81, 1000 + os.getpid() % 1000  # linux/loop.h: LOOP_CTL_ADD, LOOP_CTL_REMOVE
        with open("/dev/loop-control", "rb") as control:
            fcntl.ioctl(control, add, number)
            try:
                self.rejected(os.EX_NOINPUT, "has no card", self.card(), device=f"/dev/loop{number}")
            finally:
                fcntl.ioctl(control, remove, number)

    def test_read_only(self):
        card = self.card("--read-only")
        self.rejected(os.EX_CANTCREAT, "is read-only", card)

    def test_too_small(self):
        self.rejected(os.EX_CANTCREAT, "too small", self.card(size=tiny_image.SIZE - 512))
        self.written(self.card(size=tiny_image.SIZE))

    def test_other_images(self):
        card = self.card()
        self.rejected(os.EX_DATAERR, "is not SEALCAM", card, image=tiny_image.make(self.folder / "other.img", "BOOTFS"))
        damaged = bytearray(self.packed.read_bytes())
        damaged[-100] ^= 1
        (self.folder / "damaged.zst").write_bytes(damaged)
        self.rejected(os.EX_DATAERR, "the image is damaged", card, image=self.folder / "damaged.zst")
        self.rejected(os.EX_NOINPUT, "cannot read", card, image=self.folder / "none")
        self.written(card)

    def test_invalid_settings(self):
        card = self.card()
        self.rejected(os.EX_USAGE, "--name", card, "--name", "-")
        self.rejected(os.EX_USAGE, "8 to 63", card, "--wifi", "Home")
        self.rejected(os.EX_USAGE, "--country", card, "--country", "Germany")
        self.rejected(os.EX_USAGE, "unrecognized arguments", card, "--wifi-password", PASSPHRASE)

    def test_without_root(self):
        card = self.card()
        self.folder.chmod(0o755)
        scripts = self.folder / "scripts"  # a copy, because the other user may not be able to read this checkout
        shutil.copytree(TOP / "scripts/card", scripts / "card")
        shutil.copy(TOP / "scripts/flash.py", scripts)
        before = digest(card.file)
        done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-B",
                               scripts / "flash.py", self.image, card.device, "--yes"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, digest(card.file)), (os.EX_NOPERM, before), done.stderr)
        self.assertIn("with sudo", done.stderr)


class Swap(LoopCase):
    def test_swap(self):
        card = self.card()
        os.chmod(card.device, 0o600)
        run("mkswap", card.device)
        try:
            run("swapon", card.device)
        except subprocess.CalledProcessError as error:
            self.skipTest(f"this machine cannot use swap: {error.stderr}")
        try:
            self.rejected(os.EX_CANTCREAT, f"sudo swapoff {card.device}", card)
        finally:
            run("swapoff", card.device)
        self.written(card)


class DeviceMapper(LoopCase):
    def test_device_mapper(self):
        card = self.card()
        name = f"sealcam-flash-{os.getpid()}"
        try:
            run("dmsetup", "create", name, "--table", f"0 8192 linear {card.device} 0")
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            self.skipTest(f"this machine has no device mapper: {getattr(error, 'stderr', error)}".splitlines()[0])
        try:
            self.rejected(os.EX_CANTCREAT, f"part of {name}", card)
            self.rejected(os.EX_USAGE, "consists of other disks", card, device=f"/dev/mapper/{name}")
        finally:
            run("dmsetup", "remove", name)
        self.written(card)


if __name__ == "__main__":
    loops.main()
