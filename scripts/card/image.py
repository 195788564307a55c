# SPDX-License-Identifier: Apache-2.0
"""Reads a card image, compressed or not, checks its partition table, and writes settings into it."""
import collections
import io
import os
import shutil
import struct
import subprocess

from . import DATA, MIB, NO_INPUT, SECTOR, UNAVAILABLE, Fault, size_text

LABEL = b"SEALCAM    "  # label of partition 1, padded as in FAT
FAT_TYPES = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
EXTENDED_TYPES = {0x05, 0x0F, 0x85}
MAX_FIRST_PARTITION = 512 * MIB  # the partition is read into memory
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
OTHER_MAGIC = {b"\xfd7zXZ": "xz", b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2"}

Partition = collections.namedtuple("Partition", "kind start size")  # bytes


def partitions(table):
    """Returns the four entries of an MBR, in bytes. Raises Fault without an MBR."""
    if len(table) < SECTOR or table[510:512] != b"\x55\xaa":
        raise Fault(DATA, "the image has no partition table; use an image that scripts/image built")
    found = []
    for number in range(4):
        _, kind, start, count = struct.unpack_from("<B3xB3xII", table, 446 + 16 * number)
        found.append(Partition(kind, start * SECTOR, count * SECTOR))
    return found


class Image:
    """An image file. `size`: number of bytes to write. `first`: partition 1, which contains the settings."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                head = file.read(5)
        except OSError as error:
            raise Fault(NO_INPUT, f"cannot read the image {path}: {error.strerror}") from None
        if not head:
            raise Fault(DATA, f"the image {path} is empty; copy it again")
        for magic, name in OTHER_MAGIC.items():
            if head.startswith(magic):
                raise Fault(DATA, f"the image is compressed with {name}; decompress it first, or compress it with zstd")
        self.compressed = head.startswith(ZSTD_MAGIC)
        if self.compressed and not shutil.which("zstd"):
            raise Fault(UNAVAILABLE, "the image is compressed, but zstd is not installed; run 'sudo apt install zstd'")
        with self.open() as stream:
            self._check_table(stream)

    def _check_table(self, stream):
        table = partitions(stream.read(SECTOR))
        self.first = table[0]
        self.size = max(p.start + p.size for p in table if p.kind)
        if self.first.kind not in FAT_TYPES or not any(p.kind in EXTENDED_TYPES for p in table):
            raise Fault(DATA, "the partitions differ from those of a Sealcam image; use an image that scripts/image built")
        if not SECTOR <= self.first.start or self.first.start + self.first.size > MAX_FIRST_PARTITION:
            raise Fault(DATA, "the first partition of the image has a wrong position; build the image again")
        skip(stream, self.first.start - SECTOR)
        boot = stream.read(SECTOR)
        # The label is at offset 71 in FAT32 and 43 in FAT16. The name of the format follows it.
        if not any(boot[at:at + 11] == LABEL and boot[at + 11:at + 14] == b"FAT" for at in (71, 43)):
            raise Fault(DATA, "this is not a Sealcam image: the label of its first partition is not SEALCAM")
        if not self.compressed:
            self._check_size(os.path.getsize(self.path))

    def _check_size(self, present):
        if present < self.size:
            raise Fault(DATA, f"the image is truncated: {size_text(present)} of {size_text(self.size)}; copy it again")
        if present % SECTOR:
            raise Fault(DATA, "the size of the image is not a multiple of the sector size, so it is damaged; copy it again")
        self.size = present

    def open(self):
        """Returns a stream of the image's bytes. It can be closed before the end. A damaged compressed image is an error at its end."""
        return Unpacked(self.path) if self.compressed else open(self.path, "rb", buffering=0)

    def check(self, progress):
        """Reads a compressed image to its end, to find damage before the card is written."""
        if not self.compressed:
            return
        total = 0
        with self.open() as stream:
            while block := stream.read(4 * MIB):
                total += len(block)
                progress(total, max(total, self.size))
        self._check_size(total)

    def contents(self, settings=None):
        """Returns a stream of the bytes for the card. `settings`: content of sealcam.json, or None."""
        stream = self.open()
        if settings is None:
            return stream
        try:
            head = read_all(stream, self.first.start)
            return Joined(head + put_settings(read_all(stream, self.first.size), settings), stream)
        except BaseException:
            stream.close()
            raise


def read_all(stream, count):
    parts = []
    while count and (block := stream.read(min(count, 4 * MIB))):
        parts.append(block)
        count -= len(block)
    return b"".join(parts)


def skip(stream, count):
    if len(read_all(stream, count)) != count:
        raise Fault(DATA, "the image is truncated; copy it again")


class Unpacked:
    """The output of zstd. read() returns fewer bytes than requested only at the end."""

    def __init__(self, path):
        # Images may be compressed with a long window (zstd --long).
        self.child = subprocess.Popen(["zstd", "-dc", "--long=31", "--", path],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def read(self, count):
        block = self.child.stdout.read(count)
        if len(block) < count and self.child.wait() != 0:
            reason = self.child.stderr.read().decode(errors="replace").strip().rpartition(":")[2].strip()
            raise Fault(DATA, f"the image is damaged ({reason or 'zstd failed'}); copy it again")
        return block

    def close(self):
        self.child.stdout.close()  # zstd then exits with SIGPIPE
        self.child.stderr.close()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Joined:
    """Bytes in memory, followed by a stream."""

    def __init__(self, head, stream):
        self.head, self.stream = io.BytesIO(head), stream

    def read(self, count):
        return self.head.read(count) or self.stream.read(count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()


def need_mtools():
    if not shutil.which("mcopy"):
        raise Fault(UNAVAILABLE, "mtools are required to write settings, but are not installed; run 'sudo apt install mtools'")


def put_settings(partition, settings):
    """Returns partition 1 with sealcam.json. Works in memory, because the file contains a Wi-Fi passphrase."""
    need_mtools()
    memory = os.memfd_create("sealcam-settings")
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(partition)
        # With MTOOLSRC, mtools ignore the configuration of this machine.
        done = subprocess.run(["mcopy", "-o", "-i", f"/proc/self/fd/{memory}", "-", "::sealcam.json"], input=settings,
                              pass_fds=[memory], capture_output=True,
                              env=os.environ | {"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1"})
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip()
            raise Fault(DATA, f"cannot write the settings into the image: {reason}; build the image again")
        return os.pread(memory, len(partition), 0)
    finally:
        os.close(memory)
