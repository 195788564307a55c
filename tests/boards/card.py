# SPDX-License-Identifier: Apache-2.0
"""A copy of a card image, looked into and changed without mounting it, and the virtual board that it starts."""
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
    """`folder` gets the copy; it is sparse, and 4 GiB large as a card would be."""

    def __init__(self, board, folder, size=4096 * MIB):
        self.board, self.folder = board, pathlib.Path(folder)
        image = TOP / "build/image" / f"sealcam-{board}.img"
        if not image.exists():
            raise Failure(f"there is no image of {board}: ./scripts/image {board}")
        self.path = self.folder / "card.img"
        tool("cp", "--sparse=always", image, self.path)
        os.truncate(self.path, size)
        table = tool("sfdisk", "-d", self.path).stdout.decode()
        self.partitions = {int(n): (int(a) * 512, int(b) * 512) for n, a, b in
                           re.findall(r"img(\d+) : start= *(\d+), size= *(\d+)", table)}

    def table(self):
        """Sizes in bytes as the table on the card says now."""
        text = tool("sfdisk", "-d", self.path).stdout.decode()
        return {int(n): int(b) * 512 for n, b in re.findall(r"img(\d+) : start= *\d+, size= *(\d+)", text)}

    def half_grown(self):
        """As a first start leaves it that was cut short after the first of its three numbers."""
        with self.path.open("r+b") as card:
            card.seek(446 + 48 + 8)
            begin = struct.unpack("<I", card.read(4))[0]
            card.write(struct.pack("<I", os.path.getsize(self.path) // MIB * 2048 - begin))

    def fat(self, partition):
        return f"{self.path}@@{self.partitions[partition][0]}"

    def names(self, partition=1):
        return tool("mdir", "-b", "-i", self.fat(partition), "::").stdout.decode().split()

    def read(self, name, partition=1):
        """Bytes of a file, None when there is none."""
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
        """`change` takes the kernel line and gives the new one."""
        name = "boot.txt" if self.board == "qemu-virt" else "cmdline.txt"
        self.write(name, change(self.read(name, partition).decode()).encode(), partition)


class Machine:
    """The virtual board with a card in it. `neighbour`: a station in its network."""

    def __init__(self, card, neighbour=None, memory=512, log="console", echo=None):
        self.card, self.neighbour, self.memory = card, neighbour, memory
        self.port = free_port()
        self.log, self.echo, self.starts = log, echo, 0

    def network(self, device):
        if not self.neighbour:
            return ["-netdev", f"user,id=n0,hostfwd=tcp:127.0.0.1:{self.port}-:8421", "-device", f"{device},netdev=n0"]
        return ["-netdev", f"user,id=u0,hostfwd=tcp:127.0.0.1:{self.port}-:8421", "-netdev", "hubport,id=h0,hubid=0,netdev=u0",
                "-netdev", self.neighbour.netdev("world", "u1"), "-netdev", "hubport,id=h1,hubid=0,netdev=u1",
                "-netdev", self.neighbour.netdev("board", "n0"), "-device", f"{device},netdev=n0"]

    def command(self):
        qemu = shutil.which("qemu-system-aarch64")
        common = ["-display", "none", "-m", str(self.memory)]
        # What the board wrote is in this machine's memory at once: it is there after QEMU was killed, and nothing waits for a disk.
        card = f"file={self.card.path},format=raw,cache=unsafe"
        if self.card.board == "qemu-virt":
            return [qemu, "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
                    "-drive", f"if=none,id=card,{card}", "-device", "virtio-blk-device,drive=card",
                    "-device", "virtio-rng-device", "-device", "i6300esb", *common, *self.network("virtio-net-device")]
        return [qemu, "-M", "raspi3b", *self.out_of_image(), "-drive", f"if=sd,{card}", *common[:2], "-m", "1024",
                *self.network("usb-net")]

    def out_of_image(self):
        """QEMU has no Raspberry Pi firmware: kernel, initramfs, device tree and kernel line are what it would have read."""
        files, there = {}, " ".join(self.card.names(2))
        # The kernel's own tree, or, where it is Raspberry Pi's, theirs.
        tree = next(name for name in ("bcm2710-rpi-3-b.dtb", "bcm2837-rpi-3-b.dtb") if name in there)
        for name in ("kernel", "initramfs", tree):
            files[name] = self.card.folder / name
            files[name].write_bytes(self.card.read(name, 2))
        packed = files["kernel"]
        if packed.read_bytes()[:2] == b"\x1f\x8b":
            with packed.with_suffix(".raw").open("wb") as out:
                subprocess.run(["gzip", "-dc", packed], stdout=out, check=True)
            packed = packed.with_suffix(".raw")
        # The console is the board's second serial port, the one on its pins; the first is Bluetooth's. Where the kernel line says
        # serial0 the firmware would have put the port's name there: ttyS0 with Raspberry Pi's trees, ttyS1 with the kernel's own.
        port = "ttyS0" if tree.startswith("bcm2710") else "ttyS1"
        line = self.card.read("cmdline.txt", 2).decode().strip().replace("console=serial0,", f"console={port},")
        return ["-kernel", packed, "-initrd", files["initramfs"], "-dtb", files[tree], "-append", line, "-serial", "null"]

    def boot(self):
        self.starts += 1
        log = self.card.folder / f"{self.log}-{self.starts}.log"
        return Run([str(a) for a in self.command()], log, self.echo)


def pairing_string(run, seconds, after=0.0):
    """(seconds since the start, the string) of the newest one that came after `after`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [(t, m[0]) for t, line in list(run.lines) if t > after and (m := PAIRING.search(line)) and "@" in m[0]]
        if found:
            return found[-1]
        if run.child.poll() is not None:
            break
        time.sleep(0.1)
    raise Failure(f"no pairing string on the console within {seconds:.0f} s; it said:\n" + "\n".join(line for _, line in run.lines[-40:]))
