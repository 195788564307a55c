# SPDX-License-Identifier: Apache-2.0
"""The requests of a hub to one camera, for pictures and for privacy, and the state that reports prove."""
MAX_CHALLENGES = 64
REQUEST_MS = 1000
REPLACED_MS = 2000
PRIVACY_MS = 10_000
PUBLISH_MS = 30_000
PROOF_MS = 5000


class Requests:
    """A part of Camera."""

    def made(self, echoes):
        """The newest own challenge among the echoes."""
        return max((c for c in self.challenges if c[0] in echoes), key=lambda c: c[2], default=None)

    def activity(self, number=None):
        for replaced in self.kept():
            if number in (None, replaced["number"]):
                replaced["active"] = True

    def request(self, epoch, kind="live", nonce=None, cannot_open=False):
        value = self.hub.draw()
        self.challenges = (self.challenges + [(value, self.hub.clock.boot, self.serial)])[-MAX_CHALLENGES:]
        self.serial += 1
        self.hub.send(self.id, epoch, kind, value, nonce, cannot_open)
        return value

    def note_roster(self, version, content):
        """Grants and reports name the roster that the camera follows. The owner publishes it before the camera can follow it."""
        if version == self.version:
            self.contradicted = content != self.hash
        elif version > self.version and (self.ahead is None or version > self.ahead[0]):
            self.ahead = (version, self.hub.clock.boot if self.ahead is None else self.ahead[1], content)

    def unpublished(self):
        return self.contradicted or (self.ahead is not None and self.hub.clock.boot - self.ahead[1] >= PUBLISH_MS)

    # -- privacy

    def switch_privacy(self, on):
        """Whether this hub may do it."""
        if not self.may_switch_privacy or self.cloned or not self.hub.connected:
            return False
        now = self.hub.clock.boot
        self.privacy_request = {"on": on, "since": self.serial, "until": now + PRIVACY_MS, "next": now, "challenges": []}
        self.privacy_due()
        return True

    def privacy_due(self):
        desired, now = self.privacy_request, self.hub.clock.boot
        if desired is None:
            return
        if now >= desired["until"]:
            self.privacy_request = None
        elif now >= desired["next"] and self.hub.connected:
            desired["next"] = now + REQUEST_MS
            for epoch in self.known:
                # Opening the sensor needs a nonce first.
                challenge = self.request(epoch.number, "privacy-on" if desired["on"] else "nonce")
                desired["challenges"] += [] if desired["on"] else [challenge]

    # -- the state that reports prove

    detects_motion = None           # by the newest report, also of an earlier epoch

    def forget_state(self):
        self.reports = {}           # by counter, of the current epoch
        self.proven_at = None       # when the newest challenge was made that one of them echoed

    def proven(self):
        """The report with the state that is proven now."""
        newest = max(self.reports, default=-1)
        if not self.current or newest < self.current.newest_picture or self.proven_at is None or self.hub.clock.boot - self.proven_at > PROOF_MS:
            return None
        return self.reports[newest]

    def note_state(self, counter, report, made):
        if counter < self.current.newest_picture:
            return
        if max(self.reports, default=-1) < self.current.newest_picture:
            self.proven_at = None
        self.reports[counter] = report
        if counter == max(self.reports):
            self.detects_motion = report["detects_motion"]
        self.proven_at = made[1] if self.proven_at is None else max(made[1], self.proven_at)

    def on_report(self, epoch, counter, report, echoes):
        self.note_roster(report["version"], report["hash"])
        made = self.made(echoes)
        if made and epoch is self.current:
            self.note_state(counter, report, made)
            desired, proven = self.privacy_request, self.proven()
            if desired and proven and made[2] >= desired["since"] and proven["privacy"] == desired["on"]:
                self.privacy_request = None
        desired = self.privacy_request
        if report["nonce"] and desired and not desired["on"] and set(desired["challenges"]) & set(echoes):
            desired["challenges"] = []
            self.request(epoch.number, "privacy-off", report["nonce"])

    def request_due(self):
        hub = self.hub
        if self.kind is None or self.blocked() or not hub.connected:
            return
        now = hub.clock.boot
        if self.answered is None:
            self.answered = now
        for epoch in self.known:
            if now >= epoch.next_request:
                epoch.next_request = now + REQUEST_MS
                self.request(epoch.number, self.kind)
        if self.unopened is not None and now >= self.next_unopened:
            self.next_unopened = now + REQUEST_MS
            self.request(self.unopened, cannot_open=True)
        active = next((r for r in self.kept() if r["active"]), None)
        if active and now >= getattr(self, "next_replaced", 0):
            active["active"] = False
            self.next_replaced = now + REPLACED_MS
            self.request(active["number"])

    def tick(self):
        self.drop_waiting()
        self.privacy_due()
        self.request_due()
