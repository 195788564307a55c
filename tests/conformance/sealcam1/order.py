# SPDX-License-Identifier: Apache-2.0
"""Which verified frames of one epoch may be shown."""

WINDOW = 1024


def at_or_before(a, b):
    """Frame numbers wrap at 2^32. They are compared as serial numbers (RFC 1982)."""
    return (b - a) % (1 << 32) < 1 << 31


class StreamOrder:
    def __init__(self):
        self.received, self.next = set(), 0
        self.shown = self.shown_number = None    # the newest counter and picture on the screen
        self.video = self.video_number = None    # the newest shown key frame or delta
        self.intact = False                      # the decoder holds that frame

    def seen(self, counter):
        return counter < self.next and (self.next - counter > WINDOW or counter in self.received)

    def accept(self, kind, counter, number, depends):
        if self.seen(counter):
            return "replayed"
        self.next = max(self.next, counter + 1)
        self.received.add(counter)
        self.received = {c for c in self.received if self.next - c <= WINDOW}
        if kind == "report":
            return "out_of_order" if self.shown is not None and counter < self.shown else "nothing_new"
        return self.still(counter, number) if kind == "still" else self.picture(kind, counter, number, depends)

    def still(self, counter, number):
        if self.shown is not None and counter < self.shown:
            return "out_of_order"
        if self.shown_number is not None and at_or_before(number, self.shown_number):
            return "nothing_new"
        self.shown, self.shown_number, self.intact = counter, number, False
        return "show"

    def picture(self, kind, counter, number, depends):
        if self.video is not None and (counter < self.video or at_or_before(number, self.video_number)):
            return "out_of_order"
        if self.shown_number is not None and not at_or_before(self.shown_number, number):
            return "out_of_order"
        if kind == "delta" and not (self.intact and depends == self.video):
            return "wait_for_key"
        self.intact = True
        self.video, self.video_number, self.shown_number = counter, number, number
        self.shown = counter if self.shown is None else max(self.shown, counter)
        return "show"
