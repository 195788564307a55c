# SPDX-License-Identifier: Apache-2.0
"""The writes of a board to its card in QEMU (driver blklogwrites), in their order, and cards as after a power cut at any moment."""
import collections
import struct

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4
AUTOBOOT_ENTRY = b"AUTOBOOTTXT"  # the name of autoboot.txt in a directory entry

Write = collections.namedtuple("Write", "offset size flags place")  # place of the data in the log; bytes


def options(card, log):
    """Returns options of QEMU for a card with a log."""
    log.write_bytes(b"")
    return ["-blockdev", f"driver=blklogwrites,node-name=card,file.driver=raw,file.file.driver=file,file.file.filename={card},"
            f"log.driver=file,log.filename={log}"]


class Log:
    def __init__(self, path):
        self.path, self.writes = path, []
        size = path.stat().st_size
        with path.open("rb") as file:
            magic, _, _, sector = struct.unpack("<QQQI", file.read(28))
            if magic != MAGIC or sector != SECTOR:
                raise ValueError(f"{path} is not a log of writes")
            at = SECTOR
            while at + SECTOR <= size:
                file.seek(at)
                first, count, flags, _ = struct.unpack("<4Q", file.read(32))
                length = 0 if flags & DISCARD else count * SECTOR
                if at + SECTOR + length > size:
                    break  # QEMU ended while it wrote
                self.writes.append(Write(first * SECTOR, count * SECTOR, flags, at + SECTOR))
                at += SECTOR + length

    def last_flush(self, end):
        """Returns the number of writes that certainly are on the card after the first `end` ones: those before the last flush."""
        return next((n for n in range(end, 0, -1) if self.writes[n - 1].flags & FLUSH), 0)

    def moment(self, end, random):
        """Returns the writes that are on the card after a power cut: all before the last flush, and any of those after it, with any
        number of their sectors."""
        kept = [(w, w.size) for w in self.writes[:self.last_flush(end)]]
        for write in self.writes[len(kept):end]:
            if random.random() < 0.7:
                kept.append((write, random.randint(0, write.size // SECTOR) * SECTOR if random.random() < 0.3 else write.size))
        return kept

    def apply(self, card, writes):
        """Applies writes to a copy of the card."""
        with self.path.open("rb") as log, card.open("r+b") as out:
            for write, size in writes:
                if write.flags & DISCARD or not size:
                    continue
                log.seek(write.place)
                out.seek(write.offset)
                out.write(log.read(size))

    def touching(self, start, size):
        """Returns (number, write) of all writes with data between two places of the card."""
        return [(n, w) for n, w in enumerate(self.writes) if w.size and w.offset < start + size and w.offset + w.size > start]

    def data(self, write):
        with self.path.open("rb") as log:
            log.seek(write.place)
            return log.read(write.size)

    def check_selection(self, partition, before, contents):
        """Compares the writes of a kernel with the model of sectors_test.py: one write of one sector replaces the content of slot a in
        autoboot.txt with that of slot b. Only the entry of the file and the flag in the first sector change after it.
        `partition`: its place and size. `before`: its content before the first write."""
        start = partition[0]
        place, entry = before.index(contents["a"]), before.index(AUTOBOOT_ENTRY) // SECTOR * SECTOR
        found = self.touching(start + place, SECTOR)
        if [(w.offset, self.data(w)) for _, w in found] != [(start + place, contents["b"])]:
            raise ValueError(f"autoboot.txt was not replaced by one write of one sector: {found}")
        later = {(w.offset - start, w.size) for n, w in self.touching(*partition) if n > found[0][0]}
        if not later <= {(0, SECTOR), (entry, SECTOR)}:
            raise ValueError(f"sectors of partition 1 that the model does not have changed after autoboot.txt: {sorted(later)}")
