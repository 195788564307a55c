# SPDX-License-Identifier: Apache-2.0
"""R-PRIV: who closes and opens the sensor."""
from cases.builder import CameraCase, granted

CLOSED = {"online": True, "privacy": True, "deregistered": False}


def camera(rule, name, kind, title, **more):
    return CameraCase(rule, name, kind, title, **more)


def on(c, **more):
    return c.request("hub", kind="privacy-on", expect={"sensor": "closed", "status": CLOSED}, **more)


c = camera("R-PRIV-1", "on", "accept", "A hub that may switch privacy closes the sensor. Reports continue, pictures do not.")
on(c)
c.request("hub", sent=[c.report(0, 2)])
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
c.request("hub", kind="privacy-on", seq=20, expect={"sensor": "closed"})
c.run(1000)
c.request("hub", kind="privacy-on", seq=20, result="replayed")
c = camera("R-PRIV-5", "closed-first", "reject", "The sensor closes although the value cannot be stored.")
c.event("storage", fails=["privacy"])
on(c)
c.capture("key")
c = camera("R-PRIV-6", "restart", "accept", "Privacy persists over a restart.")
on(c)
c.event("restart", {"grants": [granted("E2")], "sensor": "closed", "status": CLOSED})
