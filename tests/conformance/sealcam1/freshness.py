# SPDX-License-Identifier: Apache-2.0
"""The clocks of a device, and the age of the shown picture."""
from .order import at_or_before

LIVE_MS = 5000


class Clock:
    """Three clocks in milliseconds, which move independently."""

    def __init__(self):
        self.monotonic = self.boot = 3_600_000
        self.wall = 1_790_000_000_000

    def move(self, event, tick):
        """The events that move clocks. Returns False if the event is another one. The device works after each move."""
        kind = event["do"]
        if kind == "run":
            left = event["ms"]
            while left > 0:
                step = min(left, 100)
                self.monotonic, self.boot, self.wall = self.monotonic + step, self.boot + step, self.wall + step
                tick()
                left -= step
        elif kind == "suspend":
            self.boot, self.wall = self.boot + event["ms"], self.wall + event["ms"]
            tick()
        elif kind == "step":
            setattr(self, event["clock"], getattr(self, event["clock"]) + event["ms"])
            tick()
        else:
            return False
        return True


class Freshness:
    """The age of the shown picture: an echo in a picture proves the age of this picture and of each later one."""

    def __init__(self):
        self.made = self.shown = self.ahead = None

    def begin_epoch(self):
        self.shown = self.ahead = None

    def raise_to(self, made):
        self.made = made if self.made is None else max(self.made, made)

    def on_echo(self, number, made):
        if self.shown is not None and at_or_before(number, self.shown):
            self.raise_to(made)
        elif self.ahead is None or self.ahead[1] < made:
            self.ahead = (number, made)

    def on_shown(self, number):
        if self.shown is None:
            self.made = None
        self.shown = number
        if self.ahead is not None and at_or_before(self.ahead[0], number):
            self.raise_to(self.ahead[1])
            self.ahead = None

    def live(self, now):
        return self.made is not None and now - self.made <= LIVE_MS
