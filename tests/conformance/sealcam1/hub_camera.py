# SPDX-License-Identifier: Apache-2.0
"""One camera as one hub receives it: grants, epochs, frames, clones."""
from . import messages, wire
from .freshness import Freshness
from .hub_requests import Requests
from .order import StreamOrder
from .wire import Rejected, require

HELD_MS = 1000
HELD_BYTES = 2 << 20
MAX_CANDIDATES = 2
MAX_CLOSED = 16
MAX_REPLACED = 2
ANSWER_MS = 20_000


class EpochState:
    def __init__(self, number, suite, base_key, known_since):
        self.number, self.suite, self.base_key, self.known_since = number, suite, base_key, known_since
        self.order = StreamOrder()
        self.held = []        # pictures before the first echo: (counter, header)
        self.shown = False
        self.newest_picture = -1  # greatest counter of an accepted picture
        self.next_request = 0


class Camera(Requests):
    """One camera as one hub receives it."""

    def __init__(self, hub, camera):
        self.hub, self.id = hub, camera
        self.key = None
        self.member = self.suspended = self.may_switch_privacy = False
        self.removed = self.conflict = self.cloned = False
        self.restored = self.old = None
        self.version, self.hash = None, None
        self.kind = hub.kind()
        self.last_still = self.online = None
        self.closed_sensor = self.contradicted = False
        self.fault = None
        self.ahead = None
        self.name = ""
        self.challenges = []  # (value, made at, serial)
        self.serial = 0
        self.closed = []
        self.forget()

    def forget(self):
        self.known = []       # the current epoch first, if there is one, then candidates, the newest last
        self.has_current = False
        self.replaced = []    # the last replaced epochs, for the proof of a clone
        self.old = None       # an epoch with a smaller counter than one that was current
        self.restored = None  # serial of the first challenge after the proof that the camera uses such an epoch
        self.software, self.software_of = None, 0  # by the epoch with the greatest counter
        self.waiting = []     # frames before their grants: (received at, message, parsed)
        self.freshness = Freshness()
        self.shown_epoch = self.newest = self.newest_echo = self.answered = None
        self.privacy_request = self.unopened = None
        self.forget_state()

    # -- epochs

    @property
    def current(self):
        return self.known[0] if self.has_current else None

    def below_max(self, number):
        return number >> 32 < self.hub.stores["counters"].get(self.id, 0)

    def is_closed(self, number):
        """Replaced, or with a smaller counter than an epoch that was current, also before a restart."""
        return number in self.closed or self.below_max(number)

    def kept(self):
        """The closed epochs whose keys are kept."""
        return self.replaced + ([self.old] if self.old else [])

    def find(self, number):
        return next((e for e in self.known if e.number == number), None)

    def preferred(self):
        """Before the first echo only the epoch with the highest number is shown."""
        return None if self.has_current or not self.known else max(self.known, key=lambda e: e.number)

    def add_candidate(self, epoch):
        first = 1 if self.has_current else 0
        candidates = self.known[first:]
        if len(candidates) >= MAX_CANDIDATES:
            preferred = max(candidates, key=lambda e: e.number)
            self.known.remove(next(e for e in candidates if e is not preferred))
        self.known.append(epoch)

    # -- control messages

    def blocked(self):
        if self.cloned:
            return "cloned"
        return None if self.member else "not_member"

    def apply(self, roster):
        hub = self.hub
        self.key = roster["identity"]
        entry = next((h for h in roster["hubs"] if h["identity"] == hub.public and h["hpke"] == hub.hpke_public), None)
        was_listed, was_member = self.member or self.suspended, self.member
        self.version, self.hash, self.conflict = roster["version"], roster["hash"], False
        self.contradicted = self.ahead is not None and self.ahead[0] == self.version and self.ahead[2] != self.hash
        if self.ahead is not None and self.ahead[0] <= self.version:
            self.ahead = None
        self.member = entry is not None and entry["active"]
        self.suspended = entry is not None and not self.member
        self.may_switch_privacy = self.member and entry["privacy"]
        if entry is not None:
            self.removed = False
        elif was_listed:
            self.removed = True
        if was_member and not self.member:
            self.forget()
        if not self.may_switch_privacy:
            self.privacy_request = None

    def on_grants(self, message):
        reason = self.blocked()
        require(reason is None, reason)
        hub = self.hub
        grants = messages.grants(message, hub.account, self.id, self.key)
        self.note_roster(grants["roster_version"], grants["roster_hash"])
        if self.find(grants["epoch"]):
            return
        if self.is_closed(grants["epoch"]):
            self.note_old(grants)
            self.activity(grants["epoch"])
            self.request_due()
            raise Rejected("closed_epoch")
        if hub.id not in grants["grants"] and grants["roster_version"] < self.version:
            return  # from before the roster that lists this hub
        try:
            base_key, name = self.open_grant(grants)
        except Rejected as rejected:
            if str(rejected) == "not_decryptable" and hub.id in grants["grants"]:
                self.unopened, self.next_unopened = grants["epoch"], 0
                self.request_due()
            raise
        self.unopened = None
        epoch = EpochState(grants["epoch"], grants["suite"], base_key, self.serial)
        self.add_candidate(epoch)
        self.name = self.name or name
        if grants["epoch"] >> 32 >= self.software_of:
            self.software_of = grants["epoch"] >> 32
            self.software = messages.open_software(grants, hub.account, self.id, base_key)
        self.request_due()
        mine = [w for w in self.waiting if w[2][2] == epoch.number]
        self.waiting = [w for w in self.waiting if w[2][2] != epoch.number]
        for _, _, parsed, retained in mine:
            self.check(parsed, retained)

    def open_grant(self, grants):
        hub = self.hub
        opened = messages.open_grant(grants, hub.account, self.id, hub.id, hub.prekeys.find)
        hub.prekeys.note_used(grants["grants"][hub.id]["key"])
        return opened

    def note_old(self, grants):
        number = grants["epoch"]
        if not self.below_max(number) or any(r["number"] == number for r in self.kept()):
            return
        try:
            base_key, _ = self.open_grant(grants)
        except Rejected:
            return
        self.old = {"number": number, "suite": grants["suite"], "base_key": base_key, "seen": self.serial, "active": True}

    def on_status(self, message):
        reason = self.blocked()
        require(reason is None, reason)
        status = messages.status(message, self.hub.account, self.id, self.key)
        self.online, self.closed_sensor, self.fault = status["online"], status["privacy"], status["fault"]
        if status["online"]:
            self.activity()
            for epoch in self.known:
                epoch.next_request = 0
            self.request_due()

    # -- frames

    def on_frame(self, message, retained):
        require(self.member, "not_member")
        require(not self.cloned, "cloned")
        parsed = wire.parse_frame(message)
        require(parsed[0] == self.id, "wrong_account")
        if self.find(parsed[2]) or self.is_closed(parsed[2]):
            self.check(parsed, retained)
        else:
            self.waiting.append((self.hub.clock.boot, message, parsed, retained))
            self.drop_waiting()

    def drop_waiting(self):
        while self.waiting and (sum(len(w[1]) for w in self.waiting) > HELD_BYTES or
                                self.hub.clock.boot - self.waiting[0][0] > HELD_MS):
            _, _, parsed, retained = self.waiting.pop(0)
            self.check(parsed, retained)

    def check(self, parsed, retained):
        try:
            self.checked(parsed, retained)
        except Rejected as rejected:
            self.hub.reject(str(rejected))

    def checked(self, parsed, retained):
        _, kind, number, counter, (header, payload, signature) = parsed
        hub = self.hub
        wire.check_signature(self.key, "frame", hub.account, self.id, header, payload, signature)
        epoch = self.find(number)
        closed = epoch is None and self.is_closed(number)
        keyed = epoch or next((r for r in self.kept() if r["number"] == number), None)
        require(keyed is not None, "closed_epoch" if closed else "not_decryptable")
        suite, base_key = (keyed.suite, keyed.base_key) if epoch else (keyed["suite"], keyed["base_key"])
        metadata = wire.external_aad("frame", hub.account, self.id) + header
        try:
            plaintext = wire.sframe_open(suite, base_key, payload, metadata)
        except Rejected:
            raise Rejected("closed_epoch" if closed else "not_decryptable") from None
        fields, content = wire.parse_frame_header(plaintext, kind, counter)
        require(kind == "report" or content)
        report = messages.report(content) if kind == "report" else None
        reason = self.blocked()
        require(reason is None, reason)
        made = self.made(fields["echo"])
        if closed:
            proven = made and keyed["seen"] <= made[2]
            if proven and keyed is not self.old:
                self.become_cloned()
            else:
                if proven and self.restored is None:
                    self.restored = self.serial
                self.activity(number)
                self.request_due()
            raise Rejected("closed_epoch")
        verdict = epoch.order.accept(kind, counter, fields["number"], fields["depends"])
        if verdict == "replayed":
            again = retained and kind == "still" and self.last_still == (number, counter) and epoch is self.current
            require(again, "replayed")
            return  # a broker sends the retained still again after each subscription
        require(verdict != "out_of_order", "out_of_order")
        self.accepted(epoch, verdict, kind, counter, fields, made, report)

    def become_cloned(self):
        self.cloned = True
        self.forget()

    def accepted(self, epoch, verdict, kind, counter, fields, made, report):
        if made:
            self.accept_echo(epoch, kind, fields, made)
        if self.cloned:
            return
        if kind == "report":
            self.on_report(epoch, counter, report, fields["echo"])
        else:
            epoch.newest_picture = max(counter, epoch.newest_picture)
        if kind == "still":
            self.last_still = (epoch.number, counter)
        if verdict != "show":
            self.hub.not_shown.append(verdict)
        elif epoch is (self.current or self.preferred()):
            self.show(epoch, counter, fields)
        else:
            self.hub.not_shown.append("held")
            if kind != "delta":
                epoch.held = []
            epoch.held.append((counter, fields))

    def accept_echo(self, epoch, kind, fields, made):
        if epoch is not self.current:
            if self.newest_echo is not None and made[1] < self.newest_echo:
                return  # the epoch ended before the current one began
            self.promote(epoch, made)
        elif self.restored is not None and made[2] >= self.restored:
            return self.become_cloned()
        self.answered = self.hub.clock.boot
        self.newest_echo = made[1] if self.newest_echo is None else max(self.newest_echo, made[1])
        if kind != "report":  # reports overtake pictures that wait in the encoder
            self.freshness.on_echo(fields["number"], made[1])

    def promote(self, epoch, made):
        before = self.current
        if before:
            if made[2] >= before.known_since:  # else it is not known that `before` began first
                self.replaced = self.replaced[-(MAX_REPLACED - 1):] + [
                    {"number": before.number, "suite": before.suite, "base_key": before.base_key, "seen": self.serial,
                     "active": False}]
            self.closed = (self.closed + [before.number])[-MAX_CLOSED:]
            self.known.remove(before)
        if self.old:
            self.old["seen"] = self.serial
        self.restored = None
        self.forget_state()
        if self.shown_epoch != epoch.number:
            self.freshness.begin_epoch()
        self.known.remove(epoch)
        self.known.insert(0, epoch)
        self.has_current, self.unopened = True, None
        counters = self.hub.stores["counters"]
        if epoch.number >> 32 > counters.get(self.id, 0):
            counters[self.id] = epoch.number >> 32
            self.known = [e for e in self.known if not self.is_closed(e.number)]
        if not epoch.shown:
            for counter, fields in epoch.held:
                self.show(epoch, counter, fields)
        epoch.held = []

    def show(self, epoch, counter, fields):
        now = self.hub.clock.boot
        if self.shown_epoch != epoch.number:
            if epoch is not self.current:
                self.freshness.begin_epoch()
            self.shown_epoch = epoch.number
        epoch.shown = True
        self.freshness.on_shown(fields["number"])
        live = epoch is self.current and self.freshness.live(now)
        self.newest = fields
        self.hub.shown.append((epoch.number, counter, "LIVE" if live else "STALE"))

    # -- state

    def state(self):
        now = self.hub.clock.boot
        if self.blocked() or self.newest is None:
            return "OFFLINE"
        if self.current and self.freshness.live(now):
            return "LIVE"
        return "OFFLINE" if (self.online is False and not self.proven()) or self.unanswered() else "STALE"

    def unanswered(self):
        return self.kind is not None and self.answered is not None and self.hub.clock.boot - self.answered > ANSWER_MS

    def reason(self):
        """The first reason of this list that applies."""
        for name in ("cloned", "suspended", "removed"):
            if getattr(self, name):
                return name
        if self.conflict:
            return "roster_conflict"
        if self.member and self.restored is not None:
            return "restored"
        if self.member and self.unpublished():
            return "unpublished_roster"
        if not self.member or self.state() == "LIVE":
            return "none"
        proven = self.proven()
        if proven:
            if proven["privacy"]:
                return "privacy"
            if proven["fault"] is not None:
                return {1: "sensor_fault", 3: "encoder_fault"}.get(proven["fault"], "picture_fault")
        elif self.online is False:
            return "deregistered"
        elif self.closed_sensor or self.fault is not None:
            return "unconfirmed"  # only a status reports it, and the broker may have sent an old one
        if self.unanswered():
            return "no_answer"
        return "none" if self.newest else "waiting"
