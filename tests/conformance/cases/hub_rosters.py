# SPDX-License-Identifier: Apache-2.0
"""R-ROSTER: versions, conflicts, membership, storage."""
from cases.builder import CAMERA, HUB, OWNER, PARTIES, HubCase, hub_entry, roster_body
from sealcam1 import wire

HUB2, HUB3 = PARTIES["hub2"], PARTIES["hub3"]


def hub(rule, name, kind, title):
    return HubCase(rule, name, kind, title)


def versions():
    c = hub("R-ROSTER-3", "older", "reject", "A hub keeps the highest version. An older roster is out of order.")
    c.roster(2, [HUB2], expect={"roster_version": 2, "member": False})
    c.roster(1, expect={"rejected": ["out_of_order"], "roster_version": 2, "member": False})
    c = hub("R-ROSTER-1", "newer", "accept", "A newer roster replaces the older one, also if versions are missing between them.")
    c.roster(1, [HUB2], expect={"member": False})
    c.roster(7, expect={"roster_version": 7, "member": True})
    c = hub("R-ROSTER-4", "same-again", "accept", "A broker delivers the retained roster again after each connection. This is not a fault.")
    c.roster(1)
    c.roster(1, expect={"roster_version": 1, "member": True, "reason": "waiting"})
    c = hub("R-ROSTER-3", "empty", "accept", "An empty message deletes the retained roster at the broker. The hub ignores it.")
    c.roster(1)
    c.deliver(c.topic("roster"), "empty", b"", "an empty message", {"roster_version": 1, "member": True})
    c = hub("R-ROSTER-1", "largest-version", "accept", "A version has 64 bits.")
    c.roster((1 << 64) - 2, expect={"member": True})
    c.roster((1 << 64) - 1, [HUB2], expect={"member": False})

    c = hub("R-ROSTER-5", "conflict", "reject", "Two different rosters with one version are an error. The hub reports it and keeps the first one.")
    c.roster(3)
    c.roster(3, [HUB, HUB2], name="roster-3-other", expect={"roster_version": 3, "member": True, "reason": "roster_conflict"})
    c.roster(4, expect={"roster_version": 4, "reason": "waiting"})
    c = hub("R-ROSTER-5", "conflict-does-not-add-the-hub", "reject", "The second roster of one version adds no hub.")
    c.roster(3, [HUB2])
    c.roster(3, [HUB], name="roster-3-other", expect={"roster_version": 3, "member": False, "reason": "roster_conflict"})
    c = hub("R-ROSTER-4", "second-signature", "accept", "The hash of a roster covers its COSE payload. A second signature of the same content is the same roster.")
    c.roster(3)
    payload = wire.encode(roster_body(3, [HUB]))
    private, aad = OWNER.private, wire.external_aad("roster", OWNER.id, CAMERA.id)
    header = wire.protected_header(OWNER.id)
    r, s = wire.sign_with_k(private, wire.encode(["Signature1", header, aad, payload]), 0x5ea1ca3)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    c.deliver(c.topic("roster"), "roster-3-again", wire.head(6, 18) + wire.encode([header, {}, payload, signature]),
              "roster 3 with another valid signature", {"roster_version": 3, "member": True, "reason": "waiting"})


def members():
    c = hub("R-ROSTER-3", "restart", "reject", "A hub stores the roster before it applies it. After a restart it rejects an older one.")
    c.roster(2, [HUB2])
    c.event("restart", {"roster_version": 2, "member": False})
    c.roster(1, expect={"rejected": ["out_of_order"], "member": False})
    c = hub("R-ROSTER-3", "restart-member", "accept", "A hub continues with the stored roster after a restart, without the broker's copy.")
    c.roster(1)
    c.event("restart", {"roster_version": 1, "member": True})
    c.grants("A", expect={"requests": ["live A"]})

    for name, entry in (("identity-key", hub_entry(HUB2, hpke=HUB.hpke_public)), ("hpke-key", hub_entry(HUB, hpke=HUB2.hpke_public))):
        c = hub("R-ROSTER-7", "other-" + name, "reject", f"The roster lists a hub by both keys. An entry with another {name.replace('-', ' ')} is not this hub.")
        c.roster(1, [entry], expect={"member": False})
        c.frame("A", "key", 0, {"rejected": ["not_member"]})
        c.roster(2, expect={"member": True})

    c = hub("R-ROSTER-7", "removed", "reject", "A roster without the hub ends its membership: it shows no picture and rejects each message.")
    c.live()
    c.roster(2, [HUB2], expect={"member": False, "state": "OFFLINE", "reason": "removed"})
    c.frame("A", "delta", 1, {"rejected": ["not_member"], "state": "OFFLINE"}, echo="c1")
    c.grants("B", expect={"requests": []})
    c.run(3000, {"requests": []})
    c = hub("R-ROSTER-7", "added-again", "accept", "A hub that is added again needs new grants. It has deleted the keys of earlier epochs.")
    c.live()
    c.roster(2, [HUB2])
    c.roster(3, expect={"member": True, "state": "OFFLINE", "reason": "waiting"})
    c.frame("A", "key", 1, {}, echo="c1")
    c.run(1100, {"rejected": ["not_decryptable"]})
    c.grants("B", version=3, expect={"requests": ["live B"]})
    c.take("c2", "B")
    c.frame("B", "key", 0, {"shown": ["B/0 LIVE"], "state": "LIVE"}, echo="c2")

    c = hub("R-ROSTER-7", "suspended", "reject", "A hub whose integration is suspended is listed, but not active.")
    c.live()
    c.roster(2, [hub_entry(HUB, integration=5)], suspended=[5], expect={"member": False, "state": "OFFLINE", "reason": "suspended"})
    c.frame("A", "delta", 1, {"rejected": ["not_member"]}, echo="c1")
    c.roster(3, [hub_entry(HUB, integration=5)], suspended=[6], expect={"member": True, "reason": "waiting"})

    c = hub("R-ENV-3", "unsorted", "reject", "The hubs of a roster are in ascending order of their ids.")
    body = roster_body(1, [HUB, HUB2, HUB3])
    body[4] = body[4][::-1]
    c.deliver(c.topic("roster"), "descending", c.signed("roster", body, OWNER), "roster 1 in descending order", {"rejected": ["malformed"]})
    c.roster(1, [HUB, HUB2, HUB3], expect={"member": True})
    c = hub("R-ENV-3", "twice", "reject", "A roster lists no hub twice.")
    c.roster(1, [HUB, HUB], name="hub-twice", expect={"rejected": ["malformed"]})
    c.roster(1, expect={"member": True})
    c = hub("R-ROSTER-2", "other-camera", "reject", "The camera's key in a roster is the key of the topic's camera.")
    other = PARTIES["camera2"]
    c.deliver(c.topic("roster"), "key-of-camera2", c.signed("roster", roster_body(1, [HUB], camera=other), OWNER),
              "roster with the keys of camera2", {"rejected": ["malformed"]})
    c.roster(1, expect={"member": True})
    c = hub("R-KEY-1", "not-on-the-curve", "reject", "Receivers reject public keys that are not points of the curve.")
    bad = b"\x04" + HUB2.public[1:33] + HUB3.public[33:]
    c.roster(1, [HUB, HUB2], name="bad-point", about="roster 1, the HPKE key of hub2 is not on the curve",
             change={4: sorted([hub_entry(HUB), hub_entry(HUB2, hpke=bad)], key=lambda e: wire.identity(e[1]))},
             expect={"rejected": ["malformed"]})
    c.roster(1, expect={"member": True})


versions()
members()
