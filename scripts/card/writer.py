# SPDX-License-Identifier: Apache-2.0
"""Writes a stream to a disk and verifies it.

O_DIRECT bypasses the caches for writing and reading. The first sector is written as zeros; its content is written last, after the
verification. So a card that was removed, or that is smaller than it reports, has no partition table, and no board starts from it.
"""
import errno
import fcntl
import hashlib
import mmap
import os
import time

from . import DATA, IO, MIB, SECTOR, WOULD_OVERWRITE, Fault

CHUNK = 4 * MIB
BLKRRPART, BLKFLSBUF = 0x125F, 0x1261  # linux/fs.h


def lock(disk, timeout=10.0):
    """Locks the disk, so that udev does not use it (systemd's block device locking). Waits if a probe holds the lock."""
    ends = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(disk, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise Fault(WOULD_OVERWRITE, "another program uses this disk; wait until it ends, then run the command "
                                               "again") from None
            time.sleep(0.1)


class Writer:
    """`disk`: a block device of `size` bytes, opened with O_DIRECT. `progress(phase, done, total)` is called after each chunk,
    and with done = 0 before a phase. Phases are 'writing' and 'verifying'."""

    def __init__(self, disk, size, progress):
        self.disk, self.size, self.progress = disk, size, progress
        self.buffer = mmap.mmap(-1, CHUNK)  # O_DIRECT needs aligned memory
        self.view = memoryview(self.buffer)
        self.written = []  # (offset, length, digest)

    def run(self, stream, total):
        """Writes and verifies the disk. `stream` must have `total` bytes."""
        try:
            self._blank_first_sector()
            first = self._write_all(stream, total)
            self._verify(total)
            self._write_first_sector(first)
        finally:
            self.view.release()
            self.buffer.close()
        try:
            fcntl.ioctl(self.disk, BLKRRPART)
        except OSError:
            pass  # not supported by loop devices without partitions; the kernel reads the table when the card is inserted again

    def _blank_first_sector(self):
        self.view[:SECTOR] = bytes(SECTOR)
        self._write(0, SECTOR, 0)
        self._flush(0)

    def _write_all(self, stream, total):
        self.progress("writing", 0, total)
        offset, first = 0, b""
        while offset < total:
            block = stream.read(min(CHUNK, total - offset))
            if not block or len(block) % SECTOR:
                raise Fault(DATA, "the image became shorter during reading; copy it again")
            self.view[:len(block)] = block
            if offset == 0:
                first = block[:SECTOR]
                self.view[:SECTOR] = bytes(SECTOR)
            self._write_chunk(offset, len(block))
            offset += len(block)
            self.progress("writing", offset, total)
        # Erases old data at the end of the disk, for example a backup partition table or the metadata of a RAID.
        tail = max(offset, self.size - MIB)
        if tail < self.size:
            self.view[:self.size - tail] = bytes(self.size - tail)
            self._write_chunk(tail, self.size - tail)
        self._flush(total)
        return first

    def _write_chunk(self, offset, length):
        self._write(offset, length, offset)
        self.written.append((offset, length, hashlib.blake2b(self.view[:length]).digest()))

    def _write(self, offset, length, at):
        done = 0
        while done < length:
            try:
                count = os.pwrite(self.disk, self.view[done:length], offset + done)
            except OSError as error:
                self._failed("writing", at + done, error)
            if count == 0:
                self._failed("writing", at + done, OSError(errno.ENOSPC, "the disk accepted no data"))
            done += count

    def _flush(self, at):
        try:
            os.fsync(self.disk)
        except OSError as error:
            self._failed("writing", at, error)

    def _verify(self, total):
        self.progress("verifying", 0, total)
        try:
            fcntl.ioctl(self.disk, BLKFLSBUF)
        except OSError as error:
            self._failed("verifying", 0, error)
        for offset, length, digest in self.written:
            self._read(offset, length)
            if hashlib.blake2b(self.view[:length]).digest() != digest:
                raise Fault(IO, f"the card returns other data than written at {offset / MIB:.0f} MiB: it is defective, or smaller "
                                  "than it reports. No board starts from it now; use another card")
            self.progress("verifying", min(offset + length, total), total)

    def _read(self, offset, length):
        done = 0
        while done < length:
            try:
                count = os.preadv(self.disk, [self.view[done:length]], offset + done)
            except OSError as error:
                self._failed("verifying", offset + done, error)
            if count == 0:
                self._failed("verifying", offset + done, OSError(errno.EIO, "end of the disk"))
            done += count

    def _write_first_sector(self, first):
        self.view[:SECTOR] = first
        self._write(0, SECTOR, 0)
        self._flush(0)
        self._read(0, SECTOR)
        if self.view[:SECTOR] != first:
            raise Fault(IO, "the card returns another partition table than written: it is defective; use another card")

    @staticmethod
    def _failed(phase, offset, error):
        raise Fault(IO, f"{phase} failed at {offset / MIB:.0f} MiB: {error.strerror}. No board starts from the card now; insert "
                          "it again or use another one, and run the command again") from None
