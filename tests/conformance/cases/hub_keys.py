# SPDX-License-Identifier: Apache-2.0
"""R-INDEX: how a hub finds cameras. R-PREKEY: grants to prekeys. R-CAND: counters of epochs, unpublished rosters. R-PRIV: requests of a person."""
from cases.builder import CAMERA, HUB, OWNER, PARTIES, TIME, HubCase, hub_entry
from sealcam1 import messages, wire

OTHER = PARTIES["camera2"]


def hub(rule, name, kind, title):
    return HubCase(rule, name, kind, title).use("camera2")


def index(c, version, cameras, expect, name=None, by=OWNER, of=HUB, topic_of=HUB, **more):
    body = {1: version, 2: sorted(camera.id for camera in cameras)}
    body.update(more.pop("change", {}))
    message = wire.sign(by.private, "index", OWNER.id, of.id, wire.encode(body), **more)
    listed = ", ".join(camera.name for camera in cameras) or "no camera"
    return c.deliver(messages.index_topic(OWNER.id, topic_of.id), name or f"index-{version}", message, f"index, version {version}: {listed}", expect)


c = hub("R-INDEX-2", "versions", "reject", "A hub follows the index with the highest version, and ignores older ones.")
c.check(subscribed=[])
index(c, 2, [CAMERA], {"subscribed": ["camera"]})
index(c, 3, [CAMERA, OTHER], {"subscribed": ["camera", "camera2"]})
index(c, 2, [CAMERA], {"rejected": ["out_of_order"], "subscribed": ["camera", "camera2"]})
index(c, 4, [OTHER], {"subscribed": ["camera2"]})
c = hub("R-INDEX-2", "not-stored", "accept", "An index is in memory only.")
index(c, 2, [CAMERA], {"subscribed": ["camera"]})
c.event("restart", {"subscribed": []})
index(c, 1, [OTHER], {"subscribed": ["camera2"]})
c = hub("R-TOPIC-2", "hub", "accept", "A hub subscribes to the topics of the cameras in its index, and of those whose roster it stores.")
c.check(subscribed=[])
index(c, 1, [OTHER], {"subscribed": ["camera2"]})
c.roster(1, expect={"subscribed": ["camera", "camera2"]})
c = hub("R-INDEX-3", "stored-roster", "accept", "No index hides a camera whose stored roster lists the hub.")
index(c, 1, [CAMERA], {"subscribed": ["camera"]})
c.roster(1)
index(c, 2, [], {"subscribed": ["camera"]})
c.event("restart", {"subscribed": ["camera"]})
c.roster(2, [PARTIES["hub2"]], {"subscribed": []})
c = hub("R-INDEX-3", "grants-nothing", "reject", "An index grants nothing: without a roster the hub shows nothing.")
index(c, 1, [CAMERA], {"member": False})
c.frame("A", "key", 0, {"rejected": ["not_member"]})
c = hub("R-INDEX-1", "form", "reject", "The ids are ascending, and none is there twice.")
ids = sorted([CAMERA.id, OTHER.id])
index(c, 1, [], {"rejected": ["malformed"]}, name="descending", change={2: ids[::-1]})
index(c, 1, [], {"rejected": ["malformed"]}, name="twice", change={2: [ids[0], ids[0]]})
index(c, 1, [], {"rejected": ["malformed"]}, name="short-id", change={2: [ids[0][:19]]})
index(c, 1, [CAMERA, OTHER], {"subscribed": ["camera", "camera2"]})
c = hub("R-INDEX-1", "signer", "reject", "Only the owner signs an index, for one hub.")
index(c, 1, [CAMERA], {"rejected": ["wrong_account"], "subscribed": []}, name="by-hub2", by=PARTIES["hub2"])
index(c, 1, [CAMERA], {"rejected": ["bad_signature"], "subscribed": []}, name="for-hub2", of=PARTIES["hub2"])
index(c, 1, [CAMERA], {"rejected": ["not_member"], "subscribed": []}, name="for-hub2", of=PARTIES["hub2"], topic_of=PARTIES["hub2"])
index(c, 1, [CAMERA], {"rejected": ["bad_signature"], "subscribed": []}, name="high-s", high_s=True)
index(c, 1, [CAMERA], {"subscribed": ["camera"]})


def to_prekey(c, epoch, prekey_of, expect=None, version=1):
    c.epoch(epoch)
    grants = {"by": "camera", "epoch": epoch, "roster_version": version, "roster_hash": c.roster_hash(version).hex(), "created": TIME,
              "to": [{"hub": "hub", "prekey_of": prekey_of}]}
    return c.event("deliver", expect, topic=c.topic("grants"), grants=grants)


DAY = 24 * 3_600_000


def days(c, count, expect=None):
    """Boot-time clock and wall clock advance, without the work of each tenth of a second."""
    for i in range(count):
        c.event("suspend", expect if i == count - 1 else None, ms=DAY)
    return c


c = hub("R-PREKEY-1", "opened", "accept", "A view request carries the newest prekey. Grants to it are opened.")
c.live()
c.next("c2", "A")
to_prekey(c, "B", "c2", {"requests": ["live B"]})
c.take("c3", "B").frame("B", "key", 0, {"shown": ["B/0 LIVE"], "current": "B"}, echo="c3")
c = hub("R-PREKEY-1", "restart", "accept", "Prekeys are stored before they are sent. Grants to them are opened after a restart.")
c.live()
c.next("c2", "A")
c.event("restart")
to_prekey(c, "B", "c2", {"requests": ["live B"]})
c = hub("R-PREKEY-1", "seven-days", "accept", "A prekey opens grants for at least 7 days.")
c.live()
c.next("c2", "A")
days(c, 7)
to_prekey(c, "B", "c2", {"requests": ["live B"]})
c = hub("R-PREKEY-1", "nine-days", "reject", "A hub deletes a prekey after 8 days. A later thief of the hub opens nothing older.")
c.live()
c.next("c2", "A")
c.event("suspend", ms=DAY)
c.event("suspend", ms=8 * DAY)
c.run(100)
to_prekey(c, "B", "c2", {"rejected": ["not_decryptable"], "requests": ["live B cannot_open"]})
c = hub("R-PREKEY-1", "at-most-nine", "reject", "A hub keeps at most 9 prekeys. Its wall clock may stand still: a day of the boot-time clock counts.")
c.live()
c.next("c2", "A")
for _ in range(8):
    c.event("suspend", ms=DAY).event("step", clock="wall", ms=-DAY)
to_prekey(c, "B", "c2", {"requests": ["live B"]})
c.event("suspend", ms=DAY).event("step", clock="wall", ms=-DAY)
to_prekey(c, "C", "c2", {"rejected": ["not_decryptable"]})
c.take("c3", "C")
to_prekey(c, "D", "c3", {"requests": ["live D"]})

c = hub("R-PREKEY-5", "in-use", "reject", "A prekey that opened a grant within the last 25 h stays, also after 8 days. Later it is deleted.")
c.live()
c.next("c2", "A")
c.event("suspend", ms=8 * DAY)
to_prekey(c, "B", "c2", {"requests": ["live B"]})
c.event("suspend", ms=26 * 3_600_000)
to_prekey(c, "C", "c2", {"rejected": ["not_decryptable"], "requests": ["live C cannot_open"]})
c = hub("R-PREKEY-5", "newest", "accept", "The newest prekey stays, also if the hub cannot make another one for 30 days.")
c.live()
c.next("c2", "A")
c.event("storage", fails=["prekey"])
c.event("suspend", ms=30 * DAY)
to_prekey(c, "B", "c2", {"requests": ["live B"]})
for name, verdict, minutes, expect in (
        ("clock-jumps-at-the-start", "accept", 9, {"requests": ["live B"]}),
        ("clock-jumps-later", "reject", 11, {"rejected": ["not_decryptable"], "requests": ["live B cannot_open"]})):
    c = hub("R-PREKEY-5", name, verdict, "A wall clock that jumps forward deletes no prekey in the first 10 minutes after the hub started.")
    c.live()
    c.next("c2", "A")
    c.event("suspend", ms=DAY)
    c.event("restart")
    c.event("suspend", ms=minutes * 60_000)
    c.event("step", clock="wall", ms=3650 * DAY)
    to_prekey(c, "B", "c2", expect)
c = hub("R-PREKEY-4", "cannot-open", "accept", "A hub that has no key for its grant reports that in requests for this epoch, until it can open one.")
c.roster(1)
c.grants("A", seal={"hub": {"key": 9}}, expect={"rejected": ["not_decryptable"], "requests": ["live A cannot_open"]})
c.run(2000, {"requests": ["live A cannot_open"]})
c.grants("B", expect={"requests": ["live B"]})
c.run(2000, {"requests": ["live B"]})
c = hub("R-PREKEY-4", "no-entry", "reject", "Grants without an entry for the hub are no reason for such a request.")
c.roster(1)
c.grants("A", [PARTIES["hub2"]], expect={"rejected": ["not_decryptable"], "requests": []})
c.run(2000, {"requests": []})

c = hub("R-CAND-5", "smaller-counter", "reject", "A hub rejects epochs with a smaller counter than one that was current.")
c.live("B", "c1")
c.grants("A", expect={"rejected": ["closed_epoch"], "current": "B"})
c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "current": "B"}, echo="c1")
c = hub("R-CAND-5", "restart", "reject", "The highest counter is durable. After a restart no older epoch is shown, not even as STALE.")
c.live("B", "c1")
c.event("restart", {"current": None})
c.grants("A", expect={"rejected": ["closed_epoch"]})
c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "state": "OFFLINE"})
c.grants("B", expect={"requests": ["live B"]})
c.take("c2", "B").frame("B", "key", 1, {"shown": ["B/1 LIVE"]}, echo="c2")
c = hub("R-CAND-5", "candidate", "reject", "A candidate with a smaller counter ends when another epoch becomes current.")
c.join("A", "c1")
c.grants("B").take("c2", "B")
c.frame("B", "key", 0, {"shown": ["B/0 LIVE"], "current": "B"}, echo="c2")
c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "current": "B"})
c = hub("R-CAND-5", "only-current", "accept", "A candidate that never became current does not count: a broker cannot raise the counter.")
c.roster(1)
c.grants("B").grants("A", expect={"requests": ["live A"]})
c.take("c1", "A").frame("A", "key", 0, {"shown": ["A/0 LIVE"], "current": "A"}, echo="c1")

def old_copy():
    """The camera runs with an old copy of its card. The hub offers it a challenge that was made after the grants arrived."""
    c.live("B", "c1")
    c.grants("A", expect={"rejected": ["closed_epoch"], "requests": ["live A"], "reason": "none"})
    return c.take("c2", "A")


c = hub("R-CAND-5", "old-copy", "reject", "A frame of an epoch with a smaller counter, with an echo of a later challenge, proves an old copy of the card.")
old_copy()
c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "reason": "none", "current": "B"}, echo="c1")
c.frame("A", "key", 1, {"rejected": ["closed_epoch"], "reason": "restored", "current": "B"}, echo="c2")
c.grants("C", expect={"requests": ["live C"], "reason": "restored"})
c.frame("C", "key", 0, {"not_shown": ["held"], "reason": "restored"})
c.take("c3", "C").frame("C", "delta", 1, {"shown": ["C/0 STALE", "C/1 LIVE"], "current": "C", "reason": "none"}, echo="c3")
c = hub("R-CAND-5", "old-copy-restart", "reject", "The proof also works after a restart of the hub, because the counter is durable.")
c.live("B", "c1")
c.event("restart")
c.grants("A", expect={"rejected": ["closed_epoch"], "requests": ["live A"], "reason": "waiting"})
c.take("c2", "A").frame("A", "key", 0, {"rejected": ["closed_epoch"], "reason": "restored", "state": "OFFLINE"}, echo="c2")
c = hub("R-CAND-5", "old-copy-and-original", "reject", "If the current epoch then echoes a later challenge, two devices use the identity.")
old_copy()
c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "reason": "restored"}, echo="c2")
c.frame("B", "delta", 1, {"shown": ["B/1 LIVE"], "reason": "restored"}, echo="c1")
c.next("c3", "B").frame("B", "delta", 2, {"reason": "cloned", "state": "OFFLINE"}, echo="c3")

c = hub("R-CAND-8", "unpublished-roster", "reject", "A hub warns if grants name a newer roster than the newest one that it received, for 30 s.")
c.live()
c.grants("B", version=7, expect={"requests": ["live B"], "reason": "none"})
c.run(30_000, {"reason": "unpublished_roster"})
c.roster(7, expect={"reason": "no_answer"})
c.events[-1]["expect"] = {"roster_version": 7}
c = hub("R-CAND-8", "contradicted-roster", "reject", "A hub warns if grants name its roster's version with another hash.")
c.live()
c.grants("B", roster_hash=bytes(32), expect={"reason": "unpublished_roster"})
c = hub("R-CAND-8", "older-roster", "accept", "Grants that name an older roster are no reason for a warning.")
c.roster(2)
c.grants("A", version=1, expect={"reason": "waiting"})
c.run(31_000, {"reason": "no_answer"})


def allowed(rule, name, kind, title):
    c = hub(rule, name, kind, title)
    c.roster(1, [hub_entry(HUB, privacy=True)])
    c.grants("A").take("c1", "A")
    return c.frame("A", "key", 0, {"shown": ["A/0 LIVE"]}, echo="c1")


def nonce_report(c, counter, echo):
    return c.report(counter, echo, {"requests": ["privacy-off A nonce 0102030405060708"]}, f3=bytes(range(1, 9)), f4=True)


c = allowed("R-PRIV-7", "on", "accept", "A hub requests privacy each second until a report proves it.")
c.event("privacy", {"permitted": True, "requests": ["privacy-on A"]}, on=True)
c.run(1000, {"requests": ["live A", "privacy-on A"]})
c.take("p1", "A", "privacy-on")
c.report(1, "p1", f4=True)
c.run(2000, {"requests": ["live A"]})
c = allowed("R-PRIV-7", "status", "reject", "A status confirms no request: the broker may send an old one, and drop the request.")
c.event("privacy", {"permitted": True, "requests": ["privacy-on A"]}, on=True)
c.status(True, True)
c.run(2000, {"requests": ["live A", "privacy-on A"]})
c.take("p1", "A", "privacy-on")
c.report(1, "p1", f4=True)
c.run(2000, {"requests": ["live A"]})
c = allowed("R-PRIV-7", "earlier-report", "reject", "A report that echoes a challenge from before the request of a person confirms nothing.")
c.next("c2", "A")
c.event("privacy", {"permitted": True, "requests": ["privacy-on A"]}, on=True)
c.report(1, "c2", f4=True)
c.run(1000, {"requests": ["live A", "privacy-on A"]})
c.take("c3", "A")
c.report(2, "c3", f4=True)
c.run(2000, {"requests": ["live A"]})
c = allowed("R-PRIV-7", "other-value", "reject", "A report with the other value confirms nothing.")
c.event("privacy", {"permitted": True, "requests": ["privacy-on A"]}, on=True)
c.take("p1", "A", "privacy-on")
c.report(1, "p1")
c.run(1000, {"requests": ["live A", "privacy-on A"]})
c = allowed("R-PRIV-7", "off", "accept", "A report without field 4 confirms that the sensor is open.")
c.event("privacy", {"permitted": True, "requests": ["nonce A"]}, on=False)
c.take("n1", "A", "nonce")
nonce_report(c, 1, "n1")
c.take("p1", "A", "privacy-off")
c.report(2, "p1")
c.run(2000, {"requests": ["live A"]})
c = allowed("R-PRIV-7", "ten-seconds", "reject", "After 10 s the hub gives up, and sends no further request.")
c.event("privacy", {"permitted": True}, on=True)
c.run(10_000)
c.run(5000, {"requests": ["live A"]})
c = allowed("R-PRIV-4", "hub-quotes-the-nonce", "accept", "To open the sensor, a hub requests a nonce, and quotes the one of the report that echoes its challenge.")
c.event("privacy", {"permitted": True, "requests": ["nonce A"]}, on=False)
c.take("n1", "A", "nonce")
nonce_report(c, 1, "n1")
c = allowed("R-PRIV-4", "nonce-without-the-echo", "reject", "A hub quotes no nonce of a report that does not echo the challenge of its nonce request.")
c.event("privacy", {"permitted": True, "requests": ["nonce A"]}, on=False)
c.report(1, "c1", {"requests": []}, f3=bytes(range(1, 9)), f4=True)
c.take("n1", "A", "nonce")
nonce_report(c, 2, "n1")
c = hub("R-PRIV-1", "not-permitted", "reject", "A hub without field 4 in its roster entry sends no privacy request.")
c.live()
c.event("privacy", {"permitted": False, "requests": []}, on=True)
