# SPDX-License-Identifier: Apache-2.0
"""A copy of a card image, which tests read and change without mounting it, and the virtual board that starts from it."""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import time

from support.world import TOP, Failure, free_port

sys.path.insert(0, str(TOP / "tests/qemu"))
from guest import Run  # noqa: E402

MIB = 1024 * 1024
BOARDS = {"qemu-virt": "virt", "raspberrypi": "raspi3b"}
PAIRING = re.compile(r"sealcam:1:[A-Za-z0-9:_@.\-\[\]]+")


def tool(*argv, check=True, **options):
    done = subprocess.run([str(a) for a in argv], capture_output=True, **options)
    if check and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, argv))} exited with {done.returncode}: {done.stderr.decode(errors='replace')}")
    return done


class Card:
    """Creates a sparse copy in `folder`. It has the size of a card, 4 GiB by default."""

    def __init__(self, board, folder, size=4096 * MIB):
        self.board, self.folder = board, pathlib.Path(folder)
        image = TOP / "build/image" / f"sealcam-{board}.img"
        if not image.exists():
            raise Failure(f"the image of {board} is missing; build it with ./scripts/image {board}")
        self.path = self.folder / "card.img"
        tool("cp", "--sparse=always", image, self.path)
        os.truncate(self.path, size)
        table = tool("sfdisk", "-d", self.path).stdout.decode()
        self.partitions = {int(n): (int(a) * 512, int(b) * 512) for n, a, b in
                           re.findall(r"img(\d+) : start= *(\d+), size= *(\d+)", table)}

    def table(self):
        """Returns the current sizes of the partitions in bytes."""
        text = tool("sfdisk", "-d", self.path).stdout.decode()
        return {int(n): int(b) * 512 for n, b in re.findall(r"img(\d+) : start= *\d+, size= *(\d+)", text)}

    def half_grown(self):
        """Simulates a power failure in the first start, after it wrote the first of three numbers of the partition table."""
        with self.path.open("r+b") as card:
            card.seek(446 + 48 + 8)
            begin = struct.unpack("<I", card.read(4))[0]
            card.write(struct.pack("<I", os.path.getsize(self.path) // MIB * 2048 - begin))

    def fat(self, partition):
        return f"{self.path}@@{self.partitions[partition][0]}"

    def names(self, partition=1):
        return tool("mdir", "-b", "-i", self.fat(partition), "::").stdout.decode().split()

    def read(self, name, partition=1):
        """Returns the content of a file, or None."""
        done = tool("mtype", "-i", self.fat(partition), f"::{name}", check=False)
        return done.stdout if done.returncode == 0 else None

    def write(self, name, data, partition=1):
        tool("mcopy", "-o", "-i", self.fat(partition), "-", f"::{name}", input=data)

    def raw(self, partition):
        start, size = self.partitions[partition]
        with self.path.open("rb") as card:
            card.seek(start)
            return card.read(size)

    def kernel_line(self, change, partition=2):
        """Replaces the kernel command line with the result of `change`."""
        name = "boot.txt" if self.board == "qemu-virt" else "cmdline.txt"
        self.write(name, change(self.read(name, partition).decode()).encode(), partition)


class Machine:
    """The virtual board with a card. `neighbor`: another machine in its network."""

    def __init__(self, card, neighbor=None, memory=512, log="console", echo=None):
        self.card, self.neighbor, self.memory = card, neighbor, memory
        self.port = free_port()
        self.log, self.echo, self.starts = log, echo, 0
        self.drive = None  # options of QEMU that replace those of the card of -M virt
        self.partition = 2  # the boot partition of raspi3b, which has no firmware that selects one

    def network(self, device):
        if not self.neighbor:
            return ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:8421", "-device", f"{device},netdev=n0"]
        return ["-netdev", f"user,id=u0,hostfwd=tcp:127.0.0.1:{self.port}-:8421", "-netdev", "hubport,id=h0,hubid=0,netdev=u0",
                "-netdev", self.neighbor.netdev("world", "u1"), "-netdev", "hubport,id=h1,hubid=0,netdev=u1",
                "-netdev", self.neighbor.netdev("board", "n0"), "-device", f"{device},netdev=n0"]

    def command(self):
        qemu = shutil.which("qemu-system-aarch64")
        common = ["-display", "none", "-m", str(self.memory)]
        # With cache=unsafe, writes of the board are in this machine's memory. They survive the end of QEMU, and are fast.
        card = f"file={self.card.path},format=raw,cache=unsafe"
        if self.card.board == "qemu-virt":
            return [qemu, "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
                    *(self.drive or ["-drive", f"if=none,id=card,{card}"]), "-device", "virtio-blk-device,drive=card",
                    "-device", "virtio-rng-device", "-device", "i6300esb", *common, *self.network("virtio-net-device")]
        return [qemu, "-M", "raspi3b", *self.out_of_image(), "-drive", f"if=sd,{card}", *common[:2], "-m", "1024",
                *self.network("usb-net")]

    def out_of_image(self):
        """QEMU has no Raspberry Pi firmware. Returns kernel, initramfs, device tree and command line as options of QEMU."""
        files, there = {}, " ".join(self.card.names(self.partition))
        # The device tree of the mainline kernel or of Raspberry Pi's kernel.
        tree = next(name for name in ("bcm2710-rpi-3-b.dtb", "bcm2837-rpi-3-b.dtb") if name in there)
        for name in ("kernel", "initramfs", tree):
            files[name] = self.card.folder / name
            files[name].write_bytes(self.card.read(name, self.partition))
        packed = files["kernel"]
        if packed.read_bytes()[:2] == b"\x1f\x8b":
            with packed.with_suffix(".raw").open("wb") as out:
                subprocess.run(["gzip", "-dc", packed], stdout=out, check=True)
            packed = packed.with_suffix(".raw")
        # The console is the second serial port, on the pins of the board; Bluetooth uses the first. The firmware replaces serial0 in
        # the command line: with ttyS0 for Raspberry Pi's device trees, with ttyS1 for those of the mainline kernel.
        port = "ttyS0" if tree.startswith("bcm2710") else "ttyS1"
        line = self.card.read("cmdline.txt", self.partition).decode().strip().replace("console=serial0,", f"console={port},")
        return ["-kernel", packed, "-initrd", files["initramfs"], "-dtb", files[tree], "-append", line, "-serial", "null"]

    def boot(self, *options):
        self.starts += 1
        log = self.card.folder / f"{self.log}-{self.starts}.log"
        return Run([str(a) for a in (*self.command(), *options)], log, self.echo)


def pairing_string(run, seconds, after=0.0):
    """Returns (seconds since the start, pairing string) of the last pairing string after `after` seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [(t, m[0]) for t, line in list(run.lines) if t > after and (m := PAIRING.search(line)) and "@" in m[0]]
        if found:
            return found[-1]
        if run.child.poll() is not None:
            break
        time.sleep(0.1)
    raise Failure(f"no pairing string on the console within {seconds:.0f} s; its last lines:\n" + "\n".join(line for _, line in run.lines[-40:]))
