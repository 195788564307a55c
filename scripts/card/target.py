# SPDX-License-Identifier: Apache-2.0
"""The disk that is written to: what it is, what is on it, and every reason not to touch it.

The kernel's own claim (O_EXCL on a block device) is the last word and holds while it is written: nothing can mount it
meanwhile. What is looked up here before says in words what the kernel would only call 'busy', and knows the system's disk.
"""
import errno
import os
import pathlib
import re
import stat
import subprocess

from . import IO, NO_INPUT, NOT_ALLOWED, SECTOR, USAGE, WOULD_OVERWRITE, Trouble, printable, size_words

SHOW = "lsblk -do NAME,SIZE,MODEL,TRAN lists the disks"
SYSTEM_PLACES = {"/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "/etc"}


class Machine:
    """The kernel's view of disks: sysfs and procfs, which tests make themselves."""

    def __init__(self, sys="/sys", proc="/proc"):
        self.sys, self.proc = pathlib.Path(sys), pathlib.Path(proc)

    def node(self, number):
        """The sysfs folder of a device number 'major:minor', or None."""
        path = self.sys / "dev/block" / number
        return path.resolve() if path.exists() else None

    def uses(self):
        """(device's name in sysfs, where it is mounted) of all mounts and swap areas."""
        found = set()
        for process in ("self", "1"):  # inside of a container the system's own mounts are those of process 1
            for line in self._lines(f"{process}/mountinfo"):
                before, _, after = line.partition(" - ")
                fields = before.split()
                place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])  # blanks are \040
                node = self.node(fields[2])
                # btrfs mounts have numbers of no device; then the source names it.
                name = node.name if node else os.path.basename(os.path.realpath(after.split()[1]))
                found.add((name, place))
        for line in self._lines("swaps")[1:]:
            found.add((os.path.basename(os.path.realpath(line.split()[0])), "[SWAP]"))
        return sorted(found)

    def _lines(self, name):
        try:
            return (self.proc / name).read_text(errors="replace").splitlines()
        except OSError:
            return []

    def block(self, name):
        path = self.sys / "class/block" / name.replace("/", "!")
        return path.resolve() if path.exists() else None

    def disks_below(self, node):
        """Names of the whole disks that `node` lies on, through partitions, device mapper and RAID."""
        if (node / "partition").exists():
            return self.disks_below(node.parent)
        slaves = list((node / "slaves").iterdir()) if (node / "slaves").is_dir() else []
        return {disk for slave in slaves for disk in self.disks_below(slave.resolve())} | {node.name}

    def loops(self):
        """(loop device, what lies behind it)."""
        for loop in sorted((self.sys / "class/block").glob("loop*")):
            if backing := text(loop / "loop/backing_file"):
                yield loop.name, backing


def text(path):
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


class Target:
    """A whole disk. Trouble where `path` is none."""

    def __init__(self, path, machine=None):
        self.path, self.machine = path, machine or Machine()
        try:
            info = os.stat(path)
        except OSError as error:
            raise Trouble(NO_INPUT, f"there is no device {path}: {error.strerror}; put the card in, {SHOW}") from None
        if not stat.S_ISBLK(info.st_mode):
            raise Trouble(USAGE, f"{path} is no disk; {SHOW}")
        self._find(f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}")

    @classmethod
    def of_number(cls, number, machine):
        """For tests, which cannot make device nodes."""
        target = cls.__new__(cls)
        target.path, target.machine = number, machine
        target._find(number)
        return target

    def _find(self, number):
        self.number = number
        self.node = self.machine.node(number)
        if not self.node:
            raise Trouble(NO_INPUT, f"the kernel knows no disk {self.path}; put the card in again, {SHOW}")
        if (self.node / "partition").exists():
            raise Trouble(USAGE, f"{self.path} is a partition; give the whole disk, /dev/{self.node.parent.name}")
        if (self.node / "dm").exists() or (self.node / "md").exists():
            raise Trouble(USAGE, f"{self.path} is not one disk but made of others (device mapper or RAID); {SHOW}")
        self.name = self.node.name
        self.size = int(text(self.node / "size") or 0) * SECTOR

    def members(self):
        """The disk and its partitions."""
        return [self.node] + sorted(p.parent for p in self.node.glob("*/partition"))

    def refuse(self, needed):
        """Raises Trouble with the first reason not to write `needed` bytes here."""
        if self.size == 0:
            raise Trouble(NO_INPUT, f"there is no card in {self.path}; put it in and run the command again")
        uses = self.machine.uses()
        system = set()
        for name, place in uses:
            if place in SYSTEM_PLACES and (node := self.machine.block(name)):
                system |= self.machine.disks_below(node)
        if self.name in system:
            raise Trouble(NOT_ALLOWED, f"{self.path} holds this running system and is never written to; {SHOW}")
        for member in self.members():
            self._refuse_use(member, uses)
        if text(self.node / "ro") == "1":
            raise Trouble(WOULD_OVERWRITE, f"{self.path} is read-only; move the lock at the card's side, or use another reader")
        if (block := int(text(self.node / "queue/logical_block_size") or SECTOR)) != SECTOR:
            raise Trouble(WOULD_OVERWRITE, f"{self.path} has sectors of {block} bytes, and a card image needs {SECTOR}; "
                                           "use another card")
        if self.size < needed:
            raise Trouble(WOULD_OVERWRITE, f"{self.path} is too small: it has {size_words(self.size)}, the image needs "
                                           f"{size_words(needed)}; use a larger card")

    def _refuse_use(self, member, uses):
        device = f"/dev/{member.name}"
        for name, place in uses:
            if name == member.name and place == "[SWAP]":
                raise Trouble(WOULD_OVERWRITE, f"{device} is swap space in use; if that is the card: sudo swapoff {device}")
            if name == member.name:
                raise Trouble(WOULD_OVERWRITE, f"{device} is mounted at {printable(place)}; if that is the card: "
                                               f"sudo umount {device}")
        for holder in sorted((member / "holders").iterdir()) if (member / "holders").is_dir() else []:
            title = text(holder / "dm/name") or holder.name
            raise Trouble(WOULD_OVERWRITE, f"{device} is part of {printable(title)} (device mapper or RAID); if that is the "
                                           "card, close that first, with dmsetup remove or mdadm --stop")
        for loop, backing in self.machine.loops():
            if backing == device:
                raise Trouble(WOULD_OVERWRITE, f"{device} is used by /dev/{loop}; if that is the card: "
                                               f"sudo losetup -d /dev/{loop}")

    def claim(self):
        """The open device, ours alone until it is closed; the one that was looked at, whatever has its name by now."""
        try:
            disk = os.open(self.path, os.O_RDWR | os.O_EXCL | os.O_DIRECT | os.O_CLOEXEC)
        except PermissionError:
            raise Trouble(NOT_ALLOWED, f"writing to {self.path} needs more rights; run the command again with sudo") from None
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise Trouble(WOULD_OVERWRITE, f"{self.path} is in use by another program or container; end that, or unmount it "
                                               f"there (sudo fuser -vm {self.path} names it)") from None
            raise Trouble(IO, f"{self.path} cannot be opened: {error.strerror}; put the card in again") from None
        device = os.fstat(disk).st_rdev
        if f"{os.major(device)}:{os.minor(device)}" != self.number:
            os.close(disk)
            raise Trouble(WOULD_OVERWRITE, f"{self.path} is another disk than a moment ago; nothing was written. {SHOW}")
        return disk

    def describe(self):
        """Lines about the disk and what is on it."""
        about = [text(self.node / "device/vendor"), text(self.node / "device/model") or text(self.node / "device/name")]
        backing = text(self.node / "loop/backing_file")
        model = " ".join(w for w in about if w) or (f"the file {backing}" if backing else "no model given")
        kind = "removable" if text(self.node / "removable") == "1" else "not removable"
        if self.name.startswith("mmcblk"):
            kind = "card slot"
        lines = [f"{self.path}: {printable(model)}, {size_words(self.size)}, {kind}"]
        found = [line for member in self.members() for line in contents(member)]
        return lines + (found or ["  nothing known on it"])


def contents(node):
    """What a disk or partition holds, as far as blkid can tell."""
    try:
        done = subprocess.run(["blkid", "-p", "-o", "export", f"/dev/{node.name}"], capture_output=True, text=True,
                              errors="replace", timeout=30, env=os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"})
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    except (OSError, subprocess.TimeoutExpired):
        found = {}
    is_disk = not (node / "partition").exists()
    if is_disk and not found.get("TYPE"):
        return []
    label = f' "{found["LABEL"]}"' if found.get("LABEL") else ""
    size = size_words(int(text(node / "size") or 0) * SECTOR)
    kind = found.get("TYPE", "unknown content")
    return [printable(f"  {node.name}  {size}  {kind}{label}")]
