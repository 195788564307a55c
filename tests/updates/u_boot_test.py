#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""boot.scr of qemu-virt in U-Boot: the file tryboot selects the other partition once, and not while it cannot be deleted.

    ./scripts/sdk run python3 tests/updates/u_boot_test.py

The card has partition 1 only, so each start ends with the message that the partition does not start. No image is necessary.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "scripts"))
import image_parts  # noqa: E402
import image_update  # noqa: E402

BOARD = TOP / "board/qemu-virt/image"
QEMU = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "-m", "512", "-display", "none",
        "-monitor", "none", "-serial", "stdio", "-net", "none", "-device", "virtio-blk-device,drive=card"]
SECONDS = 600  # two seconds on a machine without other work


class UBoot(unittest.TestCase):
    def setUp(self):
        os.environ.setdefault("SOURCE_DATE_EPOCH", "1767225600")
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="sealcam-updates-")))

    def start(self, read_only, text=(BOARD / "boot.cmd").read_text()):
        """Returns (boot partition, whether the file tryboot is left)."""
        (self.folder / "boot.cmd").write_text(text)
        script, files, card = self.folder / "boot.scr", self.folder / "card.fat", self.folder / "card.img"
        image_parts.run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n", "sealcam", "-d", self.folder / "boot.cmd", script)
        autoboot = image_update.autoboot((BOARD / "autoboot.txt").read_text(), "a")
        image_parts.fat(files, image_parts.SIZES["card"], "SEALCAM", {"autoboot.txt": autoboot, "boot.scr": script, "tryboot": b""})
        image_parts.assemble(card, {1: files})
        drive = f"if=none,id=card,file={card},format=raw,readonly={'on' if read_only else 'off'}"
        with subprocess.Popen([*QEMU, "-drive", drive], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace") as qemu:
            timer = threading.Timer(SECONDS, qemu.kill)
            timer.start()
            lines = []
            for line in qemu.stdout:
                lines.append(line)
                if "does not start; restart" in line:
                    break
            timer.cancel()
            qemu.kill()
        found = re.search(r"^sealcam: starting from partition (\d)", "".join(lines), re.M)
        self.assertTrue(found, "".join(lines[-40:]))
        left = image_parts.run("mdir", "-b", "-i", f"{card}@@{image_parts.MIB}", "::")
        return int(found[1]), "::/tryboot" in left

    def test_the_file_tryboot_selects_the_other_partition_once(self):
        self.assertEqual(self.start(read_only=False), (3, False))

    def test_a_file_tryboot_that_cannot_be_deleted_selects_nothing(self):
        self.assertEqual(self.start(read_only=True), (2, True))

    def test_control_without_the_result_of_fatrm_each_start_is_a_try(self):
        text = re.sub(r"if (fatrm .*); then\n", r"\1\nif true; then\n", (BOARD / "boot.cmd").read_text())
        self.assertEqual(self.start(True, text), (3, True))


if __name__ == "__main__":
    unittest.main()
