# SPDX-License-Identifier: Apache-2.0
"""A hub with behavior: rosters, grants, epochs, order of frames, LIVE, clones, privacy. It shows no pictures: it returns verdicts."""
from . import messages, wire
from .hub_camera import Camera
from .prekeys import Prekeys
from .wire import Rejected, require

CONTROL_BURST, ROSTER_BURST, BUDGET_MS = 20, 256, 100
MAX_EARLY = 64


class Budget:
    """Messages that may be verified: `burst` at once, and one more each 100 ms."""

    def __init__(self, burst):
        self.burst, self.left, self.filled = burst, 0, 0

    def take(self, now):
        gained = (now - self.filled) // BUDGET_MS
        if gained > 0:
            self.left, self.filled = min(self.burst, self.left + gained), now
        if self.left == 0:
            return False
        self.left -= 1
        return True


class Hub:
    """The cameras of one account at one hub."""

    def __init__(self, account_key, private, hpke_private, clock, stores, draw, send):
        self.owner, self.account = account_key, wire.identity(account_key)
        self.private, self.public = private, wire.public_bytes(private)
        self.hpke_public = wire.public_bytes(hpke_private)
        self.id = wire.identity(self.public)
        self.clock, self.stores, self.draw, self._send = clock, stores, draw, send
        self.connected = self.watched = False
        self.recorded = None  # the kind of request while no client watches
        self.cameras, self.early = {}, {}
        self.rejected, self.shown, self.not_shown = [], [], []
        self.index = None
        for store in ("rosters", "counters"):
            stores.setdefault(store, {})
        self.prekeys = Prekeys(hpke_private, clock, stores, draw)
        self.roster_budget, self.control_budgets = Budget(ROSTER_BURST), {}
        for camera, message in stores["rosters"].items():
            self.adopt(camera, messages.roster(message, self.account, camera, self.owner))

    # -- index and subscriptions

    def subscribed(self):
        """The cameras to whose topics the hub subscribes."""
        listed = {camera for camera, state in self.cameras.items() if state.member or state.suspended}
        return listed | set(self.index["cameras"] if self.index else ())

    def on_index(self, hub, message):
        if not message:
            return
        require(hub == self.id, "not_member")
        if not self.roster_budget.take(self.clock.monotonic):
            return
        index = messages.index(message, self.account, hub, self.owner)
        require(self.index is None or index["version"] >= self.index["version"], "out_of_order")
        if self.index is None or index["version"] > self.index["version"]:
            self.index = index

    def reject(self, reason):
        self.rejected.append(reason)

    def send(self, *request):
        self._send(*request)

    def camera(self, camera):
        if camera not in self.cameras:
            self.cameras[camera] = Camera(self, camera)
        return self.cameras[camera]

    def adopt(self, camera, roster):
        state = self.camera(camera)
        state.apply(roster)
        if state.member:
            for leaf in ("status", "grants"):
                message = self.early.pop((camera, leaf), None)
                if message is not None:
                    self.control(state, leaf, message)

    def control(self, state, leaf, message):
        try:
            state.on_grants(message) if leaf == "grants" else state.on_status(message)
        except Rejected as rejected:
            self.reject(str(rejected))

    def on_message(self, topic, message, retained=False):
        try:
            self.receive(topic, message, retained)
        except Rejected as rejected:
            self.reject(str(rejected))

    def receive(self, topic, message, retained):
        try:
            account, camera, leaf, _ = messages.parse_topic(topic)
        except Rejected:
            raise Rejected("not_member") from None
        require(account == self.account, "not_member")
        if leaf == "index":
            self.on_index(camera, message)
        elif leaf == "roster":
            self.on_roster(camera, message)
        elif leaf in ("grants", "status"):
            if not message:
                return
            state = self.cameras.get(camera)
            budget = self.control_budgets.setdefault(camera, Budget(CONTROL_BURST))
            if state is not None and not budget.take(self.clock.monotonic):
                return
            if state is None or not state.member:
                return self.keep_early(camera, leaf, message)
            self.control(state, leaf, message)
        elif leaf in ("video", "still"):
            state = self.cameras.get(camera)
            if state is not None:
                state.on_frame(message, retained)
            else:
                require(not message, "not_member")
        elif leaf == "past":
            state = self.cameras.get(camera)
            require(state is not None and state.member, "not_member")
            raise Rejected("cloned" if state.cloned else "closed_epoch")  # this hub stores no frames (R-PAST-7)
        else:
            raise Rejected("malformed")

    def keep_early(self, camera, leaf, message):
        """Grants and status before their roster: the newest of each is checked once the roster names the camera's key."""
        require(len(message) <= wire.MAX_CONTROL)
        before = self.early.get((camera, leaf))
        if before == message:
            return
        require(before is not None or len(self.early) < MAX_EARLY, "not_member")
        self.early[camera, leaf] = message
        require(before is None, "not_member")

    def on_roster(self, camera, message):
        if not message or not self.roster_budget.take(self.clock.monotonic):
            return
        roster = messages.roster(message, self.account, camera, self.owner)
        state = self.cameras.get(camera)
        if state is not None and state.version is not None:
            require(roster["version"] >= state.version, "out_of_order")
            if roster["version"] == state.version:
                if roster["hash"] != state.hash:
                    state.conflict = True
                return
        if "roster" not in self.stores.get("fails", ()):
            self.stores["rosters"][camera] = message
            self.adopt(camera, roster)

    def set_connected(self, connected):
        self.connected = connected
        if connected:
            for camera in self.cameras.values():
                for epoch in camera.known:
                    epoch.next_request = 0
                camera.request_due()

    def set_watched(self, watched):
        self.watched = watched
        self.update_requested()

    def set_recorded(self, mode):
        """off, continuous or motion, of all cameras."""
        self.recorded = {"continuous": "record", "motion": "motion"}.get(mode)
        self.update_requested()

    def kind(self):
        """Of the requests for pictures, or None."""
        return "live" if self.watched else self.recorded

    def update_requested(self):
        kind = self.kind()
        for camera in self.cameras.values():
            if camera.kind != kind:
                if kind is None or camera.kind is None:
                    camera.answered = None
                if camera.kind is None or kind == "live":
                    for epoch in camera.known:
                        epoch.next_request = 0
                camera.kind = kind
                camera.request_due()

    def tick(self):
        self.prekeys.tick()
        for camera in self.cameras.values():
            camera.tick()
