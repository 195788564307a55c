# SPDX-License-Identifier: Apache-2.0
"""R-ROLL: requests for recordings, and the pictures from before motion."""
from cases.builder import CameraCase, HubCase, granted

OPEN = {"online": True, "privacy": False, "deregistered": False}
CLOSED = {**OPEN, "privacy": True}


def echo(number):
    return f"echo {number:016x}"


def camera(rule, name, kind, title):
    return CameraCase(rule, name, kind, title)


def with_motion_lease(rule, name, kind, title):
    """The first request of a hub, of the kind motion. A key frame and a delta follow, 1 s apart."""
    c = camera(rule, name, kind, title)
    c.request("hub", kind="motion", sent=[c.report(0, 1)])
    return c.pictures(2)


def first_picture(c, challenge, counter, epoch="E1"):
    """A delta shows that nothing is kept. The next key frame is sent, because the camera detects motion."""
    c.run(100)
    c.capture("delta", motion=True)
    c.run(100)
    c.capture("key", f"video {epoch}/{counter} key {echo(challenge)} motion", f"still {epoch}/{counter + 1} still {echo(challenge)} motion", motion=True)


def requests():
    c = camera("R-ROLL-1", "record", "accept", "A request of the kind record starts a lease of 10 s, like one of the kind live.")
    c.request("hub", kind="record", sent=[c.report(0, 1)])
    c.run(100)
    c.capture("key", f"video E1/1 key {echo(1)}", f"still E1/2 still {echo(1)}")
    c.run(9800)
    c.capture("delta", f"video E1/3 delta depends 1 {echo(1)}")
    c.run(200)
    c.capture("delta")
    c = camera("R-ROLL-1", "checks", "reject", "Requests for recordings are checked like all view requests.")
    for kind in ("record", "motion"):
        c.request("hub3", kind=kind, result="unknown_hub")
        c.request("stranger", kind=kind, claims="hub", topic_hub="hub", result="bad_signature")
    c.run(1000)
    c.request("hub", kind="record", sent=[c.report(0, 5)])
    c = camera("R-ROLL-5", "reports", "accept", "A request of the kind motion is answered by a report if the last one of this hub is 5 s old.")
    c.request("hub", kind="motion", sent=[c.report(0, 1)])
    c.run(4900)
    c.request("hub", kind="motion")
    c.run(100)
    c.request("hub", kind="motion", sent=[c.report(1, 3)])
    c.request("hub2", kind="motion", sent=[c.report(2, 4)])
    c.run(5000)
    c.request("hub")
    c.request("hub", kind="motion", sent=[c.report(3, 6)])


def preroll():
    c = with_motion_lease("R-ROLL-2", "nothing-moves", "reject", "With requests of the kind motion alone, no picture is sent while nothing moves.")
    c.request("hub2", kind="record", sent=[c.report(1, 2)])
    c.run(100)
    c.capture("key", f"video E1/2 key {echo(2)}", f"still E1/3 still {echo(2)}")
    c = camera("R-ROLL-2", "ten-seconds", "reject", "Of the time before motion, the camera keeps whole groups of pictures of the last 10 s.")
    c.request("hub", kind="motion", sent=[c.report(0, 1)])
    c.run(100)
    c.capture("key")
    c.run(4000)
    c.capture("key")
    c.run(4000)
    c.request("hub", kind="motion", sent=[c.report(1, 2)])
    c.capture("key")
    c.run(4000)
    c.capture("key")
    c.run(1)
    c.capture("delta", f"video E1/2 key {echo(1)}", f"video E1/3 key {echo(1)}", f"video E1/4 key {echo(2)}", f"still E1/5 still {echo(2)}",
              f"video E1/6 delta depends 4 {echo(2)} motion", motion=True)
    c = with_motion_lease("R-ROLL-3", "before-motion", "accept", "When motion begins, the kept pictures are sent in order, each with the echoes of its own time.")
    c.request("hub", kind="motion")
    c.run(500)
    c.capture("delta", f"video E1/1 key {echo(1)}", f"still E1/2 still {echo(1)}", f"video E1/3 delta depends 1 {echo(1)}",
              f"video E1/4 delta depends 3 {echo(2)} motion", motion=True)
    c.run(500)
    c.capture("delta", f"video E1/5 delta depends 4 {echo(2)}")
    c = camera("R-ROLL-3", "ten-seconds-after", "reject", "Pictures are sent until 10 s after the newest picture with motion, and kept again later.")
    c.request("hub", kind="motion", sent=[c.report(0, 1)])
    c.run(1000)
    c.capture("key", f"video E1/1 key {echo(1)} motion", f"still E1/2 still {echo(1)} motion", motion=True)
    c.run(5000)
    c.request("hub", kind="motion", sent=[c.report(3, 2)])
    c.run(4900)
    c.capture("delta", f"video E1/4 delta depends 1 {echo(2)}")
    c.run(200)
    c.capture("delta")
    c.run(100)
    c.capture("delta", f"video E1/5 delta depends 4 {echo(2)}", f"video E1/6 delta depends 5 {echo(2)} motion", motion=True)
    c = camera("R-ROLL-3", "person-leaves", "reject", "The pictures after a motion are sent also if they follow live pictures.")
    c.request("hub", sent=[c.report(0, 1)])
    c.run(1000)
    c.capture("key", f"video E1/1 key {echo(1)}", f"still E1/2 still {echo(1)}")
    c.run(7000)
    c.capture("delta", f"video E1/3 delta depends 1 {echo(1)} motion", motion=True)
    c.request("hub", kind="motion", sent=[c.report(4, 2)])
    c.run(5000)  # the lease for live pictures has ended
    c.capture("delta", f"video E1/5 delta depends 3 {echo(2)}")
    c.request("hub", kind="motion", sent=[c.report(6, 3)])
    c.run(5001)
    c.capture("delta")
    c.run(100)
    c.capture("key")
    c = with_motion_lease("R-REQ-5", "old-still", "reject", "A kept key frame that is more than 2 s old is sent as video, and not as a still.")
    c.run(1001)
    c.capture("delta", f"video E1/1 key {echo(1)}", f"video E1/2 delta depends 1 {echo(1)}", f"video E1/3 delta depends 2 {echo(1)} motion", motion=True)
    c.run(1000)
    c.capture("key", f"video E1/4 key {echo(1)}", f"still E1/5 still {echo(1)}")


def emptied():
    c = with_motion_lease("R-ROLL-4", "lease-ended", "reject", "When the lease ends, the kept pictures are deleted.")
    c.run(9000)
    c.capture("delta", motion=True)
    c.request("hub", kind="motion", sent=[c.report(1, 2)])
    first_picture(c, 2, 2)
    c = with_motion_lease("R-ROLL-4", "live", "reject", "When all pictures are sent, the kept ones are deleted.")
    c.request("hub2", sent=[c.report(1, 2)])
    c.run(100)
    c.capture("key", f"video E1/2 key {echo(2)} motion", f"still E1/3 still {echo(2)} motion", motion=True)
    c = with_motion_lease("R-ROLL-4", "roster", "reject", "When an epoch begins, the kept pictures are deleted: a hub that was added later cannot open them.")
    c.new_roster(2, ["hub", "hub2", "hub3"], grants=[granted("E2", ["hub", "hub2", "hub3"], 2)])
    c.request("hub3", epoch="E2", kind="motion", sent=[f"video E2/0 report {echo(2)} roster 2"])
    first_picture(c, 2, 1, "E2")
    c = with_motion_lease("R-ROLL-4", "privacy", "reject", "No picture from before privacy is sent after it.")
    c.request("hub", kind="privacy-on", sent=[c.report(1, 2, privacy=True)], expect={"sensor": "closed", "status": CLOSED})
    c.request("hub", kind="nonce", sent=[c.report(2, 3, nonce=True, privacy=True)])
    c.event("take", **{"as": "n1"})
    c.run(1000)
    c.request("hub", kind="privacy-off", nonce="n1", sent=[c.report(3, 4)], expect={"sensor": "open", "status": OPEN})
    c.request("hub", kind="motion")
    first_picture(c, 5, 4)


def areas():
    c = camera("R-AREA-2", "earlier-masks", "reject", "A picture that was encoded without the newest masks is not sent, and no picture that depends on it.")
    c.request("hub", sent=[c.report(0, 1)])
    c.run(100)
    c.capture("key", f"video E1/1 key {echo(1)}", f"still E1/2 still {echo(1)}")
    c.command(1, {3: [1, {5: [[0, 0, 500, 1000]]}]}, {"grants": [granted("E2", command=1)]})
    c.request("hub", epoch="E2", sent=[c.report(0, 2, "E2")])
    c.run(100)
    c.capture("key", earlier_masks=True)
    c.run(100)
    c.capture("delta")
    c.run(100)
    c.capture("key", f"video E2/1 key {echo(2)}", f"still E2/2 still {echo(2)}")
    c = camera("R-AREA-3", "motion-flag", "accept", "A frame has the flag of motion exactly if the camera detected motion in its picture.")
    c.request("hub", sent=[c.report(0, 1)])
    for counter, motion in ((1, False), (3, True), (4, False)):
        c.run(100)
        flag = " motion" if motion else ""
        c.capture(*(("key", f"video E1/1 key {echo(1)}", f"still E1/2 still {echo(1)}") if counter == 1 else
                    ("delta", f"video E1/{counter} delta depends {1 if counter == 3 else 3} {echo(1)}{flag}")), **({"motion": True} if motion else {}))


def undetected():
    title = "A camera that cannot detect motion keeps no picture for requests of the kind motion, and reports it. Other requests have their effect."
    for name in ("detector-off", "sensor-encodes"):
        c = camera("R-ROLL-8", name, "reject", title)
        off = name == "detector-off"
        c.command(1, {3: [1, {6: 0}]}, {"grants": [granted("E2", command=1)]}) if off else c.event("encoding_sensor", on=True)
        epoch = "E2" if off else "E1"
        c.request("hub", kind="motion", epoch=epoch, sent=[c.report(0, 1, epoch, motion=False)])
        c.run(100)
        c.capture("key", motion=True)
        c.run(4900)
        c.request("hub", kind="motion", epoch=epoch, sent=[c.report(1, 2, epoch, motion=False)])
        c.request("hub2", kind="record", epoch=epoch, sent=[c.report(2, 3, epoch, motion=False)])
        c.run(100)
        c.capture("key", f"video {epoch}/3 key {echo(2)} {echo(3)}", f"still {epoch}/4 still {echo(2)} {echo(3)}")
        c.run(10_000)  # no lease
        c.command(2, {3: [2, {6: 50}]}, {"grants": [granted("E3", command=2)]}) if off else c.event("encoding_sensor", on=False)
        epoch = "E3" if off else "E1"
        c.request("hub", kind="motion", epoch=epoch, sent=[c.report(0 if off else 5, 4, epoch)])
        first_picture(c, 4, 1 if off else 6, epoch)
    c = HubCase("R-ROLL-8", "reported", "accept", "A hub knows from the newest report whether the camera detects motion.", watched=False)
    c.roster(1)
    c.grants("A")
    c.event("record", {"detects_motion": None}, mode="motion")
    c.take("c1", "A", "motion")
    c.report(0, "c1", {"current": "A", "detects_motion": False}, f6=True)
    c.run(5000).take("c2", "A", "motion")
    c.report(3, "c2", {"detects_motion": True})
    c.report(2, "c2", {"detects_motion": True}, f6=True)


def hubs():
    c = HubCase("R-ROLL-6", "kinds", "accept", "A hub that records requests live pictures while a client watches, and otherwise what its setting needs.", watched=False)
    c.roster(1)
    c.grants("A")
    c.event("record", {"requests": ["record A"]}, mode="continuous")
    c.run(1000, {"requests": ["record A"]})
    c.event("watch", {"requests": ["live A"]}, on=True)
    c.run(1000, {"requests": ["live A"]})
    c.event("watch", on=False)
    c.run(1000, {"requests": ["record A"]})
    c.event("record", mode="motion")
    c.run(1000, {"requests": ["motion A"]})
    c.event("record", {"requests": []}, mode="off")
    c.run(2000, {"requests": []})
    c = HubCase("R-ROLL-7", "old-pictures", "reject", "A picture from before motion echoes a challenge of its time, so it is STALE. The first recent picture is LIVE.", watched=False)
    c.roster(1)
    c.grants("A")
    c.event("record", mode="motion")
    c.take("c1", "A", "motion")
    c.frame("A", "report", 0, {"not_shown": ["nothing_new"], "current": "A"}, echo="c1")
    c.run(8000, {"requests": ["motion A"]})
    c.take("c2", "A", "motion")
    c.frame("A", "key", 1, {"shown": ["A/1 STALE"], "state": "STALE"}, echo="c1", header={"age": 8000})
    c.frame("A", "delta", 2, {"shown": ["A/2 LIVE"], "state": "LIVE"}, echo="c2")


requests()
preroll()
emptied()
areas()
undetected()
hubs()
