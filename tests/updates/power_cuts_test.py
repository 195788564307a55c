#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Power cuts while a board in QEMU installs an update, starts its slot and marks it as good.

    ./scripts/sdk run python3 tests/updates/power_cuts_test.py --cuts 200 --starts 2

QEMU logs each write of the board to its card. A power cut keeps all writes before the last flush, and any of those after it, also with
a part of their sectors. For --cuts random moments, and for each moment around a write to partition 1, the test makes the card of that
moment, and checks that autoboot.txt selects one slot. No write may go to slot a. If autoboot.txt selects slot b, its installation must
be complete. --starts of the cards are started. The control finds a fault: it selects slot b at a moment at which RAUC was still writing
it. The test also compares the writes to autoboot.txt with the model of sectors_test.py.
"""
import argparse
import hashlib
import pathlib
import random
import sys
import tempfile
import time

import updates_test
from card_log import Log, options as card_options
from updates_test import Failure, Scene, TIMEOUT, printed, tool, wait_printed

STEPS = {
    1: ("a", f"wait_network; install good.raucb; {updates_test.TRY}"),
    2: ("b", "rauc status mark-good; report; sync"),
}
SLOTS = {"a": (2, 5), "b": (3, 6)}


def record(scene):
    """Runs the update with a log. Returns the log, and removes the writes from the card."""
    first = scene.folder / "first.img"
    tool("cp", "--sparse=always", scene.card.path, first)
    path = scene.folder / "card.log"
    scene.machine.drive = card_options(scene.card.path, path)
    with scene.machine.boot() as run:
        at = 0.0
        for number, (slot, _) in STEPS.items():
            at, found = wait_printed(run, rf"start {number} slot (\w)", at)
            if found[1] != slot:
                raise Failure(f"start {number} uses slot {found[1]} instead of {slot}")
            at, _ = wait_printed(run, f"end {number}$", at)
        if not printed(run, r"good\.raucb installed") or not printed(run, "primary b states bad good", 0):
            raise Failure("the board did not install the update and mark it as good:\n" + "\n".join(line for _, line in run.lines[-40:]))
        took = at
    scene.last = scene.folder / "last.img"
    scene.card.path.rename(scene.last)
    first.rename(scene.card.path)
    return Log(path), took


class Cards:
    """The card after a growing number of writes."""

    def __init__(self, scene, log, seed):
        self.log, self.card, self.done = log, scene.card, 0
        self.random = random.Random(seed)
        text = (updates_test.TOP / "board" / self.card.board / "image/autoboot.txt").read_text()
        self.contents = {slot: updates_test.image_update.autoboot(text, slot) for slot in "ab"}
        if self.card.read("autoboot.txt") != self.contents["a"]:
            raise Failure("the card does not begin with slot a")
        self.good = {"a": self.digest("a", self.card.path), "b": self.digest("b", scene.last)}
        self.fresh = {"a": True, "b": False}  # whether the last comparison with `good` is still valid

    def digest(self, slot, path):
        """The hash of the root file system and the boot partition of a slot."""
        found = hashlib.sha256()
        with path.open("rb") as card:
            for number in SLOTS[slot]:
                start, size = self.card.partitions[number]
                card.seek(start)
                while size > 0:
                    part = card.read(min(size, 1 << 20))
                    found.update(part)
                    size -= len(part)
        return found.hexdigest()

    def touch(self, writes):
        for write, _ in writes:
            for slot, numbers in SLOTS.items():
                for start, size in (self.card.partitions[n] for n in numbers):
                    if write.offset < start + size and write.offset + write.size > start:
                        self.fresh[slot] = False

    def to(self, end, chosen):
        """Makes the card of a power cut after `end` writes and calls `chosen(slot)`. `end` never decreases."""
        whole = self.log.last_flush(end)
        before = [(w, w.size) for w in self.log.writes[self.done:whole]]
        self.log.apply(self.card.path, before)
        self.touch(before)
        self.done = whole
        extra = self.log.moment(end, self.random)[whole:]
        with self.card.path.open("r+b") as card:
            saved = []
            for write, size in extra:
                card.seek(write.offset)
                saved.append((write.offset, card.read(size)))
        before = dict(self.fresh)
        self.fresh = dict.fromkeys("ab", True)
        self.touch(extra)
        touched = {slot for slot, fresh in self.fresh.items() if not fresh}
        self.fresh = {slot: before[slot] and slot not in touched for slot in "ab"}
        self.log.apply(self.card.path, extra)
        try:
            chosen(self.check(end))
        finally:
            with self.card.path.open("r+b") as card:
                for offset, content in reversed(saved):
                    card.seek(offset)
                    card.write(content)
            self.fresh.update({slot: before[slot] for slot in touched})

    def check(self, end):
        content = self.card.read("autoboot.txt")
        slot = next((slot for slot, expected in self.contents.items() if content == expected), None)
        if not slot:
            raise Failure(f"after {end} writes, autoboot.txt selects no slot: {content!r}")
        if not self.fresh[slot]:
            if self.digest(slot, self.card.path) != self.good[slot]:
                raise Failure(f"after {end} writes, autoboot.txt selects slot {slot}, which is not complete")
            self.fresh[slot] = True
        return slot


def moments(log, cards, count):
    """Returns sorted numbers of writes: random ones, and all around the writes of partition 1."""
    start, size = cards.card.partitions[1]
    near = {n + around for n, w in enumerate(log.writes) if start <= w.offset < start + size for around in (0, 1)}
    # The same number can be there twice: other writes after the last flush are on the card then.
    return sorted([*near, *(cards.random.randrange(len(log.writes) + 1) for _ in range(count))])


def starts(scene, kept):
    """Starts the kept cards. Each must reach the script of the test."""
    scene.machine.drive = None
    for end, slot, path in kept:
        path.rename(scene.card.path)
        begun = time.monotonic()
        with scene.machine.boot() as run:
            _, found = wait_printed(run, r"start \d+ slot (\w)", 0.0, TIMEOUT)
        if found[1] != slot:
            raise Failure(f"the card after {end} writes starts slot {found[1]} instead of {slot}")
        print(f"the card after {end} writes started slot {slot} after {time.monotonic() - begun:.0f} s", flush=True)


def check_writes(cards, log, before):
    """`before`: partition 1 before the first write."""
    for number in SLOTS["a"]:
        if found := log.touching(*cards.card.partitions[number]):
            raise Failure(f"the update wrote to partition {number} of the running slot: {found[:3]}")
    log.check_selection(cards.card.partitions[1], before, cards.contents)


def control(cards, log):
    """Selects slot b in the middle of the installation: the check has to find it."""
    start, size = cards.card.partitions[6]
    inside = [n for n, w in enumerate(log.writes) if start <= w.offset < start + size]
    log.apply(cards.card.path, [(w, w.size) for w in log.writes[cards.done:inside[len(inside) // 2]]])
    saved = cards.card.read("autoboot.txt")
    cards.card.write("autoboot.txt", cards.contents["b"])
    try:
        cards.check(0)
    except Failure as failure:
        if "which is not complete" not in str(failure):
            raise
        cards.card.write("autoboot.txt", saved)
        return
    raise Failure("the control did not find a slot that is not complete")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
        scene = Scene("qemu-virt", folder, options.verbose, STEPS)
        try:
            log, took = record(scene)
        finally:
            scene.close()
        copy = scene.folder / "control.img"
        tool("cp", "--sparse=always", scene.card.path, copy)
        cards = Cards(scene, log, options.seed)
        check_writes(cards, log, scene.card.raw(1))
        ends, found, kept = moments(log, cards, options.cuts), {"a": 0, "b": 0}, []
        keep = set(cards.random.sample(range(len(ends)), min(options.starts, len(ends))))

        def chosen(slot):
            found[slot] += 1
            if index in keep:
                path = scene.folder / f"kept-{index}.img"
                tool("cp", "--sparse=always", scene.card.path, path)
                kept.append((end, slot, path))
        for index, end in enumerate(ends):
            cards.to(end, chosen)
        print(f"{len(log.writes)} writes in {took:.0f} s, none to slot a; {len(ends)} power cuts (seed {options.seed}): slot a selected {found['a']} times, "
              f"slot b {found['b']} times and complete", flush=True)
        if not all(found.values()):
            raise Failure("all moments select the same slot")
        copy.rename(scene.card.path)
        cards.done, cards.fresh = 0, {"a": False, "b": False}
        control(cards, log)
        starts(scene, kept)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, ValueError) as failure:
        sys.exit(f"error: {failure}")
