# SPDX-License-Identifier: Apache-2.0
"""The kernel's part of a card image: its initramfs, its command line, and the files of the first partition and of a boot partition."""
import subprocess

import image_update
from image_parts import DISK, run
from initramfs import Archive

GZIP = b"\x1f\x8b"
# For a later revision of a chip, Raspberry Pi's firmware has another name for the device tree than the mainline kernel.
TREES = {"bcm2712-d-rpi-5-b.dtb": "bcm2712d0-rpi-5-b.dtb"}


def starts_with(path, magic):
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def initramfs(board, kernel, path):
    archive = Archive()
    archive.add("init", board.folders[0] / "init", 0o755)
    archive.add("bin/busybox", kernel.tree / "usr/bin/busybox", 0o755)
    kernel.load(archive, board.lists["initramfs_modules"])
    path.write_bytes(subprocess.run(["xz", "--check=crc32", "--lzma2=dict=1MiB", "-9", "-c"], input=archive.bytes(),
                                    capture_output=True, check=True).stdout)


README = """This card starts a Sealcam camera.

pairing.txt    contains the pairing string of an unpaired camera, for 'sealcam camera pair'.
sealcam.json   sets the name and the Wi-Fi network of the camera. It is read and removed at the next start:

  {"name": "front-door", "wifi": {"ssid": "My network", "psk": "its passphrase"}, "country": "DE"}

sealcam-settings-error.txt   contains the reason if sealcam.json is wrong.
"""


def kernel_line(board, slot):
    # RAUC would take the value of any other word that ends with root= as the slot.
    return (f"{board.kernel_line} quiet loglevel=3 fsck.repair=yes panic=10 net.ifnames=0 sealcam.disk={DISK:08x} "
            f"sealcam.root={5 + slot} rauc.slot={'ab'[slot]}")


def boot_files(board, kernel, start, slot=0):
    """Returns the files of the first partition and of the boot partition of a slot."""
    line = kernel_line(board, slot)
    card = {"README.txt": README.replace("\n", "\r\n").encode(), "autoboot.txt": image_update.autoboot((board.folder / "autoboot.txt").read_text(), "a")}
    boot = {"initramfs": start}
    if board.boot == "u-boot":
        script = start.parent / "boot.scr"
        run("mkimage", "-A", "arm64", "-T", "script", "-C", "none", "-n", "sealcam", "-d", board.folder / "boot.cmd", script)
        card["boot.scr"] = script
        boot |= {"boot.txt": f"bootargs={line}\n".encode(), "kernel": kernel.image}
    else:
        packed = kernel.image
        if not starts_with(packed, GZIP):
            packed = start.parent / "kernel.gz"
            packed.write_bytes(subprocess.run(["gzip", "-9nc", str(kernel.image)], capture_output=True, check=True).stdout)
        boot |= {"cmdline.txt": (line + "\n").encode(), "config.txt": board.file("config.txt"), "kernel": packed}
        firmware, trees = kernel.tree / "usr/lib/raspi-firmware", kernel.tree / f"usr/lib/linux-image-{kernel.version}"
        # Raspberry Pi 1 to 3 read this file from the first partition. Later boards have it in their EEPROM.
        card["bootcode.bin"] = firmware / "bootcode.bin"
        for path in sorted(firmware.iterdir()):
            if path.name in ("bootcode.bin", "start.elf", "start_x.elf", "start4.elf", "start4x.elf", "fixup.dat", "fixup_x.dat", "fixup4.dat", "fixup4x.dat"):
                boot[path.name] = path
        for path in sorted((trees / "broadcom").glob("bcm2[78]*.dtb")):
            boot[path.name] = boot[TREES.get(path.name, path.name)] = path
        # Raspberry Pi's kernel package contains overlays. With Debian's kernel, the firmware package provides them.
        for path in sorted((trees if (trees / "overlays").is_dir() else firmware).glob("overlays/*")):
            boot[f"overlays/{path.name}"] = path
    return card, boot


def compression(kernel, fast):
    """Returns a compression that the kernel supports. Each kernel supports gzip, which is slower and larger than zstd."""
    if "CONFIG_SQUASHFS_ZSTD=y" in kernel.config():
        return "-comp", "zstd", "-Xcompression-level", 3 if fast else 15
    return "-comp", "gzip"
