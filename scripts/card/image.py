# SPDX-License-Identifier: Apache-2.0
"""A card image: what is in its partition table, its bytes whether compressed or not, and the settings put into it."""
import collections
import io
import os
import shutil
import struct
import subprocess

from . import DATA, MIB, NO_INPUT, SECTOR, UNAVAILABLE, Trouble, size_words

LABEL = b"SEALCAM    "  # of partition 1, padded as FAT pads it
FAT_TYPES = {0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E}
EXTENDED_TYPES = {0x05, 0x0F, 0x85}
LARGEST_FIRST_PARTITION = 512 * MIB  # it is held in memory
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"

Partition = collections.namedtuple("Partition", "kind start size")  # bytes


def partitions(table):
    """The four entries of an MBR, in bytes. Trouble where there is none."""
    if len(table) < SECTOR or table[510:512] != b"\x55\xaa":
        raise Trouble(DATA, "the image has no partition table, so it is none of scripts/image: give the file that it made")
    found = []
    for number in range(4):
        _, kind, start, count = struct.unpack_from("<B3xB3xII", table, 446 + 16 * number)
        found.append(Partition(kind, start * SECTOR, count * SECTOR))
    return found


class Image:
    """One image file. `size` is of what is written; `first` is partition 1, which people and scripts/flash write to."""

    def __init__(self, path):
        self.path = path
        try:
            with open(path, "rb") as file:
                self.compressed = file.read(4) == ZSTD_MAGIC
        except OSError as error:
            raise Trouble(NO_INPUT, f"the image cannot be read: {path}: {error.strerror}") from None
        if self.compressed and not shutil.which("zstd"):
            raise Trouble(UNAVAILABLE, "the image is compressed, and this machine has no zstd: sudo apt install zstd")
        with self.open() as stream:
            self._judge(stream)

    def _judge(self, stream):
        table = partitions(stream.read(SECTOR))
        self.first = table[0]
        self.size = max(p.start + p.size for p in table if p.kind)
        if self.first.kind not in FAT_TYPES or not any(p.kind in EXTENDED_TYPES for p in table):
            raise Trouble(DATA, "the image's partitions are not a Sealcam image's: give the file that scripts/image made")
        if not SECTOR <= self.first.start or self.first.start + self.first.size > LARGEST_FIRST_PARTITION:
            raise Trouble(DATA, "the image's first partition is not where a Sealcam image has it: make the image again")
        skip(stream, self.first.start - SECTOR)
        boot = stream.read(SECTOR)
        # FAT32 has its label at 71, FAT16 at 43, each before the name of the format.
        if not any(boot[at:at + 11] == LABEL and boot[at + 11:at + 14] == b"FAT" for at in (71, 43)):
            raise Trouble(DATA, "this is no Sealcam image: its first partition is not called SEALCAM")
        if not self.compressed:
            self._judge_size(os.path.getsize(self.path))

    def _judge_size(self, present):
        if present < self.size:
            raise Trouble(DATA, f"the image is cut short: {size_words(present)} of {size_words(self.size)}; copy it again")
        if present % SECTOR:
            raise Trouble(DATA, "the image is no whole number of sectors, so it is damaged; copy it again")
        self.size = present

    def open(self):
        """The image's bytes. Closing before the end is no error; what a compressed one lacks is told at its end."""
        return Unpacked(self.path) if self.compressed else open(self.path, "rb", buffering=0)

    def check(self, progress):
        """Reads a compressed image to its end, so that a damaged one is found before the card is touched."""
        if not self.compressed:
            return
        total = 0
        with self.open() as stream:
            while block := stream.read(4 * MIB):
                total += len(block)
                progress(total, max(total, self.size))
        self._judge_size(total)

    def contents(self, settings=None):
        """A stream of what goes onto the card. `settings`, if there are any, are sealcam.json's bytes."""
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
        raise Trouble(DATA, "the image is cut short; copy it again")


class Unpacked:
    """zstd's output. read() gives all that was asked for until the end."""

    def __init__(self, path):
        # Images may be packed with a long window (zstd --long).
        self.child = subprocess.Popen(["zstd", "-dc", "--long=31", "--", path],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def read(self, count):
        block = self.child.stdout.read(count)
        if len(block) < count and self.child.wait() != 0:
            words = self.child.stderr.read().decode(errors="replace").strip().rpartition(":")[2].strip()
            raise Trouble(DATA, f"the image is damaged ({words or 'zstd failed'}); copy it again")
        return block

    def close(self):
        self.child.stdout.close()  # zstd then ends by SIGPIPE
        self.child.stderr.close()
        self.child.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Joined:
    """Bytes in memory, then a stream."""

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
        raise Trouble(UNAVAILABLE, "settings are put onto the card with mtools, which are not here: sudo apt install mtools")


def put_settings(partition, settings):
    """Partition 1 with sealcam.json in it. It never leaves memory: it holds a Wi-Fi passphrase."""
    need_mtools()
    memory = os.memfd_create("sealcam-settings")
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(partition)
        # MTOOLSRC: drives of this machine's own configuration do not matter here.
        done = subprocess.run(["mcopy", "-o", "-i", f"/proc/self/fd/{memory}", "-", "::sealcam.json"], input=settings,
                              pass_fds=[memory], capture_output=True,
                              env=os.environ | {"MTOOLSRC": "/dev/null", "MTOOLS_SKIP_CHECK": "1"})
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip()
            raise Trouble(DATA, f"the settings could not be put into the image: {words}; make the image again")
        return os.pread(memory, len(partition), 0)
    finally:
        os.close(memory)
