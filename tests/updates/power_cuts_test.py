#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A board in QEMU updates itself while its camera streams, and power cuts at each moment of it: download, installation, restart, first start
of the new slot, and its confirmation.

    ./scripts/sdk run python3 tests/updates/power_cuts_test.py --cuts 200 --starts 10

The camera is paired and streams with the test driver of the kernel. sealcam-update.service installs the release of the channel. The hub must
show LIVE pictures before, during and after it, and no epoch and no counter may be used twice.

QEMU logs each write of the board to its card. A power cut keeps all writes before the last flush, and any of those after it, also with
a part of their sectors. For --cuts random moments, and for each moment around a write to partition 1, the test makes the card of that
moment, and checks that autoboot.txt selects one slot. No write may go to slot a. If autoboot.txt selects slot b, its installation must
be complete. --starts of the cards are started, spread over the update. Each must stream, with broker and hub as they were before the
update, and must use no epoch and no counter that it used before the power cut. The control finds a fault: it selects slot b at a moment
at which RAUC was still writing it. The test also compares the writes to autoboot.txt with the model of sectors_test.py.
"""
import argparse
import hashlib
import pathlib
import random
import sys
import tempfile
import time

import streaming
import updates_test
from card_log import Log, options as card_options
from household import Household
from service_test import RELEASE, begun
from updates_test import Failure, TIMEOUT, tool, wait_printed

SLOTS = {"a": (2, 5), "b": (3, 6)}


def record(scene):
    """Runs the update with a log. Returns the log, and removes the writes from the card."""
    first = scene.folder / "first.img"
    tool("cp", "--sparse=always", scene.card.path, first)
    path = scene.folder / "card.log"
    scene.machine.drive = card_options(scene.card.path, path)
    scene.sizes = streaming.Sizes(scene.recorder.output, path)
    scene.sizes.start()
    with scene.machine.boot() as run:
        at = begun(run, 2, "a", 0.0)
        times = {"LIVE in slot a": scene.wait_live(run, "before the update")}
        times["installed"], _ = wait_printed(run, rf"log version {RELEASE} is installed in slot b", at)
        during = scene.live()
        times["started in slot b"] = at = begun(run, 3, "b", at)
        times["LIVE in slot b"] = scene.wait_live(run, "from slot b")
        times["confirmed"], _ = wait_printed(run, r'status .*"installed"', at)
        streaming.check_updated(scene)
    scene.sizes.ended.set()
    shown = ", ".join(f"{text} {at:.0f} s" for text, at in times.items())
    print(f"update: {shown} after power; {during} LIVE pictures until the installation ended", flush=True)
    print(f"channel: {sum(scene.server.sent.values())} of {(scene.bundles / 'channel.raucb').stat().st_size} bytes sent", flush=True)
    scene.machine.drive = None
    scene.last = scene.folder / "last.img"
    scene.card.path.rename(scene.last)
    first.rename(scene.card.path)
    return Log(path)


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


def starts(scene, log, kept):
    """Starts the kept cards. Each must stream, and use no key of the messages before its power cut again."""
    pairing = Household.messages(scene.pairing)
    for end, slot, path in kept:
        path.rename(scene.card.path)
        before = pairing + scene.sizes.messages(log.writes[end].place if end < len(log.writes) else log.path.stat().st_size)
        scene.restore_world()
        with scene.machine.boot() as run:
            _, found = wait_printed(run, r"start \d+ slot (\w)", 0.0, TIMEOUT)
            took = scene.wait_live(run, f"of the card after {end} writes")
        if found[1] != slot:
            raise Failure(f"the card after {end} writes starts slot {found[1]} instead of {slot}")
        scene.recorder.stop()
        known = set(before)
        after = [message for message in Household.messages(scene.recorder.output) if message not in known]
        keys = streaming.check_keys(before + after, f"the card after {end} writes")
        print(f"the card after {end} of {len(log.writes)} writes started slot {slot} and was LIVE {took:.0f} s after power; {keys}", flush=True)


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


def run(scene, options):
    print(*scene.pair(), sep="\n", flush=True)
    scene.recorder.stop()
    scene.pairing = scene.recorder.output
    scene.save_world()
    log = record(scene)
    scene.recorder.stop()
    messages = Household.messages(scene.pairing) + Household.messages(scene.recorder.output)
    print("update: " + streaming.check_keys_with_controls(messages, "the update"), flush=True)
    if not options.cuts:
        return
    copy = scene.folder / "control.img"
    tool("cp", "--sparse=always", scene.card.path, copy)
    cards = Cards(scene, log, options.seed)
    check_writes(cards, log, scene.card.raw(1))
    ends, found, kept = moments(log, cards, options.cuts), {"a": 0, "b": 0}, []
    keep = {len(ends) * part // options.starts + cards.random.randrange(max(1, len(ends) // options.starts)) for part in range(options.starts)}

    def chosen(slot):
        found[slot] += 1
        if index in keep:
            path = scene.folder / f"kept-{index}.img"
            tool("cp", "--sparse=always", scene.card.path, path)
            kept.append((end, slot, path))
    for index, end in enumerate(ends):
        cards.to(end, chosen)
    print(f"{len(log.writes)} writes, none to slot a; {len(ends)} power cuts (seed {options.seed}): slot a selected {found['a']} times, "
          f"slot b {found['b']} times and complete", flush=True)
    if not all(found.values()):
        raise Failure("all moments select the same slot")
    copy.rename(scene.card.path)
    cards.done, cards.fresh = 0, {"a": False, "b": False}
    control(cards, log)
    starts(scene, log, kept)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=200, help="power cuts; 0 ends after the update (default: %(default)s)")
    parser.add_argument("--starts", type=int, default=10, help="cards that are started (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--host-build", default=str(updates_test.TOP / "build/dev"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sealcam-updates-") as folder:
        scene = streaming.StreamScene(folder, options.verbose, options.host_build)
        try:
            run(scene, options)
        finally:
            scene.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, OSError, ValueError) as failure:
        sys.exit(f"error: {failure}")
