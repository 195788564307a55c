# SPDX-License-Identifier: Apache-2.0
"""A camera with behavior: rosters, epochs, owner commands, view requests, privacy. It has no sensor: the caller says when it takes a picture."""
from . import messages, wire
from .camera_pictures import Pictures
from .wire import Rejected, require

LEASE_MS = 10_000
STILL_LEASE_MS = 20_000
NONCE_MS = 10_000
RENEW_HUB_MS, RENEW_ALL_MS = 10_000, 2000
LATER_MS = 10_000
EPOCH_MS = 24 * 3_600_000
REPORT_MS = 5000
PER_HUB, PER_CAMERA, PER_ROSTERS = 2, 32, 4
PAST_PER_HUB, PAST_PER_CAMERA = 1, 8
MAX_REQUEST = 512


class Window:
    """At most `limit` events in any second."""

    def __init__(self, limit):
        self.limit, self.times = limit, []

    def full(self, now):
        return len(self.times) == self.limit and now - self.times[0] < 1000

    def count(self, now):
        self.times = (self.times + [now])[-self.limit:]


class HubState:
    def __init__(self, entry):
        self.entry, self.window, self.past = entry, Window(PER_HUB), Window(PAST_PER_HUB)
        self.seq = None
        self.reported = None      # last answer with a report in this epoch
        self.lease = self.still = self.motion = 0
        self.challenges = []      # (received at, challenge)
        self.nonce = None
        self.renewed = -RENEW_HUB_MS


class Camera(Pictures):
    def __init__(self, owner_key, own, clock, stores, random, publish):
        self.owner, self.account = owner_key, wire.identity(owner_key)
        self.own, self.id = own, own.id
        self.clock, self.stores, self.random, self.publish = clock, stores, random, publish
        self.connected = self.epoch_open = False
        self.hubs, self.roster, self.epoch = {}, None, None
        self.window, self.past, self.rosters = Window(PER_CAMERA), Window(PAST_PER_CAMERA), Window(PER_ROSTERS)
        self.reports, self.last_still, self.last_video = [], None, None
        self.requesting, self.turn, self.last_picture = [], 0, None  # hubs in the order of their first request
        self.privacy, self.prekeys = stores.get("privacy", False), stores.setdefault("prekeys", {})
        self.fault = None         # why the camera sends no pictures
        self.slow = False         # the sensor is open, also if it has to close
        self.told = False         # privacy in the newest status
        self.stored, self.command = True, stores.get("done", 0)
        self.seq, self.unstored, self.pending = stores.get("command", 0), None, stores.get("pending", {})
        self.old_copy, self.later_checked = False, None
        self.renewed = -RENEW_ALL_MS
        self.commands, self.stopped = Window(PER_ROSTERS), False
        self.requests, self.rejected = [], []
        self.use, self.kept, self.moved, self.intact = "none", None, None, False
        self.update = stores.get("update")
        self.settings, self.sensor_encodes = stores.get("settings", {}), False
        if self.command != self.seq:
            self.apply()
        if stores.get("roster") and not self.stopped:
            self.roster = messages.roster(stores["roster"], self.account, self.id, self.owner)
            self.follow_roster()
            self.begin_epoch()

    # -- epochs

    def follow_roster(self):
        listed = {hub["id"]: hub for hub in self.roster["hubs"] if hub["active"]}
        self.hubs = {hub: self.hubs.get(hub) or HubState(entry) for hub, entry in listed.items()}
        for hub, entry in listed.items():
            self.hubs[hub].entry = entry
        listed_ids = {hub["id"] for hub in self.roster["hubs"]}
        for hub in [hub for hub in self.prekeys if hub not in listed_ids]:
            del self.prekeys[hub]

    def begin_epoch(self):
        """The old key is gone before anything else happens."""
        self.epoch, self.epoch_open, self.counter = None, False, 0
        if self.roster is None:
            return
        self.reports, self.last_still, self.last_video, self.intact = [], None, None, False
        self.requesting = []
        for hub in self.hubs.values():
            hub.reported, hub.lease, hub.still, hub.motion, hub.challenges, hub.nonce = None, 0, 0, 0, [], None
        self.follow_leases()
        if self.stores.get("epoch_broken") and self.stores.get("reserved", 0) == 0:
            return
        self.stores["reserved"] = (self.stores.get("reserved", 0) or 256) - 1
        self.stores["epochs"] = self.stores.get("epochs", 0) + 1
        self.epoch, self.begun = self.stores["epochs"], self.clock.monotonic
        self.not_stored = not self.all_stored()
        self.granted_to = {hub: self.prekeys.get(hub, (0, None))[0] for hub in self.hubs}
        self.publish_grants()

    def publish_grants(self):
        if self.connected and self.epoch is not None:
            self.publish("grants", {"epoch": self.epoch, "roster": self.roster["version"], "hubs": self.granted_to,
                                    "not_stored": self.not_stored, "command": self.command})

    def grants_acknowledged(self, epoch):
        if epoch == self.epoch:
            self.epoch_open = True
            self.follow_leases()
            self.send_reports()
            self.send_kept()

    # -- messages

    def on_message(self, topic, message):
        account, camera, leaf, hub = messages.parse_topic(topic)
        if (account, camera) != (self.account, self.id) or self.stopped:
            return
        try:
            if leaf == "roster":
                self.on_roster(message)
            elif leaf == "command":
                self.on_command(message)
            elif leaf == "request":
                self.on_request(hub, message)
        except Rejected as rejected:
            (self.requests if leaf == "request" else self.rejected).append(str(rejected) if leaf == "request" else leaf)

    def on_roster(self, message):
        if not message:
            return
        require(not self.rosters.full(self.clock.monotonic))
        self.rosters.count(self.clock.monotonic)
        roster = messages.roster(message, self.account, self.id, self.owner)
        require(roster["identity"] == self.own.public and roster["hpke"] == self.own.hpke_public)
        if self.roster:
            require(roster["version"] >= self.roster["version"])
            if roster["version"] == self.roster["version"]:
                require(roster["hash"] == self.roster["hash"])
                return
        self.roster = roster
        self.follow_roster()
        # A revocation takes effect at once. It does not wait for storage.
        self.new_roster = message
        self.store()
        self.begin_epoch()

    def store(self):
        self.stored = not self.stores.get("roster_broken")
        if self.stored:
            self.stores["roster"] = self.new_roster

    def all_stored(self):
        return self.stored and self.unstored is None

    def on_command(self, message):
        if not message or self.stopped:
            return
        require(not self.commands.full(self.clock.monotonic))
        self.commands.count(self.clock.monotonic)
        seq, items = messages.command(message, self.account, self.id, self.owner, self.own.hpke)
        require(seq >= self.seq)
        if seq == self.seq:
            return
        self.seq = self.unstored = seq
        self.pending = {label: value for label, (since, value) in items.items() if since > self.command}
        if self.pending.get(2) is True:
            self.switch_privacy(True)  # does not wait for storage
        self.store_command()

    def store_command(self):
        if self.stores.get("command_broken"):
            return
        self.stores["command"], self.stores["pending"], self.unstored = self.seq, self.pending, None
        self.apply()

    def apply(self):
        if 5 in self.pending:  # stays pending: an interrupted reset begins again at the next start
            self.stopped, self.epoch, self.epoch_open = True, None, False
            return self.publish("status", {"online": False, "privacy": False, "deregistered": True})
        if (4 in self.pending or 6 in self.pending) and self.stores.get("network_broken"):
            return
        self.update = self.stores["update"] = self.pending.get(6, self.update)
        self.settings = self.stores["settings"] = self.pending.get(3, self.settings)
        if 2 in self.pending:
            self.switch_privacy(self.pending[2])
        self.pending = {}
        if self.privacy and not self.closed():
            return
        self.command = self.stores["done"] = self.seq
        self.begin_epoch()

    def on_request(self, hub, message):
        state = self.hubs.get(hub)
        require(state is not None, "unknown_hub")
        require(len(message) <= MAX_REQUEST)
        signer, header, payload, signature = wire.claimed_signer(message)
        require(signer == hub, "other_signer")
        request = messages.request_content(payload)
        now = self.clock.monotonic
        if self.epoch is None or request["epoch"] != self.number(self.epoch):
            self.note_later_epoch(state, request, header, payload, signature, now)
            raise Rejected("wrong_epoch")
        windows = (state.past, self.past) if request["kind"] == "past" else (state.window, self.window)
        require(not any(window.full(now) for window in windows), "too_often")
        for window in windows:
            window.count(now)
        require(header == wire.protected_header(hub))
        wire.check_signature(state.entry["identity"], "request", self.account, self.id, header, payload, signature)
        if request["prekey"]:
            messages.public(request["prekey"][1])
        require(state.seq is None or request["seq"] > state.seq, "replayed")
        state.seq = request["seq"]
        if self.accepted(state, request, now):
            self.begin_epoch()
        self.requests.append("accepted")
        if request["kind"] in ("live", "still", "record", "motion"):
            if not request["cannot_open"]:
                self.answer(state, request, now)
        elif request["kind"] != "nonce":
            self.reports.append((request["challenge"], None))  # the report has the new state
            self.send_reports()

    def note_later_epoch(self, state, request, header, payload, signature, now):
        """A request for an epoch that this camera never began: the camera uses an old copy of its storage."""
        if self.old_copy or self.epoch is None or request["epoch"] >> 32 <= self.epoch:
            return
        if self.later_checked is not None and now - self.later_checked < LATER_MS:
            return
        self.later_checked = now
        try:
            wire.check_signature(state.entry["identity"], "request", self.account, self.id, header, payload, signature)
            self.old_copy = True
        except Rejected:
            pass

    def accepted(self, state, request, now):
        kind = request["kind"]
        if kind in ("privacy-on", "privacy-off", "nonce"):
            require(state.entry["privacy"], "not_allowed")
            if kind == "nonce":
                self.issue_nonce(state, request, now)
                return False
            if kind == "privacy-off":
                nonce = state.nonce
                require(nonce is not None and nonce[0] == request["nonce"], "not_allowed")  # a wrong one does not use up the right one
                require(self.clock.boot - nonce[1] <= NONCE_MS, "not_allowed")
                state.nonce = None
            self.switch_privacy(kind == "privacy-on")
            return False
        hub, prekey = state.entry["id"], request["prekey"]
        if request["cannot_open"] and now - state.renewed >= RENEW_HUB_MS and now - self.renewed >= RENEW_ALL_MS:
            state.renewed = self.renewed = now
            self.prekeys[hub] = prekey or (0, None)
            return True
        if prekey and prekey[0] > self.prekeys.get(hub, (0, None))[0]:
            self.prekeys[hub] = prekey
        return False

    def answer(self, state, request, now):
        kind = request["kind"]
        if kind in ("live", "record"):
            state.lease = now + LEASE_MS
        elif kind == "motion":
            state.motion = now + LEASE_MS
        else:
            state.still = now + STILL_LEASE_MS
        if state not in self.requesting:
            self.requesting.append(state)
        state.challenges = ([(now, request["challenge"])] + state.challenges)[:4]
        due = state.reported is None or (kind == "motion" and now - state.reported >= REPORT_MS)
        if due:
            state.reported = now
        if due or self.privacy or self.fault:
            self.reports.append((request["challenge"], None))
        self.follow_leases()
        self.send_reports()

    def issue_nonce(self, state, request, now):
        state.nonce = (self.random().to_bytes(8, "big"), self.clock.boot)
        self.reports.append((request["challenge"], state.nonce[0]))
        self.send_reports()

    def switch_privacy(self, on):
        if self.privacy == on:
            return
        if self.stores.get("privacy_broken") and not on:
            return  # a restart would open the sensor without a record, so it stays closed
        self.privacy = on
        self.follow_leases()
        if not self.stores.get("privacy_broken"):
            self.stores["privacy"] = on
        self.tell_privacy()

    def closed(self):
        return self.privacy and not self.slow

    def tell_privacy(self):
        if self.connected and self.told != self.closed():
            self.publish_online()

    def publish_online(self):
        self.told = self.closed()
        self.publish("status", {"online": True, "privacy": self.told, "deregistered": False})

    def send_reports(self):
        while self.epoch_open and self.connected and self.reports:
            challenge, nonce = self.reports.pop(0)
            self.send("report", [challenge], nonce)

    def connect(self):
        self.connected = True
        if self.stopped:
            return
        self.follow_leases()
        self.publish_grants()
        self.publish_online()

    def tick(self):
        self.follow_leases()
        if self.unstored is not None:
            self.store_command()
        elif self.command != self.seq and not self.stopped:
            self.apply()
        if not self.stopped:
            self.tell_privacy()
        if not self.stored:
            self.store()
        if self.epoch is not None and (self.not_stored == self.all_stored() or self.clock.monotonic - self.begun >= EPOCH_MS):
            self.begin_epoch()  # the new grants report what is stored

    def number(self, epoch):
        return epoch  # the runner names epochs
