#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/flash refuses to write to, on loop devices, and to write."""
import fcntl
import os
import shutil
import subprocess
import sys

import loops
import tiny_image
from loops import PASSPHRASE, TOP, LoopCase, digest, run

class Refusals(LoopCase):
    """Each has its control: without the cause, the same card is written."""

    def test_mounted(self):
        card = self.card()
        run("mkfs.ext4", "-q", card.device)
        place = self.folder / "My card"
        place.mkdir()
        run("mount", card.device, place)
        try:
            self.refused(os.EX_CANTCREAT, f"{card.device} is mounted at {place}", card)
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
            self.refused(os.EX_CANTCREAT, f"sudo umount {part}", card)
        finally:
            run("umount", place)
        self.written(card)

    def test_mounted_where_nobody_can_see_it(self):
        """In another mount namespace, as a container's: only the kernel's own claim tells."""
        card = self.card()
        run("mkfs.ext4", "-q", card.device)
        place = self.folder / "hidden"
        place.mkdir()
        other = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                  f"mount {card.device} {place} && echo mounted && read -r _"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with other:
            self.assertEqual(other.stdout.readline(), "mounted\n")
            self.refused(os.EX_CANTCREAT, "in use by another program or container", card)
            other.communicate("\n")
        self.written(card)

    def test_behind_another_loop_device(self):
        card = self.card()
        second = run("losetup", "--find", "--show", card.device)
        try:
            self.refused(os.EX_CANTCREAT, f"is used by {second}", card)
        finally:
            run("losetup", "--detach", second)
        self.written(card)

    def test_claimed_by_another_writer(self):
        card = self.card()
        held = os.open(card.device, os.O_RDWR | os.O_EXCL)
        try:
            self.refused(os.EX_CANTCREAT, "in use by another program", card)
        finally:
            os.close(held)
        self.written(card)

    def test_no_whole_disk(self):
        card = self.partitioned()
        self.refused(os.EX_USAGE, f"give the whole disk, {card.device}", card, device=f"{card.device}p1")
        for path, code in ((self.image, os.EX_USAGE), (self.folder, os.EX_USAGE), ("/dev/null", os.EX_USAGE),
                           (self.folder / "none", os.EX_NOINPUT)):
            self.refused(code, str(path), card, device=path)
        self.written(card)

    def test_empty_loop_device(self):
        """One of the test's own: whoever wants any free one, in a test beside this one too, gets one with a lower number."""
        add, remove, number = 0x4C80, 0x4C81, 1000 + os.getpid() % 1000  # linux/loop.h: LOOP_CTL_ADD, LOOP_CTL_REMOVE
        with open("/dev/loop-control", "rb") as control:
            fcntl.ioctl(control, add, number)
            try:
                self.refused(os.EX_NOINPUT, "there is no card", self.card(), device=f"/dev/loop{number}")
            finally:
                fcntl.ioctl(control, remove, number)

    def test_read_only(self):
        card = self.card("--read-only")
        self.refused(os.EX_CANTCREAT, "is read-only", card)

    def test_too_small(self):
        self.refused(os.EX_CANTCREAT, "too small", self.card(size=tiny_image.SIZE - 512))
        self.written(self.card(size=tiny_image.SIZE))

    def test_no_sealcam_image(self):
        card = self.card()
        self.refused(os.EX_DATAERR, "not called SEALCAM", card, image=tiny_image.make(self.folder / "other.img", "BOOTFS"))
        damaged = bytearray(self.packed.read_bytes())
        damaged[-100] ^= 1
        (self.folder / "damaged.zst").write_bytes(damaged)
        self.refused(os.EX_DATAERR, "the image is damaged", card, image=self.folder / "damaged.zst")
        self.refused(os.EX_NOINPUT, "cannot be read", card, image=self.folder / "none")
        self.written(card)

    def test_settings_that_a_camera_would_refuse(self):
        card = self.card()
        self.refused(os.EX_USAGE, "--name", card, "--name", "-")
        self.refused(os.EX_USAGE, "8 to 63", card, "--wifi", "Home")
        self.refused(os.EX_USAGE, "--country", card, "--country", "Germany")
        self.refused(os.EX_USAGE, "unrecognized arguments", card, "--wifi-password", PASSPHRASE)

    def test_without_rights(self):
        card = self.card()
        self.folder.chmod(0o755)
        scripts = self.folder / "scripts"  # of this checkout, which may lie where only its owner gets
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
            self.skipTest(f"no swap here: {error.stderr}")
        try:
            self.refused(os.EX_CANTCREAT, f"sudo swapoff {card.device}", card)
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
            self.skipTest(f"no device mapper here: {getattr(error, 'stderr', error)}".splitlines()[0])
        try:
            self.refused(os.EX_CANTCREAT, f"part of {name}", card)
            self.refused(os.EX_USAGE, "made of others", card, device=f"/dev/mapper/{name}")
        finally:
            run("dmsetup", "remove", name)
        self.written(card)


if __name__ == "__main__":
    loops.main()
