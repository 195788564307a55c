# SPDX-License-Identifier: Apache-2.0
"""The writes of a board to its card in QEMU (driver blklogwrites), in their order, and cards as after a power cut at any moment."""
import collections
import struct

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, DISCARD = 1, 4

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
