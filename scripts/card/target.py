# SPDX-License-Identifier: Apache-2.0
"""The disk that is written: its description, its content, and the reasons to reject it.

O_EXCL on a block device ensures that nothing mounts the disk while it is written. The checks before it give a clear message
instead of 'busy', and reject the disk of the running system.
"""
import errno
import os
import pathlib
import re
import stat
import subprocess

from . import IO, NO_INPUT, NOT_ALLOWED, SECTOR, USAGE, WOULD_OVERWRITE, Fault, printable, size_text

SHOW = "lsblk -do NAME,SIZE,MODEL,TRAN lists the disks"
SYSTEM_PLACES = {"/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home", "/etc"}


class Machine:
    """The disks of the kernel, from sysfs and procfs. Tests use other folders."""

    def __init__(self, sys="/sys", proc="/proc"):
        self.sys, self.proc = pathlib.Path(sys), pathlib.Path(proc)

    def node(self, number):
        """Returns the sysfs folder of a device number 'major:minor', or None."""
        path = self.sys / "dev/block" / number
        return path.resolve() if path.exists() else None

    def uses(self):
        """Returns (name of the device in sysfs, mount point) of all mounts and swap areas."""
        found = set()
        for process in ("self", "1"):  # in a container, process 1 has the mounts of the system
            for line in self._lines(f"{process}/mountinfo"):
                before, _, after = line.partition(" - ")
                fields = before.split()
                place = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])  # \040 is a space
                node = self.node(fields[2])
                # Mounts of btrfs have anonymous device numbers. Then the source names the device.
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
        """Returns the names of the whole disks below `node`: below partitions, device mapper and RAID."""
        if (node / "partition").exists():
            return self.disks_below(node.parent)
        slaves = list((node / "slaves").iterdir()) if (node / "slaves").is_dir() else []
        return {disk for slave in slaves for disk in self.disks_below(slave.resolve())} | {node.name}

    def loops(self):
        """Yields (loop device, backing file)."""
        for loop in sorted((self.sys / "class/block").glob("loop*")):
            if backing := text(loop / "loop/backing_file"):
                yield loop.name, backing


def text(path):
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


class Target:
    """A whole disk. The constructor raises Fault for another path."""

    def __init__(self, path, machine=None):
        self.path, self.machine = path, machine or Machine()
        try:
            info = os.stat(path)
        except OSError as error:
            raise Fault(NO_INPUT, f"the device {path} does not exist: {error.strerror}; insert the card; {SHOW}") from None
        if not stat.S_ISBLK(info.st_mode):
            raise Fault(USAGE, f"{path} is not a disk; {SHOW}")
        self._find(f"{os.major(info.st_rdev)}:{os.minor(info.st_rdev)}")

    @classmethod
    def of_number(cls, number, machine):
        """For tests, which cannot create device nodes."""
        target = cls.__new__(cls)
        target.path, target.machine = number, machine
        target._find(number)
        return target

    def _find(self, number):
        self.number = number
        self.node = self.machine.node(number)
        if not self.node:
            raise Fault(NO_INPUT, f"the kernel has no disk {self.path}; insert the card again; {SHOW}")
        if (self.node / "partition").exists():
            raise Fault(USAGE, f"{self.path} is a partition; give the whole disk, /dev/{self.node.parent.name}")
        if (self.node / "dm").exists() or (self.node / "md").exists():
            raise Fault(USAGE, f"{self.path} consists of other disks (device mapper or RAID); {SHOW}")
        self.name = self.node.name
        self.size = int(text(self.node / "size") or 0) * SECTOR

    def members(self):
        """Returns the disk and its partitions."""
        return [self.node] + sorted(p.parent for p in self.node.glob("*/partition"))

    def reject(self, needed):
        """Raises Fault with the first reason not to write `needed` bytes to this disk."""
        if self.size == 0:
            raise Fault(NO_INPUT, f"{self.path} has no card; insert it and run the command again")
        uses = self.machine.uses()
        system = set()
        for name, place in uses:
            if place in SYSTEM_PLACES and (node := self.machine.block(name)):
                system |= self.machine.disks_below(node)
        if self.name in system:
            raise Fault(NOT_ALLOWED, f"{self.path} contains the running system; {SHOW}")
        for member in self.members():
            self._reject_use(member, uses)
        if text(self.node / "ro") == "1":
            raise Fault(WOULD_OVERWRITE, f"{self.path} is read-only; move the lock switch of the card, or use another reader")
        if (block := int(text(self.node / "queue/logical_block_size") or SECTOR)) != SECTOR:
            raise Fault(WOULD_OVERWRITE, f"{self.path} has sectors of {block} bytes, but a card image needs {SECTOR}; "
                                           "use another card")
        if self.size < needed:
            raise Fault(WOULD_OVERWRITE, f"{self.path} is too small: it has {size_text(self.size)}, the image needs "
                                           f"{size_text(needed)}; use a larger card")

    def _reject_use(self, member, uses):
        device = f"/dev/{member.name}"
        for name, place in uses:
            if name == member.name and place == "[SWAP]":
                raise Fault(WOULD_OVERWRITE, f"{device} is swap space in use; if that is the card: sudo swapoff {device}")
            if name == member.name:
                raise Fault(WOULD_OVERWRITE, f"{device} is mounted at {printable(place)}; if that is the card: "
                                               f"sudo umount {device}")
        for holder in sorted((member / "holders").iterdir()) if (member / "holders").is_dir() else []:
            title = text(holder / "dm/name") or holder.name
            raise Fault(WOULD_OVERWRITE, f"{device} is part of {printable(title)} (device mapper or RAID); if that is the "
                                           "card, close the other device first with dmsetup remove or mdadm --stop")
        for loop, backing in self.machine.loops():
            if backing == device:
                raise Fault(WOULD_OVERWRITE, f"{device} is used by /dev/{loop}; if that is the card: "
                                               f"sudo losetup -d /dev/{loop}")

    def claim(self):
        """Opens the device for exclusive use, and checks that it is still the same disk. Returns the descriptor."""
        try:
            disk = os.open(self.path, os.O_RDWR | os.O_EXCL | os.O_DIRECT | os.O_CLOEXEC)
        except PermissionError:
            raise Fault(NOT_ALLOWED, f"no permission to write to {self.path}; run the command again with sudo") from None
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise Fault(WOULD_OVERWRITE, f"{self.path} is in use by another program or container; end the program or unmount the "
                                               f"disk there; 'sudo fuser -vm {self.path}' lists the programs") from None
            raise Fault(IO, f"cannot open {self.path}: {error.strerror}; insert the card again") from None
        device = os.fstat(disk).st_rdev
        if f"{os.major(device)}:{os.minor(device)}" != self.number:
            os.close(disk)
            raise Fault(WOULD_OVERWRITE, f"{self.path} is now another disk; nothing was written; {SHOW}")
        return disk

    def describe(self):
        """Returns lines that describe the disk and its content."""
        about = [text(self.node / "device/vendor"), text(self.node / "device/model") or text(self.node / "device/name")]
        backing = text(self.node / "loop/backing_file")
        model = " ".join(w for w in about if w) or (f"the file {backing}" if backing else "unknown model")
        kind = "removable" if text(self.node / "removable") == "1" else "not removable"
        if self.name.startswith("mmcblk"):
            kind = "card slot"
        lines = [f"{self.path}: {printable(model)}, {size_text(self.size)}, {kind}"]
        found = [line for member in self.members() for line in contents(member)]
        return lines + (found or ["  no known content"])


def contents(node):
    """Returns lines about the content of a disk or partition, from blkid."""
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
    size = size_text(int(text(node / "size") or 0) * SECTOR)
    kind = found.get("TYPE", "unknown content")
    return [printable(f"  {node.name}  {size}  {kind}{label}")]
