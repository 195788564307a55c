# SPDX-License-Identifier: Apache-2.0
"""R-ENV: the one form of a message, what its signature covers, who signed it. R-TOPIC: account and camera come from the topic."""
from cases.builder import CAMERA, HUB, PARTIES, TIME, HubCase, roster_body
from sealcam1 import wire

STRANGER = PARTIES["stranger"]


def hub(rule, name, kind, title):
    return HubCase(rule, name, kind, title)


def raw_roster(case, name, content, about, expect):
    return case.deliver(case.topic("roster"), name, content, about, expect)


def good(case):
    """The control: the unmodified roster is applied."""
    return case.roster(1, expect={"roster_version": 1, "member": True})


ROSTER = wire.encode(roster_body(1, [HUB]))


def signed(case, **more):
    return case.signed("roster", ROSTER, PARTIES["owner"], **more)


def forms():
    c = hub("R-ENV-3", "trailing-byte", "reject", "A message with a byte after its end is malformed.")
    raw_roster(c, "longer", signed(c) + b"\0", "roster 1 and one more byte", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "cut-short", "reject", "A message without its last byte is malformed.")
    raw_roster(c, "shorter", signed(c)[:-1], "roster 1 without its last byte", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-1", "unprotected-header", "reject", "The unprotected header is empty. A message with another one is malformed.")
    header, payload, signature = wire.parse_envelope(signed(c))
    raw_roster(c, "with-header", wire.head(6, 18) + wire.encode([header, {4: b"x"}, payload, signature]),
               "roster 1 with an unprotected header", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-1", "no-tag", "reject", "A message without tag 18 is malformed.")
    raw_roster(c, "untagged", signed(c)[1:], "roster 1 without its tag", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "longer-number", "reject", "Numbers have their shortest form. A longer form of the same number is malformed.")
    raw_roster(c, "longer-head", signed(c)[:-66] + b"\x59\x00\x40" + signed(c)[-64:],
               "roster 1, the size of its signature in three bytes", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "payload-longer-number", "reject", "The signed payload has the deterministic encoding too.")
    raw_roster(c, "long-version", c.signed("roster", ROSTER.replace(b"\xa6\x01\x01", b"\xa6\x01\x18\x01", 1), PARTIES["owner"]),
               "a roster whose version 1 has two bytes", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "payload-trailing-byte", "reject", "A payload with a byte after its end is malformed, although its signature is valid.")
    raw_roster(c, "longer-payload", c.signed("roster", ROSTER + b"\0", PARTIES["owner"]), "a signed roster body and one more byte", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "unknown-label", "reject", "A body with an unknown label is malformed.")
    body = roster_body(1, [HUB])
    body[7] = 1
    raw_roster(c, "with-label-7", c.signed("roster", body, PARTIES["owner"]), "roster 1 with label 7", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "missing-label", "reject", "A body without a required label is malformed.")
    body = roster_body(1, [HUB])
    del body[6]
    raw_roster(c, "without-label-6", c.signed("roster", body, PARTIES["owner"]), "roster 1 without label 6", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-1", "protected-header-label", "reject", "A protected header with another label is malformed.")
    header = wire.encode({1: -7, 4: PARTIES["owner"].id, 5: 1})
    envelope = wire.parse_envelope(signed(c))
    raw_roster(c, "with-label-5", wire.head(6, 18) + wire.encode([header, {}, envelope[1], envelope[2]]),
               "roster 1, label 5 in its protected header", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-1", "another-algorithm", "reject", "The algorithm in the protected header is ES256, also if the signature is valid.")
    raw_roster(c, "eddsa", signed(c, header=wire.encode({1: -8, 4: PARTIES["owner"].id})),
               "roster 1, signed with ES256 over a header that names EdDSA", {"rejected": ["malformed"]})
    good(c)
    c = hub("R-ENV-3", "flag-false", "reject", "A flag that is not set is absent. A flag with the value false is malformed.")
    c.roster(1)
    c.deliver(c.topic("status"), "privacy-false", c.signed("status", {1: True, 2: TIME, 3: False}, CAMERA),
              "status with privacy false", {"rejected": ["malformed"]})
    c = hub("R-ENV-3", "time-too-large", "reject", "A time beyond 2^53 microseconds is malformed.")
    raw_roster(c, "late", c.signed("roster", roster_body(1, [HUB], issued=(1 << 53) + 1), PARTIES["owner"]),
               "a roster issued at 2^53 + 1", {"rejected": ["malformed"]})
    raw_roster(c, "latest", c.signed("roster", roster_body(1, [HUB], issued=1 << 53), PARTIES["owner"]),
               "a roster issued at 2^53", {"roster_version": 1})


def signatures():
    c = hub("R-ENV-2", "other-name", "reject", "The signature covers the message name. A status signed as grants has a bad signature.")
    c.roster(1)
    c.deliver(c.topic("status"), "as-grants", c.signed("grants", {1: True, 2: TIME}, CAMERA),
              "a status body, signed under the name grants", {"rejected": ["bad_signature"]})
    c.status(False, expect={"reason": "deregistered"})
    c = hub("R-ENV-2", "other-account", "reject", "The signature covers the account of the topic.")
    message = wire.sign(PARTIES["owner"].private, "roster", STRANGER.id, CAMERA.id, ROSTER)
    raw_roster(c, "other-account", message, "roster 1, signed for another account", {"rejected": ["bad_signature"]})
    good(c)
    c = hub("R-ENV-2", "other-camera", "reject", "The signature covers the camera of the topic.")
    message = wire.sign(PARTIES["owner"].private, "roster", PARTIES["owner"].id, STRANGER.id, ROSTER)
    raw_roster(c, "other-camera", message, "roster 1, signed for another camera", {"rejected": ["bad_signature"]})
    good(c)
    c = hub("R-ENV-2", "flipped-payload", "reject", "The signature covers the payload.")
    message = bytearray(signed(c))
    message[-70] ^= 1  # a byte of the time
    raw_roster(c, "flipped", bytes(message), "roster 1 with a flipped bit in its payload", {"rejected": ["bad_signature"]})
    good(c)

    for name in ("roster", "grants", "status", "frame"):
        c = hub("R-ENV-5", "high-s-" + name, "reject", f"If (r, s) is valid, (r, n - s) is valid too. A {name} with the larger s has a bad signature.")
        if name == "roster":
            raw_roster(c, "high-s", signed(c, high_s=True), "roster 1 with the larger s", {"rejected": ["bad_signature"]})
            good(c)
            continue
        c.roster(1)
        if name == "grants":
            c.grants("A", name="high-s", high_s=True, about="grants of epoch A with the larger s", expect={"rejected": ["bad_signature"]})
            c.grants("A", expect={"requests": ["live A"]})
        elif name == "status":
            c.status(False, name="high-s", high_s=True, expect={"rejected": ["bad_signature"]})
            c.status(False, expect={"reason": "deregistered"})
        else:
            c.grants("A")
            c.frame("A", "key", 0, {"rejected": ["bad_signature"]}, name="high-s", high_s=True)
            c.frame("A", "key", 0, {"shown": ["A/0 STALE"]})

    c = hub("R-ROSTER-2", "other-signer", "reject", "A roster that another key signed in its own name has the wrong signer.")
    c.roster(1, by=STRANGER, name="by-stranger", expect={"rejected": ["wrong_account"]})
    good(c)
    c = hub("R-ROSTER-2", "claimed-signer", "reject", "A roster that another key signed in the owner's name has a bad signature.")
    c.roster(1, by=STRANGER, name="by-stranger", signer=PARTIES["owner"].id, expect={"rejected": ["bad_signature"]})
    good(c)
    c = hub("R-FRAME-8", "frame-of-another-device", "reject", "A hub with the epoch's key cannot make frames of the camera, in its own name or in the camera's.")
    c.roster(1)
    c.grants("A")
    c.frame("A", "key", 0, {"rejected": ["wrong_account"]}, by="hub2", name="in-own-name")
    c.frame("A", "key", 0, {"rejected": ["bad_signature"]}, by="hub2", name="in-the-cameras-name", signer=CAMERA.id)
    c.frame("A", "key", 0, {"shown": ["A/0 STALE"]})


def topics():
    c = hub("R-TOPIC-1", "other-account", "reject", "A message on the topic of another account is not for this hub.")
    c.join()
    frame = wire.frame_header(depends=0) + b"x"
    a = c.epoch("A")
    message = wire.seal_frame(CAMERA.private, STRANGER.id, CAMERA.id, "key", 4, a.base_key, a.number, 0, frame)
    c.deliver(c.topic("video", owner=STRANGER), "other-account", message, "a frame for another account", {"rejected": ["not_member"]})
    c = hub("R-ENV-2", "frame-on-another-cameras-topic", "reject", "A frame of one camera on the topic of another camera has the wrong signer.")
    c.use("camera2")
    other = PARTIES["camera2"]
    body = roster_body(1, [HUB], camera=other)
    c.deliver(c.topic("roster", other), "roster-of-camera2", c.signed("roster", body, PARTIES["owner"], camera=other), "roster of camera2, version 1: hub")
    c.join()
    c.frame("A", "key", 0, {"rejected": ["wrong_account"]}, topic=c.topic("video", other))
    c.frame("A", "key", 0, {"shown": ["A/0 STALE"]})
    c = hub("R-TOPIC-1", "no-roster", "reject", "Frames of a camera without a roster are not for this hub.")
    c.frame("A", "key", 0, {"rejected": ["not_member"]})
    c = hub("R-KEY-3", "other-text", "reject", "An id has one text: 32 lower-case letters of base32. Another text is no topic of the camera.")
    c.join()
    topic, text = c.topic("video"), wire.text_of(CAMERA.id)
    for other in (text.upper(), text + "=", text[:31], text + "a", "index"):
        c.frame("A", "key", 0, {"rejected": ["not_member"]}, topic=topic.replace(text, other))
    c.frame("A", "key", 0, {"shown": ["A/0 STALE"]})
    c = hub("R-TOPIC-1", "not-a-topic", "reject", "A topic that does not follow the protocol is not for this hub.")
    c.join()
    c.frame("A", "key", 0, {"rejected": ["not_member"]}, topic=c.topic("video").upper())
    c.frame("A", "key", 0, {"rejected": ["not_member"]}, topic=c.topic("video") + "/")
    c.frame("A", "key", 0, {"shown": ["A/0 STALE"]})


forms()
signatures()
topics()
