# SPDX-License-Identifier: Apache-2.0
"""R-KEY: ids. R-FRAME-10 and R-CLOCK: values that a camera chose, and the moment that decides LIVE. R-LIMIT, R-STORE: limits and memory of a hub."""
import hashlib
import types

from cases.builder import CAMERA, HUB, OWNER, PARTIES, HubCase
from sealcam1 import messages

MAX_TIME = (1 << 63) - 1


def hub(rule, name, kind, title):
    return HubCase(rule, name, kind, title)


c = hub("R-KEY-2", "thumbprint", "reject", "An id is a thumbprint of the key (RFC 9679), and not a hash of its bytes.")
for name, digest in (("hash-of-the-point", hashlib.sha256(CAMERA.public)), ("hash-of-x-and-y", hashlib.sha256(CAMERA.public[1:]))):
    other = types.SimpleNamespace(id=digest.digest()[:20])
    c.roster(1, name=name, camera=other, topic=c.topic("roster", camera=other), expect={"rejected": ["malformed"], "member": False})
c.roster(1, expect={"member": True})
c = hub("R-KEY-4", "account", "reject", "The account is the id of the owner's key. A roster that the owner signed for another account is invalid.")
stranger = PARTIES["stranger"]
c.roster(1, name="other-account", owner=stranger, topic=c.topic("roster", owner=stranger), expect={"rejected": ["not_member"], "member": False})
c.roster(1, name="other-account", owner=stranger, expect={"rejected": ["bad_signature"], "member": False})
c.roster(1, expect={"member": True})

c = hub("R-FRAME-10", "capture-time", "accept", "The capture time may be any number of 64 bits. It has no influence on LIVE and on the order.")
c.live()
c.frame("A", "delta", 1, {"shown": ["A/1 LIVE"]}, header={"captured": MAX_TIME})
c.frame("A", "delta", 2, {"shown": ["A/2 LIVE"]}, header={"captured": -MAX_TIME - 1})
c.frame("A", "delta", 3, {"shown": ["A/3 LIVE"]}, header={"captured": 0})
c.run(5100)
c.frame("A", "delta", 4, {"shown": ["A/4 STALE"]}, header={"captured": MAX_TIME})
c = hub("R-CLOCK-3", "extreme-times", "accept", "Extreme times in rosters, grants, status and frames have no influence.")
c.roster(1, change={6: 1 << 53})
c.grants("A", more={5: -(1 << 53)}, expect={"requests": ["live A"]})
c.take("c1", "A").frame("A", "key", 0, {"shown": ["A/0 LIVE"]}, echo="c1")
c.status(True, expect={"state": "LIVE"}, name="status-extreme", change={2: -(1 << 53)})
c.frame("A", "delta", 1, {"shown": ["A/1 LIVE"]}, header={"age": (1 << 32) - 1, "captured": MAX_TIME})
c.frame("A", "delta", 2, {"shown": ["A/2 LIVE"]}, header={"age": 0, "captured": -MAX_TIME - 1})

for name, kind, ms, shown in (("held-over-suspend", "reject", 6000, ["B/0 STALE", "B/1 STALE"]), ("held", "accept", 1000, ["B/0 STALE", "B/1 LIVE"])):
    c = hub("R-CLOCK-2", name, kind, "A hub decides LIVE when it shows a picture, not when the frame or the challenge arrived.")
    c.live()
    c.grants("B", expect={"requests": ["live B"]})
    c.take("c2", "B")
    c.frame("B", "key", 0, {"not_shown": ["held"]})
    c.event("suspend", ms=ms)
    c.frame("B", "delta", 1, {"shown": shown, "current": "B"}, echo="c2")

c = hub("R-LIMIT-1", "control-messages", "reject", "A hub verifies 20 control messages of one camera at once, and 10 per second later. It drops the others.")
c.roster(1)
forged = {"by": PARTIES["hub2"], "signer": CAMERA.id, "name": "forged"}
for _ in range(20):
    c.status(True, expect={"rejected": ["bad_signature"]}, **forged)
c.status(True, **forged)
c.grants("A", expect={"requests": []})
c.run(100)
c.status(True, expect={"rejected": ["bad_signature"]}, **forged)
c.status(True, **forged)
c.run(100)
c.grants("A", expect={"requests": ["live A"]})

c = hub("R-LIMIT-2", "early", "accept", "A hub keeps grants that arrive before the roster.")
c.grants("A", expect={"requests": []})
c.roster(1, expect={"requests": ["live A"]})
for name, kind, others in (("early-63", "accept", 63), ("early-64", "reject", 64)):
    c = hub("R-LIMIT-2", name, kind, "A hub keeps 64 messages that arrived before their rosters, and no more.")
    for i in range(others):
        topic = messages.topic(OWNER.id, hashlib.sha256(bytes([i])).digest()[:20], "grants")
        c.deliver(topic, "anything", b"anything", "grants of a camera without a roster")
    c.grants("A", expect={"rejected": ["not_member"] if others == 64 else []})
    c.roster(1, expect={"requests": [] if others == 64 else ["live A"]})

c = hub("R-STORE-2", "hub", "reject", "Keys, challenges and counters are in memory only. After a restart, a hub needs grants and a new echo.")
c.live()
c.event("restart", {"current": None, "state": "OFFLINE", "member": True})
c.frame("A", "delta", 1, {}, echo="c1")
c.run(1100, {"rejected": ["not_decryptable"]})
c.grants("A", expect={"requests": ["live A"], "current": None})
c.frame("A", "key", 2, {"shown": ["A/2 STALE"], "current": None}, echo="c1")
c.take("c2", "A").frame("A", "delta", 3, {"shown": ["A/3 LIVE"], "current": "A"}, echo="c2")
