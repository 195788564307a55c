# SPDX-License-Identifier: Apache-2.0
"""R-PRIV: who closes and opens the sensor."""
from cases.builder import CameraCase, granted

CLOSED = {"online": True, "privacy": True, "deregistered": False}


def camera(rule, name, kind, title, **more):
    return CameraCase(rule, name, kind, title, **more)


def on(c, counter=0, **more):
    return c.switch("hub", True, counter, expect={"status": CLOSED}, **more)


c = camera("R-PRIV-1", "on", "accept", "A hub that may switch privacy closes the sensor. Reports continue, pictures do not.")
on(c)
c.request("hub", sent=[c.report(1, 2, privacy=True)])
c.run(100)
c.capture("key")
c.check(sensor="closed", epoch="E1")
c = camera("R-PRIV-1", "not-allowed", "reject", "Only a hub with field 4 in its roster entry switches privacy.")
c.request("hub2", kind="privacy-on", result="not_allowed", expect={"sensor": "open"})
on(c)
c = camera("R-PRIV-2", "checks", "reject", "Privacy requests are checked like all view requests.")
c.epoch("X", 7)
c.request("hub", kind="privacy-on", epoch="X", result="wrong_epoch", expect={"sensor": "open"})
c.request("hub3", kind="privacy-on", result="unknown_hub", expect={"sensor": "open"})
c.request("stranger", kind="privacy-on", claims="hub", topic_hub="hub", result="bad_signature", expect={"sensor": "open"})
c.switch("hub", True, 0, seq=20)
c.run(1000)
c.request("hub", kind="privacy-on", seq=20, result="replayed")
c = camera("R-PRIV-5", "closed-first", "reject", "The sensor closes although the value cannot be stored.")
c.event("storage", fails=["privacy"])
on(c)
c.capture("key")
c = camera("R-PRIV-6", "restart", "accept", "Privacy persists over a restart.")
on(c)
c.event("restart", {"grants": [granted("E2")], "sensor": "closed", "status": CLOSED})


def answered(c, counter, **state):
    """A live request of `hub`, and the report that answers it."""
    return c.request("hub", sent=[c.report(counter, c.seq + 1, **state)])


c = camera("R-STATE-1", "privacy", "accept", "A report has field 4 exactly while the sensor is closed.")
answered(c, 0)
on(c, 1)
c.run(1000)
answered(c, 2, privacy=True)
c = camera("R-STATE-1", "fault", "accept", "A report has field 5 exactly while the camera knows why it sends no pictures.")
c.event("fault", number=1)
answered(c, 0, fault=1)
c.run(1000)
c.event("fault", number=3)
answered(c, 1, fault=3)
c.run(1000)
c.event("fault", number=None)
c.request("hub2", sent=[c.report(2, c.seq + 1)])
c = camera("R-STATE-1", "state-at-sealing", "reject", "A report has the state at the moment of sealing, not the one at the arrival of the request.")
c.event("broker", answers=False)
c.new_roster(2, grants=[granted("E2", roster=2)])
c.request("hub2", epoch="E2")
c.request("hub", kind="privacy-on", epoch="E2", expect={"sensor": "closed", "status": CLOSED})
c.event("broker", {"sent": [c.report(0, 1, "E2", 2, privacy=True), c.report(1, 2, "E2", 2, privacy=True)]}, answers=True)
c = camera("R-STATE-2", "each-request", "accept", "During privacy a camera answers each accepted picture request with a report.")
on(c)
for counter in range(1, 4):
    c.run(1000)
    answered(c, counter, privacy=True)
c.request("hub2", kind="still", sent=[c.report(4, c.seq + 1, privacy=True)])
c = camera("R-STATE-2", "with-pictures", "reject", "A camera that sends pictures answers only the first request of a hub in an epoch with a report.")
answered(c, 0)
c.run(1000)
c.request("hub")
c.run(1000)
on(c, 1)
answered(c, 2, privacy=True)
c = camera("R-STATE-2", "fault", "accept", "With a fault, a camera answers each accepted picture request with a report.")
answered(c, 0)
c.run(1000)
c.event("fault", number=2)
answered(c, 1, fault=2)
c.run(1000)
answered(c, 2, fault=2)
c.run(1000)
c.event("fault", number=None)
c.request("hub")
c = camera("R-STATE-2", "again", "accept", "A request for privacy that changes nothing is answered too.")
on(c)
c.run(1000)
c.switch("hub", True, 1)
c = camera("R-STATE-2", "rejected", "reject", "A rejected request is not answered.")
on(c)
c.request("hub2", kind="privacy-on", result="not_allowed", sent=[])
c.request("hub3", result="unknown_hub", sent=[])
c.request("hub2", sent=[c.report(1, c.seq + 1, privacy=True)])
c = camera("R-STATE-2", "rate", "reject", "The limits of requests are those of the answers: two a second for each hub.")
on(c)
answered(c, 1, privacy=True)
c.request("hub", result="too_often", sent=[])
c.run(1000)
answered(c, 2, privacy=True)
