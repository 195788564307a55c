# SPDX-License-Identifier: Apache-2.0
"""Writes a stream to a disk and reads it back.

Past all caches: O_DIRECT both ways. The first sector is written as zeros and gets its content last, after the rest was
read back: a card that was pulled, or that lies about its size, never has a partition table and starts nothing.
"""
import errno
import fcntl
import hashlib
import mmap
import os
import time

from . import DATA, IO, MIB, SECTOR, WOULD_OVERWRITE, Trouble

CHUNK = 4 * MIB
BLKRRPART, BLKFLSBUF = 0x125F, 0x1261  # linux/fs.h


def lock(disk, patience=10.0):
    """udev leaves a disk alone while this lock is held (systemd's block device locking); a probe may hold it for a moment."""
    ends = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(disk, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= ends:
                raise Trouble(WOULD_OVERWRITE, "another program works on this disk; wait for it, then run the command "
                                               "again") from None
            time.sleep(0.1)


class Writer:
    """`disk`: an open block device of `size` bytes, opened with O_DIRECT. `progress(phase, done, total)` is called after
    each chunk, and with done = 0 before a phase; phases are 'writing' and 'verifying'."""

    def __init__(self, disk, size, progress):
        self.disk, self.size, self.progress = disk, size, progress
        self.buffer = mmap.mmap(-1, CHUNK)  # O_DIRECT needs aligned memory
        self.view = memoryview(self.buffer)
        self.written = []  # (offset, length, digest)

    def run(self, stream, total):
        """All of it. `total` bytes are expected of `stream`."""
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
            pass  # loop devices without partitions; for others a reader reads the table when the card is put in again

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
                raise Trouble(DATA, "the image became shorter while it was read; copy it again")
            self.view[:len(block)] = block
            if offset == 0:
                first = block[:SECTOR]
                self.view[:SECTOR] = bytes(SECTOR)
            self._write_chunk(offset, len(block))
            offset += len(block)
            self.progress("writing", offset, total)
        # What an earlier use left at the end, a second partition table or a RAID's mark, would be taken for ours.
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
                self._failed("writing", at + done, OSError(errno.ENOSPC, "nothing was taken"))
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
            self._failed("reading back", 0, error)
        for offset, length, digest in self.written:
            self._read(offset, length)
            if hashlib.blake2b(self.view[:length]).digest() != digest:
                raise Trouble(IO, f"the card did not keep what was written at {offset / MIB:.0f} MiB: it is worn out, or smaller "
                                  "than it says. It starts nothing now; use another card")
            self.progress("verifying", min(offset + length, total), total)

    def _read(self, offset, length):
        done = 0
        while done < length:
            try:
                count = os.preadv(self.disk, [self.view[done:length]], offset + done)
            except OSError as error:
                self._failed("reading back", offset + done, error)
            if count == 0:
                self._failed("reading back", offset + done, OSError(errno.EIO, "it ends there"))
            done += count

    def _write_first_sector(self, first):
        self.view[:SECTOR] = first
        self._write(0, SECTOR, 0)
        self._flush(0)
        self._read(0, SECTOR)
        if self.view[:SECTOR] != first:
            raise Trouble(IO, "the card did not keep its partition table: it is worn out; use another card")

    @staticmethod
    def _failed(what, offset, error):
        raise Trouble(IO, f"{what} failed at {offset / MIB:.0f} MiB: {error.strerror}. The card starts nothing now; put it in "
                          "again or use another one, and run the command again") from None
