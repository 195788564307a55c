# SPDX-License-Identifier: Apache-2.0
"""Runs the cases of the corpus whose device under test is a hub."""
import random

from . import messages, wire
from .freshness import Clock
from .hub import Hub

STRICT = ("rejected", "shown", "not_shown", "request", "grants", "sent")  # an absent list is an empty list


class Party:
    def __init__(self, keys):
        self.private = wire.private_key(bytes.fromhex(keys["identity"]))
        self.hpke = wire.private_key(bytes.fromhex(keys["hpke"]))
        self.public = wire.public_bytes(self.private)
        self.id = wire.identity(self.public)


class Case:
    """Parties, epochs and messages of one case, and its structural messages."""

    def __init__(self, case):
        self.case = case
        self.parties = {name: Party(keys) for name, keys in case["parties"].items()}
        self.epochs = {name: {**e, "number": int(e["number"], 16), "base_key": bytes.fromhex(e["base_key"])}
                       for name, e in case.get("epochs", {}).items()}
        self.messages = {name: bytes.fromhex(m["bytes"]) for name, m in case["messages"].items()}
        self.prekeys = {}
        self.challenges = {name: int(value, 16) for name, value in case.get("start", {}).get("challenges", {}).items()}
        self.account, self.camera = self.parties["owner"].id, self.parties["camera"].id

    def epoch_name(self, number):
        return next((name for name, e in self.epochs.items() if e["number"] == number), f"{number:016x}")

    def frame(self, f):
        epoch = self.epochs[f["epoch"]]
        header = wire.frame_header(codec=0 if f["kind"] == "report" else 1, width=f["width"], height=f["height"],
                                   captured=f["captured"], number=f["number"], age=f["age"], depends=f["depends"],
                                   echo=[self.challenges[name] for name in f["echo"]])
        return wire.seal_frame(self.parties[f["by"]].private, self.account, self.camera, f["kind"], epoch["suite"], epoch["base_key"],
                               epoch["number"], f["counter"], header + bytes.fromhex(f["content"]))

    def grants(self, g):
        """Grants to prekeys that hubs sent. The rest is as in stored grants."""
        epoch, sealed = self.epochs[g["epoch"]], {}
        plaintext = wire.encode({1: epoch["base_key"], 2: epoch["name"]})
        for to in g["to"]:
            hub, (number, key) = self.parties[to["hub"]].id, self.prekeys[to["prekey_of"]]
            info = messages.grant_info(self.account, self.camera, hub, epoch["number"], number)
            sealed[hub] = [16, number, *wire.hpke_seal(wire.private_key(bytes(31) + b"\x0d"), key, info, plaintext)]
        body = {1: epoch["number"], 2: epoch["suite"], 3: g["roster_version"], 4: bytes.fromhex(g["roster_hash"]), 5: g["created"], 6: sealed}
        return wire.sign(self.parties[g["by"]].private, "grants", self.account, self.camera, wire.encode(body))

    def bytes_of(self, event):
        if "message" in event:
            return self.messages[event["message"]]
        if "frame" in event:
            return self.frame(event["frame"])
        if "grants" in event:
            return self.grants(event["grants"])
        raise ValueError("a delivery needs a message, or a structure")


class HubRunner:
    def __init__(self, case):
        self.case = Case(case)
        self.clock, self.stores = Clock(), {}
        self.random, self.sent = random.Random(13), []
        self.watched = case.get("start", {}).get("watched", True)
        self.connected, self.permitted, self.recorded = True, None, "off"
        self.restart()

    def restart(self):
        own = self.case.parties[self.case.case["device"]]
        self.hub = Hub(self.case.parties["owner"].public, own.private, own.hpke, self.clock, self.stores,
                       lambda: self.random.randrange(1, 1 << 64), self.on_request)
        self.hub.set_connected(self.connected)
        self.hub.set_watched(self.watched)
        self.hub.set_recorded(self.recorded)

    def on_request(self, camera, epoch, kind, challenge, nonce, cannot_open):
        text = f"{kind} {self.case.epoch_name(epoch)}" + (" cannot_open" if cannot_open else "") + (f" nonce {nonce.hex()}" if nonce else "")
        self.sent.append({"text": text, "epoch": self.case.epoch_name(epoch), "kind": kind, "challenge": challenge,
                          "prekey": self.hub.prekeys.newest()})

    def do(self, event):
        kind, hub = event["do"], self.hub
        if self.clock.move(event, hub.tick):
            return
        if kind == "deliver":
            hub.on_message(event["topic"], self.case.bytes_of(event), event.get("retained", False))
        elif kind in ("connect", "disconnect"):
            self.connected = kind == "connect"
            hub.set_connected(self.connected)
        elif kind == "restart":
            self.restart()
        elif kind == "watch":
            self.watched = event["on"]
            hub.set_watched(self.watched)
        elif kind == "record":
            self.recorded = event["mode"]
            hub.set_recorded(self.recorded)
        elif kind == "storage":
            self.stores["fails"] = event["fails"]
        elif kind == "take":
            found = next((s for s in reversed(self.sent) if (s["kind"], s["epoch"]) == (event["request"], event["epoch"])), None)
            if found is None:
                raise ValueError(f"no request '{event['request']}' for epoch {event['epoch']}")
            self.case.challenges[event["as"]] = found["challenge"]
            self.case.prekeys[event["as"]] = found["prekey"]
        elif kind == "privacy":
            camera = hub.cameras.get(self.case.camera)
            self.permitted = bool(camera and camera.switch_privacy(event["on"]))
        elif kind != "check":
            raise ValueError(f"unknown event '{kind}'")

    def verdict(self, event):
        before = len(self.sent)
        self.do(event)
        hub = self.hub
        camera = hub.cameras.get(self.case.camera)
        current = camera.current if camera else None
        result = {"rejected": sorted(hub.rejected),
                  "shown": [f"{self.case.epoch_name(epoch)}/{counter} {state}" for epoch, counter, state in hub.shown],
                  "not_shown": list(hub.not_shown),
                  "requests": sorted({s["text"] for s in self.sent[before:]}),
                  "current": self.case.epoch_name(current.number) if current else None,
                  "state": camera.state() if camera else "OFFLINE",
                  "reason": camera.reason() if camera else "none",
                  "detects_motion": camera.detects_motion if camera else None,
                  "software": camera.software if camera else None,
                  "permitted": self.permitted,
                  "subscribed": sorted(name for name, party in self.case.parties.items() if party.id in hub.subscribed()),
                  "member": bool(camera and camera.member),
                  "roster_version": camera.version or 0 if camera else 0}
        hub.rejected, hub.shown, hub.not_shown = [], [], []
        return result


def compared(event, verdict):
    """Actual and expected verdict, restricted to the fields that the event compares."""
    expected = {**{field: [] for field in STRICT if field in verdict}, **event.get("expect", {})}
    return {field: verdict.get(field) for field in expected}, expected


def run(case, runners):
    """The verdicts of one case, and a text for each difference."""
    runner = runners[case["under_test"]](case)
    verdicts, faults = [], []
    for number, event in enumerate(case["events"]):
        try:
            actual, expected = compared(event, runner.verdict(event))
        except (ValueError, KeyError) as error:
            faults.append(f"event {number} ({event['do']}): {error}")
            break
        verdicts.append(actual)
        if actual != expected:
            faults.append(f"event {number} ({event['do']}): expected {expected}, was {actual}")
    return verdicts, faults
