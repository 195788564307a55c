#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes random cases of hubs, without expected verdicts. Two implementations must judge them in the same way.

    random_cases.py FOLDER [--seed N] [--count N]

Each event compares all members of a verdict, and the expected values are dummies. So a runner reports each case as failed; compare its results
file with another runner (node.mjs --compare FILE --verdicts-only).
"""
import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

try:
    from cases.builder import HUB, PARTIES, TIME, HubCase, hub_entry
    from sealcam1 import wire
except ImportError as error:
    print(f"SKIPPED: python3-cryptography is not installed ({error})")
    sys.exit(4)

RULE = "R-RANDOM-1"
ALL = {"rejected": ["?"], "shown": ["?"], "not_shown": ["?"], "requests": ["?"], "current": "?", "state": "?", "reason": "?", "member": None,
       "roster_version": -1, "subscribed": [], "permitted": None}
COUNTERS = {"A": 100, "B": 101, "C": 101, "D": 102, "E": 99, "F": 300}  # of epochs: the same, smaller and greater ones
HUB2 = PARTIES["hub2"]
WITH_PRIVACY = hub_entry(HUB, integration=7, privacy=True)


class Stream:
    """The newest frame of an epoch, near which the next ones are."""

    def __init__(self):
        self.counter, self.number, self.video = 0, 1, 0


class RandomCase:
    def __init__(self, number, seed):
        self.random = random.Random(seed * 100_000 + number)
        self.case = HubCase(RULE, f"case-{number}", "reject", "Random events.")
        self.case.use("stranger", "hub2")
        self.version, self.elapsed, self.names = 1, 0, 0
        self.challenges, self.granted = [], []
        self.streams = {name: Stream() for name in COUNTERS}
        self.roster(1, [WITH_PRIVACY])
        self.grants("A")
        events = {self.frame: 42, self.run: 18, self.take: 16, self.any_grants: 8, self.any_roster: 5, self.status: 5, self.watch: 2, self.privacy: 1,
                  self.connection: 1, self.suspend: 1, self.restart: 1}
        for event in self.random.choices(list(events), list(events.values()), k=self.random.randint(25, 45)):
            event()

    def name(self, kind):
        self.names += 1
        return f"{kind}-{self.names}"

    def choose(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def chance(self, part):
        return self.random.random() < part

    def epoch(self, name):
        self.case.epoch(name, COUNTERS[name], suite=5 if name == "D" else 4)
        return name

    def roster(self, version, hubs, suspended=()):
        self.case.roster(version, hubs, ALL, name=self.name("roster"), suspended=suspended)
        self.version = max(self.version, version)

    def grants(self, name, hubs=(HUB,), version=None):
        self.case.grants(self.epoch(name), list(hubs), expect=ALL, name=self.name("grants"), version=version or self.version)
        if name not in self.granted:
            self.granted.append(name)

    def any_roster(self):
        version = self.random.choice([self.version, self.version + 1, self.version + 1, max(1, self.version - 1)])
        hubs = self.random.choice([[WITH_PRIVACY]] * 4 + [[HUB2], [hub_entry(HUB, integration=7)], [HUB, HUB2], []])
        self.roster(version, hubs, [7] if self.chance(0.2) else [])

    def any_grants(self):
        self.grants(self.random.choice(list(COUNTERS)), [HUB] if self.chance(0.9) else [HUB2],
                    self.random.choice([self.version, self.version, max(1, self.version - 1)]))

    def report(self):
        version = self.random.choice([self.version] * 4 + [self.version + 1, max(0, self.version - 1)])
        body = {1: version, 2: self.case.roster_hash(self.version) if self.chance(0.9) else bytes(32)}
        if self.chance(0.2):
            body[3] = bytes([self.random.randint(1, 255)]) * 8
        if self.chance(0.3):
            body[4] = True
        if self.chance(0.2):
            body[5] = self.random.choice([1, 2, 3, 4, 200])
        return wire.encode(body)

    def frame(self):
        name = self.epoch(self.random.choice(self.granted if self.chance(0.9) else list(COUNTERS)))
        stream, kind = self.streams[name], self.choose({"key": 3, "delta": 6, "still": 2, "report": 3})
        counter = max(0, stream.counter + self.choose({1: 12, 2: 2, 0: 1, -1: 1, -3: 1, 30: 1, 1100: 0.3}))
        number = max(0, stream.number + self.choose({1: 12, 2: 2, 0: 2, -1: 1, -5: 1}))
        depends = (stream.video if self.chance(0.85) else max(0, counter - 1)) if kind == "delta" else None
        if kind == "delta" and depends >= counter and self.chance(0.9):
            kind, depends = "key", None
        more = {"content": self.report()} if kind == "report" else {}
        echo = ""
        if self.challenges and self.chance(0.7):
            known = self.challenges[-4:] if self.chance(0.8) else self.challenges
            echo = " ".join(dict.fromkeys(self.random.choices(known, k=self.random.randint(1, 2))))
        else:
            more["name"] = self.name("frame")
        self.case.frame(name, kind, counter, ALL, number=number, depends=depends, echo=echo, retained=kind == "still" and self.chance(0.5),
                        by="stranger" if self.chance(0.03) else "camera", header={"captured": TIME + 1000 * self.elapsed}, **more)
        stream.counter, stream.number = max(stream.counter, counter), max(stream.number, number)
        if kind in ("key", "delta"):
            stream.video = counter

    def run(self, ms=None):
        ms = ms or self.random.choice([100, 700, 1100, 1100, 2500, 6000, 6000, 21000])
        self.case.run(ms, ALL)
        self.elapsed += ms

    def take(self):
        self.run(self.random.choice([100, 1100]))
        self.challenges.append(self.name("c"))
        self.case.event("take", ALL, request="live", epoch=self.random.choice(self.granted[-2:]), **{"as": self.challenges[-1]})

    def status(self):
        online = self.chance(0.7)
        self.case.status(online, privacy=self.chance(0.3), expect=ALL, name=self.name("status"), reset=not online and self.chance(0.5),
                         fault=self.random.choice([None, None, 1, 4]) if online else None)

    def watch(self):
        self.case.event("watch", ALL, on=self.chance(0.6))

    # The rules do not fix the moments of picture requests between those of the kind privacy-on.
    def privacy(self):
        self.case.event("privacy", ALL, on=False)

    def connection(self):
        self.case.event(self.random.choice(["connect", "disconnect", "connect"]), ALL)

    def suspend(self):
        ms = self.random.choice([3000, 60_000])
        self.case.event("suspend", ALL, ms=ms)
        self.elapsed += ms

    # A client of the hub watches after a restart.
    def restart(self):
        self.case.event("watch", ALL, on=True)
        self.case.event("connect", ALL)
        self.case.event("restart", ALL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=40)
    arguments = parser.parse_args()
    folder = arguments.folder / RULE
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for number in range(arguments.count):
        (folder / f"case-{number}.json").write_text(RandomCase(number, arguments.seed).case.json(), encoding="utf-8")
    print(f"{arguments.count} random cases, seed {arguments.seed}")


if __name__ == "__main__":
    main()
