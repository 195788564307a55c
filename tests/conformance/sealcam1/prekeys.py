# SPDX-License-Identifier: Apache-2.0
"""The prekeys of a hub."""
from . import wire

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
KEEP_MS, IN_USE_MS, SETTLE_MS = 8 * DAY_MS, 25 * HOUR_MS, 600_000
MAX_KEPT = 9


class Prekeys:
    """The stored keys are {number: (private key, time by the wall clock)}. They outlive this object."""

    def __init__(self, hpke, clock, stores, draw):
        self.hpke, self.clock, self.stores, self.draw = hpke, clock, stores, draw
        self.keys = stores.setdefault("prekeys", {})
        self.started = self.newest_since = clock.boot
        self.used = {}  # number: time by the boot-time clock
        if self.keys and clock.wall < self.keys[max(self.keys)][1]:
            self.make()
        self.tick()

    def broken(self):
        return "prekey" in self.stores.get("fails", ())

    def find(self, number):
        """The private key, or None. Number 0 is the key in the roster."""
        return self.hpke if number == 0 else self.keys.get(number, (None,))[0]

    def note_used(self, number):
        self.used[number] = self.clock.boot

    def newest(self):
        number = max(self.keys)
        return number, wire.public_bytes(self.keys[number][0])

    def make(self):
        if self.broken():
            return
        if self.keys:  # cameras seal to it until they received the next one
            self.note_used(max(self.keys))
        self.keys[max(self.keys, default=0) + 1] = (wire.private_key((self.draw() | 1).to_bytes(32, "big")), self.clock.wall)
        self.newest_since = self.clock.boot

    def expired(self, number):
        boot, wall = self.clock.boot, self.clock.wall
        in_use = number in self.used and boot - self.used[number] < IN_USE_MS
        return boot - self.started >= SETTLE_MS and wall - self.keys[number][1] >= KEEP_MS and not in_use

    def tick(self):
        newest = max(self.keys, default=None)
        if newest is None or self.clock.boot - self.newest_since >= DAY_MS or self.clock.wall - self.keys[newest][1] >= DAY_MS:
            self.make()
        for number in sorted(self.keys)[:-1]:
            if len(self.keys) > MAX_KEPT or self.expired(number):
                del self.keys[number]
