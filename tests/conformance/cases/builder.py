# SPDX-License-Identifier: Apache-2.0
"""Builds the cases of the corpus. The format is in ../README.md. Expected verdicts are written by hand in the modules beside this one."""
import hashlib
import json

from sealcam1 import messages, wire

TIME = 1_790_000_000_000_000
# Start codes of SPS, PPS and IDR with dummy content, and of one slice that is not an IDR picture.
KEY_UNIT = bytes.fromhex("0000000167420028" "0000000168ce3c80" "000000016588843a")
DELTA_UNIT = bytes.fromhex("00000001419a0102")


def scalar(party, what):
    return hashlib.sha256(f"sealcam conformance {party} {what}".encode()).digest()


class Party:
    def __init__(self, name):
        self.name = name
        self.private, self.hpke = (wire.private_key(scalar(name, what)) for what in ("identity", "hpke"))
        self.public, self.hpke_public = wire.public_bytes(self.private), wire.public_bytes(self.hpke)
        self.id = wire.identity(self.public)

    def json(self):
        return {"id": wire.text_of(self.id), "identity": scalar(self.name, "identity").hex(), "hpke": scalar(self.name, "hpke").hex()}


NAMES = ["owner", "camera", "hub", *(f"hub{i}" for i in range(2, 18)), "stranger", "camera2", "hub-prekey-1", "hub-prekey-2", "phone"]
PARTIES = {name: Party(name) for name in NAMES}
OWNER, CAMERA, HUB = (PARTIES[name] for name in ("owner", "camera", "hub"))


class Epoch:
    def __init__(self, name, counter, suite=4, camera_name="Front door"):
        digest = hashlib.sha512(f"sealcam conformance epoch {name}".encode()).digest()
        self.name, self.suite, self.camera_name = name, suite, camera_name
        self.number = counter << 32 | int.from_bytes(digest[:4], "big")
        self.base_key = digest[4:20] if suite == 4 else digest[4:36]

    def json(self):
        return {"number": f"{self.number:016x}", "suite": self.suite, "base_key": self.base_key.hex(), "name": self.camera_name}


def hub_entry(party, integration=None, privacy=False, hpke=None):
    entry = {1: party.public, 2: hpke or party.hpke_public}
    if integration is not None:
        entry[3] = integration.to_bytes(8, "big")
    if privacy:
        entry[4] = True
    return entry


def roster_body(version, hubs, suspended=(), camera=CAMERA, issued=TIME):
    entries = [hub if isinstance(hub, dict) else hub_entry(hub) for hub in hubs]
    entries.sort(key=lambda entry: wire.identity(entry[1]))
    return {1: version, 2: camera.public, 3: camera.hpke_public, 4: entries,
            5: [label.to_bytes(8, "big") for label in suspended], 6: issued}


class Case:
    """One case. `expect` of each event: see the README. `kind` is accept or reject: the main verdict of the case."""

    all = []

    def __init__(self, rule, name, under_test, device, kind, title):
        self.rule, self.name, self.under_test, self.device, self.kind, self.title = rule, name, under_test, device, kind, title
        self.parties, self.epochs, self.messages, self.events = {}, {}, {}, []
        self.start, self.roster_hashes = {}, {}
        self.use(device, "owner", "camera")
        Case.all.append(self)

    def use(self, *names):
        for name in names:
            self.parties[name] = PARTIES[name]
        return self

    def epoch(self, name, counter=None, **more):
        if name not in self.epochs:
            self.epochs[name] = Epoch(name, 100 * (1 + ord(name[0]) - ord("A")) if counter is None else counter, **more)
        return self.epochs[name]

    def event(self, do, expect=None, **fields):
        entry = {"do": do, **fields}
        if expect:
            entry["expect"] = expect
        self.events.append(entry)
        return self

    def message(self, name, content, about):
        """Keeps a static message, and returns its name. The same bytes have one name."""
        known = self.messages.get(name)
        if known is not None and known["bytes"] != content.hex():
            raise ValueError(f"{self.rule}/{self.name}: two messages '{name}'")
        self.messages[name] = {"about": about, "bytes": content.hex()}
        return name

    def deliver(self, topic, name, content, about, expect=None, retained=False):
        fields = {"topic": topic, "message": self.message(name, content, about)}
        if retained:
            fields["retained"] = True
        return self.event("deliver", expect, **fields)

    # -- signed messages

    def topic(self, leaf, camera=CAMERA, owner=OWNER):
        return messages.topic(owner.id, camera.id, leaf)

    def signed(self, name, body, by, camera=CAMERA, owner=OWNER, **more):
        payload = body if isinstance(body, bytes) else wire.encode(body)
        return wire.sign(by.private, name, owner.id, camera.id, payload, **more)

    def roster(self, version, hubs=(HUB,), expect=None, name=None, suspended=(), by=OWNER, topic=None, about=None, **more):
        body = roster_body(version, hubs, suspended)
        body.update(more.pop("change", {}))
        self.roster_hashes.setdefault(version, hashlib.sha256(wire.encode(body)).digest())
        listed = ", ".join(sorted(self.name_of(hub) for hub in hubs)) or "no hub"
        about = about or f"roster, version {version}: {listed}"
        return self.deliver(topic or self.topic("roster"), name or f"roster-{version}", self.signed("roster", body, by, **more),
                            about, expect)

    @staticmethod
    def name_of(hub):
        if not isinstance(hub, dict):
            return hub.name
        return next(p.name for p in PARTIES.values() if p.public == hub[1])

    def grants_body(self, epoch, hubs=(HUB,), version=1, roster_hash=None, more=None, entries=None, seal=None):
        """`seal`: by hub name, changes of (kem, key, recipient key, epoch in info, key in info)."""
        plaintext = wire.encode({1: epoch.base_key, 2: epoch.camera_name})
        sealed = {}
        for hub in hubs:
            s = {"kem": 16, "key": 0, "recipient": hub.hpke_public, "epoch": epoch.number, "info_key": None, "plaintext": plaintext,
                 **(seal or {}).get(hub.name, {})}
            ephemeral = wire.private_key(hashlib.sha256(f"ephemeral {epoch.name} {hub.name} {version}".encode()).digest())
            info_key = s["key"] if s["info_key"] is None else s["info_key"]
            info = messages.grant_info(OWNER.id, CAMERA.id, hub.id, s["epoch"], info_key)
            enc, ciphertext = wire.hpke_seal(ephemeral, s["recipient"], info, s["plaintext"])
            sealed[hub.id] = [s["kem"], s["key"], s.get("enc", enc), ciphertext]
        sealed.update(entries or {})
        return {1: epoch.number, 2: epoch.suite, 3: version, 4: roster_hash or self.roster_hash(version), 5: TIME, 6: sealed, **(more or {})}

    def roster_hash(self, version):
        """The hash of the first roster of this version in the case. Before it, the hash of the roster that lists the hub alone."""
        return self.roster_hashes.get(version) or hashlib.sha256(wire.encode(roster_body(version, [HUB]))).digest()

    def grants(self, epoch, hubs=(HUB,), expect=None, name=None, by=CAMERA, about=None, counter=None, suite=4, **more):
        e = self.epoch(epoch, counter, suite=suite) if isinstance(epoch, str) else epoch
        signing = {key: more.pop(key) for key in ("signer", "high_s") if key in more}
        message = self.signed("grants", self.grants_body(e, hubs, **more), by, **signing)
        listed = ", ".join(hub.name for hub in hubs) or "no hub"
        return self.deliver(self.topic("grants"), name or f"grants-{e.name}", message,
                            about or f"grants of epoch {e.name}, suite {e.suite}, to {listed}", expect)

    def command(self, seq, items, expect=None, name=None, by=OWNER, recipient=None, **more):
        """`items`: the plaintext, by label."""
        ephemeral = wire.private_key(hashlib.sha256(f"ephemeral command {seq} {name}".encode()).digest())
        info = wire.encode(["sealcam/1 command", OWNER.id, CAMERA.id, more.pop("info_seq", seq)])
        enc, ciphertext = wire.hpke_seal(ephemeral, recipient or CAMERA.hpke_public, info, wire.encode(items))
        message = self.signed("command", {1: seq, 2: enc, 3: ciphertext}, by, **more)
        return self.deliver(self.topic("command"), name or f"command-{seq}", message, f"command {seq}: {items}", expect)

    def status(self, online, privacy=False, expect=None, name=None, reset=False, by=CAMERA, fault=None, **more):
        body = {1: online, 2: TIME}
        if privacy:
            body[3] = True
        if reset:
            body[4] = True
        if fault is not None:
            body[5] = fault
        body.update(more.pop("change", {}))
        text = ("online" if online else "offline") + (", privacy" if privacy else "") + (", deregistration" if reset else "") + \
            ("" if fault is None else f", fault {fault}")
        return self.deliver(self.topic("status"), name or "status-" + text.replace(", ", "-"),
                            self.signed("status", body, by, **more), f"status: {text}", expect)

    # -- sealed frames

    def frame(self, epoch, kind, counter, expect=None, number=None, depends=None, echo="", topic=None, by="camera", retained=False,
              content=None, name=None, **more):
        """A frame with echoes of challenges is sealed by the runner. Every other frame is stored as bytes."""
        e = self.epoch(epoch)
        number = counter + 1 if number is None else number
        if depends is None:
            depends = counter - 1 if kind == "delta" else counter
        if content is None:
            report = wire.encode({1: 1, 2: self.roster_hash(1)})
            content = {"key": KEY_UNIT, "still": KEY_UNIT, "delta": DELTA_UNIT, "report": report}[kind]
        size = {"width": 0, "height": 0} if kind == "report" else {"width": 640, "height": 360}
        fields = {"number": number, "depends": depends, "captured": TIME + 40_000 * number, "age": 10, **size}
        fields.update(more.pop("header", {}))
        topic = topic or self.topic("still" if kind == "still" else "video")
        if echo:
            self.use(by)
            frame = {"by": by, "kind": kind, "epoch": epoch, "counter": counter, **fields, "echo": echo.split(), "content": content.hex()}
            event = {"topic": topic, "frame": frame}
            if retained:
                event["retained"] = True
            return self.event("deliver", expect, **event)
        header = wire.frame_header(codec=more.pop("codec", 0 if kind == "report" else 1),
                                   **{k: v for k, v in fields.items()}, **more.pop("raw", {}))
        signer = PARTIES[by]
        message = wire.seal_frame(signer.private, OWNER.id, CAMERA.id, kind, e.suite, e.base_key, e.number, counter,
                                  header + content, more.pop("signer", None), more.pop("high_s", False))
        assert not more, more
        return self.deliver(topic, name or f"{epoch}-{counter}-{kind}", message,
                            f"frame of epoch {epoch}: {kind}, counter {counter}, picture {number}, depends on {depends}", expect,
                            retained)

    def json(self):
        value = {"sealcam": 1, "rule": self.rule, "title": self.title, "must": self.kind, "under_test": self.under_test,
                 "device": self.device, "parties": {name: party.json() for name, party in self.parties.items()}}
        if self.start:
            value["start"] = self.start
        if self.epochs:
            value["epochs"] = {name: epoch.json() for name, epoch in self.epochs.items()}
        value["messages"], value["events"] = self.messages, self.events
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


class HubCase(Case):
    def __init__(self, rule, name, kind, title, watched=True):
        super().__init__(rule, name, "hub", "hub", kind, title)
        if not watched:
            self.start["watched"] = False

    def take(self, name, epoch, kind="live"):
        self.epoch(epoch)
        return self.event("take", request=kind, epoch=epoch, **{"as": name})

    def join(self, epoch="A", challenge="c1", **more):
        """The roster lists the hub, and the grants of an epoch arrive. The hub requests pictures from the epoch."""
        self.roster(1)
        self.grants(epoch, **more)
        return self.take(challenge, epoch)

    def live(self, epoch="A", challenge="c1", **more):
        """The epoch is current: its first key frame echoes a challenge."""
        self.join(epoch, challenge, **more)
        return self.frame(epoch, "key", 0, {"shown": [f"{epoch}/0 LIVE"], "current": epoch}, echo=challenge)

    def run(self, ms, expect=None):
        return self.event("run", expect, ms=ms)

    def next(self, name, epoch, ms=1000):
        """Time passes, and the hub sends the next request."""
        return self.run(ms).take(name, epoch)

    def check(self, **expect):
        return self.event("check", expect)

    def report(self, counter, echo, expect=None, epoch="A", **fields):
        """A report with these fields by number; names of tests are for people."""
        content = {1: 1, 2: self.roster_hash(1), **{int(key[1:]): value for key, value in fields.items()}}
        return self.frame(epoch, "report", counter, {"not_shown": ["nothing_new"], **(expect or {})}, echo=echo, content=wire.encode(content))


def granted(epoch, hubs=("hub", "hub2"), roster=1, not_stored=False, **more):
    return {"epoch": epoch, "roster": roster, "hubs": sorted(hubs), "not_stored": not_stored, **more}


class CameraCase(Case):
    """A paired camera with roster 1. `hub` may switch privacy."""

    def __init__(self, rule, name, kind, title, hubs=("hub", "hub2"), roster=True):
        super().__init__(rule, name, "camera", "camera", kind, title)
        self.use(*hubs)
        self.seq = 0
        if roster:
            self.start["roster"] = "roster-1"
            body = roster_body(1, [self.entry(hub) for hub in hubs])
            self.message("roster-1", self.signed("roster", body, OWNER), "roster, version 1: " + ", ".join(sorted(hubs)))
            self.check(grants=[granted("E1", hubs)], status={"online": True, "privacy": False, "deregistered": False}, epoch="E1", sensor="open")

    @staticmethod
    def entry(hub):
        return hub_entry(PARTIES[hub], privacy=hub == "hub")

    def check(self, **expect):
        return self.event("check", expect)

    def run(self, ms, **expect):
        return self.event("run", expect, ms=ms)

    def capture(self, kind, *sent, **more):
        return self.event("capture", {"sent": list(sent)} if sent else None, kind=kind, **more)

    def pictures(self, count, ms=1000):
        """A key frame and deltas, of which none is sent."""
        for i in range(count):
            self.run(ms)
            self.capture("delta" if i else "key")
        return self

    def new_roster(self, version, hubs=("hub", "hub2"), name=None, **expect):
        self.use(*hubs)
        return self.roster(version, [self.entry(hub) for hub in hubs], expect, name=name)

    def request(self, by, kind="live", epoch="E1", result="accepted", seq=None, challenge=None, topic_hub=None, sent=None, expect=None, **more):
        """`sent`: the whole list, or None for the report that answers the first request of a hub in an epoch."""
        self.use(by)
        if seq is None:
            self.seq += 1
            seq = self.seq
        challenge = challenge or f"{seq:016x}"
        fields = {"by": by, "kind": kind, "epoch": epoch, "challenge": challenge, "seq": seq, **more}
        expect = {"request": [result] if result else [], **({"sent": sent} if sent else {}), **(expect or {})}
        return self.event("deliver", expect, topic=self.topic("request/" + wire.text_of(PARTIES[topic_hub or by].id)), request=fields)

    def report(self, counter, challenge, epoch="E1", roster=1, nonce=False, privacy=False, fault=None, motion=True):
        return f"video {epoch}/{counter} report echo {challenge:016x} roster {roster}" + (" nonce" if nonce else "") + \
            (" privacy" if privacy else "") + ("" if fault is None else f" fault {fault}") + ("" if motion else " no_motion")

    def switch(self, by, on, counter, epoch="E1", roster=1, expect=None, **more):
        """An accepted request for privacy, and the report that answers it. The sensor follows."""
        self.seq += 1
        seq = more.pop("seq", self.seq)
        report = self.report(counter, seq, epoch, roster, privacy=on)
        return self.request(by, kind="privacy-on" if on else "privacy-off", seq=seq, epoch=epoch, sent=[report],
                            expect={"sensor": "closed" if on else "open", **(expect or {})}, **more)

    def first(self, by, **more):
        """The first live request of a hub in an epoch, which is the first frame of the epoch."""
        self.seq += 1
        seq = self.seq
        return self.request(by, seq=seq, sent=[self.report(0, seq, more.get("epoch", "E1"))], **more)


class OwnerCase(Case):
    def __init__(self, rule, name, kind, title, version=3, command=None):
        super().__init__(rule, name, "owner", "owner", kind, title)
        self.use("hub")
        body = roster_body(version, [HUB])
        self.roster_hashes[version] = hashlib.sha256(wire.encode(body)).digest()
        self.start["roster"] = self.message(f"roster-{version}", self.signed("roster", body, OWNER), f"roster, version {version}: hub")
        if command is not None:
            self.start["command"] = command

    def check(self, **expect):
        return self.event("check", expect)
