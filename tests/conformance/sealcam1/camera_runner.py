# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of the corpus whose device under test is a camera."""
import random

from . import messages, wire
from .camera import Camera
from .freshness import Clock
from .hub_runner import Case

KINDS = {name: number for number, name in messages.REQUEST_KINDS.items()}


class CameraRunner:
    def __init__(self, case):
        self.case = Case(case)
        self.clock, self.random = Clock(), random.Random(13)
        self.stores = {"roster": self.case.messages.get(case.get("start", {}).get("roster"))}
        self.nonces, self.last_nonce = {}, None
        self.answers, self.unanswered = True, []
        self.grants, self.sent, self.status = [], [], None
        self.connected = case.get("start", {}).get("connected", True)
        self.restart()

    def restart(self):
        own = self.case.parties[self.case.case["device"]]
        own.hpke_public = wire.public_bytes(own.hpke)
        self.unanswered = []
        self.camera = Camera(self.case.parties["owner"].public, own, self.clock, self.stores,
                             lambda: self.random.randrange(1, 1 << 64), self.publish)
        if self.connected:
            self.camera.connect()
            self.settle()

    def name(self, party):
        return next(name for name, p in self.case.parties.items() if p.id == party)

    def publish(self, leaf, content):
        if leaf == "grants":
            hubs = sorted(self.name(hub) + (f" with {self.name(hub)}-prekey-{key}" if key else "") for hub, key in content["hubs"].items())
            self.grants.append({"epoch": f"E{content['epoch']}", "roster": content["roster"], "hubs": hubs,
                                "not_stored": content["not_stored"],
                                **({"command": content["command"]} if content.get("command") else {})})
            self.unanswered.append(content["epoch"])
        elif leaf == "status":
            self.status = content
        else:
            text = f"{content['leaf']} E{content['epoch']}/{content['counter']} {content['kind']}"
            if content["kind"] == "delta":
                text += f" depends {content['depends']}"
            text += "".join(f" echo {c:016x}" for c in sorted(content["echo"])) + (" motion" if content["motion"] else "")
            if content["kind"] == "report":
                text += f" roster {content['roster']}" + (" nonce" if content["nonce"] else "") + \
                    (" privacy" if content["privacy"] else "") + (f" fault {content['fault']}" if content["fault"] else "") + \
                    ("" if content["detects_motion"] else " no_motion")
                self.last_nonce = content["nonce"] or self.last_nonce
            self.sent.append(text)

    def update(self):
        """The stored decision about updates."""
        stored = self.camera.update
        if stored is None:
            return None
        action = ("automatic", "start", "defer", "reject")[stored[1] - 1]
        return " ".join([action, *(str(stored[label]) for label in (2, 3) if label in stored)])

    def settle(self):
        while self.answers and self.unanswered:
            self.camera.grants_acknowledged(self.unanswered.pop(0))

    def request(self, r):
        party = self.case.parties[r["by"]]
        epoch = int(r["epoch"][1:]) if r["epoch"] not in self.case.epochs else self.case.epochs[r["epoch"]]["number"]
        body = {1: KINDS[r["kind"]], 2: bytes.fromhex(r["challenge"]), 3: epoch, 4: r["seq"]}
        if "nonce" in r:
            body[5] = self.nonces[r["nonce"]] if r["nonce"] in self.nonces else bytes.fromhex(r["nonce"])
        if "prekey" in r:
            prekey = r["prekey"]
            point = bytes.fromhex(prekey["point"]) if "point" in prekey else wire.public_bytes(self.case.parties[prekey["party"]].hpke)
            body[6] = [prekey["number"], point]
        if "receiver" in r:
            body[7] = r["receiver"]
        if r.get("cannot_open"):
            body[8] = True
        if "past" in r:
            body[9] = r["past"]
        signer = self.case.parties[r.get("claims", r["by"])].id
        return wire.sign(party.private, "request", self.case.account, self.case.camera, wire.encode(body), signer)

    def do(self, event):
        kind, camera = event["do"], self.camera
        if self.clock.move(event, camera.tick):
            return self.settle()
        if kind == "deliver":
            message = self.request(event["request"]) if "request" in event else self.case.bytes_of(event)
            camera.on_message(event["topic"], message)
        elif kind == "capture":
            camera.capture(event["kind"], event.get("motion", False), event.get("earlier_masks", False))
        elif kind == "connect":
            self.connected = True
            camera.connect()
        elif kind == "disconnect":
            self.connected, self.unanswered = False, []
            camera.connected = False
            camera.follow_leases()
        elif kind == "restart":
            self.restart()
        elif kind == "fault":
            camera.fault = event["number"]
        elif kind == "sensor":
            camera.slow = event["slow"]
        elif kind == "encoding_sensor":
            camera.sensor_encodes = event["on"]
            camera.follow_leases()
        elif kind == "broker":
            self.answers = event["answers"]
        elif kind == "storage":
            for store in ("roster", "epoch", "privacy", "command", "prekey", "network"):
                self.stores[store + "_broken"] = store in event["fails"]
        elif kind == "take":
            if self.last_nonce is None:
                raise ValueError("the camera sent no report with a nonce")
            self.nonces[event["as"]] = self.last_nonce
        elif kind != "check":
            raise ValueError(f"unknown event '{kind}'")
        self.settle()

    def verdict(self, event):
        self.do(event)
        camera = self.camera
        result = {"request": camera.requests, "rejected": camera.rejected, "grants": self.grants, "sent": self.sent, "status": self.status,
                  "epoch": f"E{camera.epoch}" if camera.epoch else None, "sensor": "closed" if camera.closed() else "open",
                  "subscribed": sorted(self.name(hub) for hub in camera.hubs),
                  "roster": camera.roster["version"] if camera.roster else 0, "command": camera.command,
                  "old_copy": camera.old_copy, "update": self.update()}
        camera.requests, camera.rejected = [], []
        self.grants, self.sent, self.status = [], [], None
        return result
