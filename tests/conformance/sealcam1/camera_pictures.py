# SPDX-License-Identifier: Apache-2.0
"""The pictures of a camera: which it sends, which it keeps for a recording of motion, and which challenges they echo."""
STILL_MS = 10_000
KEPT_MS, TAIL_MS, FRESH_MS = 10_000, 10_000, 2000
USUAL_MOTION = 50


class Pictures:
    """A part of Camera."""

    def detects_motion(self):
        return self.settings.get(6, USUAL_MOTION) > 0 and not self.sensor_encodes

    def send(self, kind, echo, nonce=None, motion=False):
        self.publish("frame", {"leaf": "still" if kind == "still" else "video", "epoch": self.epoch, "counter": self.counter,
                               "kind": kind, "echo": echo, "nonce": nonce, "roster": self.roster["version"],
                               "privacy": self.closed(), "fault": self.fault, "detects_motion": self.detects_motion(), "motion": motion,
                               "depends": self.last_video if kind == "delta" else self.counter})
        if kind in ("key", "delta"):
            self.last_video = self.counter
        self.counter += 1

    def follow_leases(self):
        """Decides whether pictures are sent, or kept for a recording of motion. Deletes the kept pictures when this use ends."""
        now, hubs = self.clock.monotonic, self.hubs.values()
        video = any(h.lease > now for h in hubs)
        still = self.still_due(now) and any(h.still > now for h in hubs)
        use = "none"
        if self.epoch_open and not self.privacy and self.epoch is not None:
            motion = self.detects_motion() and any(h.motion > now for h in hubs)
            use = "send" if self.connected and (video or still) else "keep" if motion else "none"
        if use != self.use:
            tail = self.use == "send" and use == "keep" and self.moved is not None and now <= self.moved + TAIL_MS
            self.use, self.kept, self.moved = use, [] if tail else None, self.moved if tail else None

    def still_due(self, now):
        return self.last_still is None or now - self.last_still >= STILL_MS

    def capture(self, kind, motion, earlier_masks):
        """The sensor takes a picture now."""
        now = self.clock.monotonic
        echo = self.echoes(now)
        if earlier_masks:
            self.intact = False
        elif self.use == "send":
            self.moved = now if motion else self.moved
            self.send_picture(now, kind, echo, now, any(h.lease > now for h in self.hubs.values()), motion)
        elif self.use == "keep":
            self.keep(now, kind, echo, motion)

    def keep(self, now, kind, echo, motion):
        if self.kept is None and kind != "key":
            return
        self.kept = (self.kept or []) + [(now, kind, echo, motion)]
        while self.kept[0][0] < now - KEPT_MS and (self.moved is None or now > self.moved + TAIL_MS):
            later = next((i for i, picture in enumerate(self.kept) if i > 0 and picture[1] == "key"), None)
            if later is None:
                break
            self.kept = self.kept[later:]
        self.moved = now if motion else self.moved
        self.send_kept()

    def send_kept(self):
        now = self.clock.monotonic
        while self.connected and self.kept and self.moved is not None and self.kept[0][0] <= self.moved + TAIL_MS:
            taken, kind, echo, motion = self.kept.pop(0)
            self.send_picture(now, kind, echo, taken, True, motion)

    def send_picture(self, now, kind, echo, taken, video, motion):
        self.intact = video and (self.intact or kind == "key")
        if self.intact:
            self.send(kind, echo, motion=motion)
        if kind == "key" and now - taken <= FRESH_MS and self.still_due(now):
            self.send("still", echo, motion=motion)
            self.last_still = now
            for hub in self.hubs.values():
                hub.still = 0

    def echoes(self, now):
        """As many challenges as each hub needs about once a second; of each hub the newest one from before the picture."""
        leased = [h for h in self.requesting if max(h.lease, h.still, h.motion) > now]
        count = 16 if self.last_picture is None else max(1, min(16, -(-len(leased) * (now - self.last_picture) // 1000)))
        self.last_picture, echo = now, []
        for i in range(len(self.requesting)):
            index = (self.turn + i) % len(self.requesting)
            known = next((c for at, c in self.requesting[index].challenges if at < now), None)
            if len(echo) < count and self.requesting[index] in leased and known is not None:
                echo.append(known)
                after = index + 1
        self.turn = after if echo else self.turn
        return echo
