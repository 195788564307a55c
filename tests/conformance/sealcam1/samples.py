# SPDX-License-Identifier: Apache-2.0
"""Verifies and opens each sample that the unit tests write, and checks that modified samples do not open."""
import hashlib
import json

from . import messages, wire
from .wire import Rejected


class Samples:
    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            self.json = json.load(f)
        self.raw = {party: bytes.fromhex(self.json[party]["identity"]["public"]) for party in ("owner", "camera", "hub", "second")}
        self.account, self.camera, self.hub, self.second = (wire.identity(self.raw[p]) for p in ("owner", "camera", "hub", "second"))
        self.message = {name: bytes.fromhex(m["message"]) for name, m in self.json["messages"].items()}

    def private(self, party, what="hpke"):
        return wire.private_key(bytes.fromhex(self.json[party][what]["private"]))

    def control(self, sample, name, by, camera=None, account=None):
        account = self.account if account is None else account
        return wire.open_control(self.message[sample], name, account, self.camera if camera is None else camera, self.raw[by])

    def open_frame(self, sample, grants, base_key):
        """Header, content and kind of a frame, and a function that opens it with other values."""
        signer, kind, epoch, counter, (header, payload, signature) = wire.parse_frame(self.message[sample])
        assert signer == self.camera and epoch == grants["epoch"]
        wire.check_signature(self.raw["camera"], "frame", self.account, self.camera, header, payload, signature)
        metadata = wire.external_aad("frame", self.account, self.camera) + header
        plaintext = wire.sframe_open(grants["suite"], base_key, payload, metadata)
        # Controls: another key, the metadata of another camera and a flipped bit must fail.
        for key, data, aad in ((bytes(len(base_key)), payload, metadata), (base_key, payload, metadata[:-1] + b"\x09"),
                               (base_key, payload[:-1] + bytes([payload[-1] ^ 1]), metadata)):
            must_reject(lambda: wire.sframe_open(grants["suite"], key, data, aad), "not_decryptable")
        return (*wire.parse_frame_header(plaintext, kind, counter), kind, plaintext)


def must_reject(call, reason):
    try:
        call()
    except Rejected as rejected:
        assert str(rejected) == reason, rejected
        return
    raise AssertionError("a modified message was accepted")


def check_first(s):
    base = f"sealcam/1/{wire.text_of(s.account)}/{wire.text_of(s.camera)}/"
    assert s.json["messages"]["request"]["topic"] == base + "request/" + wire.text_of(s.hub)
    assert s.json["messages"]["index"]["topic"] == messages.index_topic(s.account, s.hub)
    assert wire.text_of(s.account) == s.json["account"] and wire.text_of(s.camera) == s.json["camera"]["id"]

    roster = messages.roster(s.message["roster"], s.account, s.camera, s.raw["owner"])
    assert [hub["id"] for hub in roster["hubs"]] == [s.hub] and roster["hubs"][0]["privacy"] and roster["hubs"][0]["active"]
    assert messages.index(s.message["index"], s.account, s.hub, s.raw["owner"]) == {"version": 5, "cameras": [s.camera]}

    grants = messages.grants(s.message["grants"], s.account, s.camera, s.raw["camera"])
    assert grants["roster_version"] == roster["version"] and grants["roster_hash"] == roster["hash"]
    assert grants["command"] == 3 and grants["not_stored"]
    must_reject(lambda: messages.open_grant(grants, s.account, s.camera, s.hub, {0: s.private("hub")}.get), "not_decryptable")
    base_key, name = messages.open_grant(grants, s.account, s.camera, s.hub, {7: s.private("prekey")}.get)
    assert base_key.hex() == s.json["base_key"] and name == "Front door"

    command = s.control("command", "command", "owner")
    info = wire.encode(["sealcam/1 command", s.account, s.camera, command[1]])
    opened = wire.decode(wire.hpke_open(s.private("camera"), command[2], info, command[3]))
    assert opened == {1: [1, "Front door"], 2: [2, True], 3: [3, {1: 1500000, 2: 1280, 3: 720, 4: 25, 5: [[0, 0, 250, 400]], 6: 30,
                                                              7: [[500, 0, 500, 1000], [0, 700, 1000, 300]]}],
                      4: [3, {1: b"sealcam-net", 2: "not a secret"}]}

    request = messages.request_content(wire.encode(s.control("request", "request", "hub")))
    prekey = bytes.fromhex(s.json["prekey"]["hpke"]["public"])
    assert request["kind"] == "live" and request["epoch"] == grants["epoch"] and request["nonce"] is None
    assert request["prekey"] == (7, prekey) and request["receiver"] == [90, 3000, 88] and request["cannot_open"]
    off = messages.request_content(wire.encode(s.control("privacy-off", "request", "hub")))
    assert off["kind"] == "privacy-off" and off["nonce"] == bytes(range(1, 9))
    assert messages.status(s.message["status"], s.account, s.camera, s.raw["camera"]) == {"online": True, "privacy": True, "reset": False, "fault": None}

    for name, expected, echo in (("frame", "key", [request["challenge"], 0x1122334455667788]), ("report", "report", [request["challenge"]])):
        header, content, kind, plaintext = s.open_frame(name, grants, base_key)
        assert kind == expected and header["echo"] == echo and header["motion"] == (kind == "key")
        assert plaintext.hex() == s.json["messages"][name]["plaintext"]
    assert wire.decode(content) == {1: roster["version"], 2: roster["hash"], 3: bytes(7) + b"\x09"}


def check_more(s):
    roster = messages.roster(s.message["roster-integrations"], s.account, s.camera, s.raw["owner"])
    active = {hub["id"]: hub["active"] for hub in roster["hubs"]}
    assert active == {s.hub: False, s.second: True}
    grants = messages.grants(s.message["grants-suite-5"], s.account, s.camera, s.raw["camera"])
    assert grants["suite"] == 5 and list(grants["grants"]) == [s.second] and grants["roster_hash"] == roster["hash"] and grants["wifi"] == 2
    base_key, _ = messages.open_grant(grants, s.account, s.camera, s.second, {0: s.private("second")}.get)
    for name, expected, depends in (("key-suite-5", "key", 0), ("delta-suite-5", "delta", 0), ("still-suite-5", "still", 2)):
        header, _, kind, _ = s.open_frame(name, grants, base_key)
        assert kind == expected and header["depends"] == depends and header["echo"] == []
    command = s.control("reset", "command", "owner")
    info = wire.encode(["sealcam/1 command", s.account, s.camera, command[1]])
    assert wire.decode(wire.hpke_open(s.private("camera"), command[2], info, command[3])) == {5: [4, True]}
    notice = messages.status(s.message["deregistration"], s.account, s.camera, s.raw["camera"])
    assert notice == {"online": False, "privacy": False, "reset": True, "fault": None}


def check_files(s):
    """Device descriptors, the authorization, and the messages of pairing."""
    hpke = {party: bytes.fromhex(s.json[party]["hpke"]["public"]) for party in ("hub", "camera")}
    tls = {"hub": bytes.fromhex(s.json["prekey"]["identity"]["public"]), "camera": s.raw["second"]}
    for sample, role, party in (("descriptor", 2, "hub"), ("camera-descriptor", 1, "camera")):
        payload = s.control(sample, "descriptor", party, camera=wire.identity(s.raw[party]), account=bytes(20))
        assert payload == {1: role, 2: s.raw[party], 3: hpke[party], 4: tls[party]}
    payload = s.control("authorization", "authorization", "owner")
    assert payload[2] == s.camera and payload[3] == s.raw["owner"]
    phone = s.control("phone-descriptor", "descriptor", "second", camera=s.second, account=bytes(20))
    assert phone == {1: 2, 2: s.raw["second"], 3: bytes.fromhex(s.json["second"]["hpke"]["public"])}
    payload = s.control("phone-authorization", "authorization", "owner", camera=s.second)
    salt, stored = payload.pop(5)
    assert payload == {1: 2, 2: s.second, 3: s.raw["owner"]}
    assert stored == hashlib.pbkdf2_hmac("sha512", b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", salt, 101)
    channel = bytes.fromhex(s.json["messages"]["pairing-proof"]["exporter"])
    assert s.control("pairing-proof", "pairing-proof", "camera", account=bytes(20)) == {1: channel}
    assert s.control("pairing-claim", "pairing-claim", "owner") == {1: channel, 2: s.raw["owner"], 3: "abcdefg2"}
    enrollment = s.control("enrollment", "enrollment", "owner")
    assert enrollment[1] == channel and (enrollment[2], enrollment[3]) == ("broker.example", 8883)
    assert enrollment[6] == "Front door" and enrollment[7] == s.message["roster"] and 8 not in enrollment


def check(path):
    s = Samples(path)
    check_first(s)
    check_more(s)
    check_files(s)
    for name, by in (("roster", "owner"), ("command", "owner"), ("grants", "camera"), ("request", "hub"), ("status", "camera")):
        must_reject(lambda: s.control(name, name, by, camera=s.hub), "bad_signature")
    print(f"{len(s.message)} samples verified and opened according to the protocol page")
    return 0
