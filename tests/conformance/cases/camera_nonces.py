# SPDX-License-Identifier: Apache-2.0
"""R-PRIV: the nonces with which hubs open the sensor."""
from cases.builder import PARTIES, CameraCase, granted, hub_entry

CLOSED = {"online": True, "privacy": True, "deregistered": False}
OPENED = {**CLOSED, "privacy": False}


def camera(rule, name, kind, title):
    """A camera whose sensor `hub` has closed."""
    c = CameraCase(rule, name, kind, title)
    return c.switch("hub", True, 0, expect={"status": CLOSED})


def nonce(c, name="n1", counter=1):
    c.request("hub", kind="nonce", sent=[c.report(counter, c.seq + 1, nonce=True, privacy=True)], expect={"sensor": "closed"})
    return c.event("take", **{"as": name})


def off(c, name="n1", result="accepted", counter=2, **more):
    if result == "accepted":
        return c.switch("hub", False, counter, nonce=name, expect={"status": OPENED}, **more)
    return c.request("hub", kind="privacy-off", nonce=name, result=result, expect={"sensor": "closed"}, **more)


c = nonce(camera("R-PRIV-3", "nonce", "accept", "privacy-off with the nonce of a report opens the sensor."))
c.run(1000)
off(c)
c = nonce(camera("R-PRIV-2", "no-lease", "reject", "A privacy request starts no lease."))
c.run(1000)
off(c)
c.capture("key")
c = camera("R-PRIV-3", "wrong-nonce", "reject", "A nonce that the camera did not issue opens nothing.")
off(c, "0102030405060708", "not_allowed")
c = nonce(camera("R-PRIV-3", "wrong-nonce-first", "accept", "A wrong nonce does not use up the right one."))
c.run(1000)
off(c, "0102030405060708", "not_allowed")
off(c)
c = nonce(camera("R-PRIV-3", "used-nonce", "reject", "A nonce is valid once."))
c.run(1000)
off(c)
c.switch("hub", True, 3, expect={"status": CLOSED})
c.run(1000)
off(c, "n1", "not_allowed")
c = nonce(camera("R-PRIV-3", "old-nonce", "reject", "A nonce is valid for 10 s. A request that was held back opens nothing."))
c.run(10_100)
off(c, "n1", "not_allowed")
nonce(c, "n2", 2)
c.run(9900)
off(c, "n2", counter=3)
c = nonce(camera("R-PRIV-3", "suspended", "reject", "The 10 s of a nonce include the time during which the camera slept."))
c.event("suspend", ms=10_100)
c.run(1000)
off(c, "n1", "not_allowed")
c = nonce(camera("R-PRIV-3", "wall-clock", "accept", "A step of the wall clock changes nothing for a nonce."))
c.event("step", clock="wall", ms=3_600_000)
c.run(1000)
off(c)
c = CameraCase("R-PRIV-3", "nonce-of-another-hub", "reject", "A nonce is valid for the hub that requested it.")
c.roster(2, [hub_entry(PARTIES["hub"], privacy=True), hub_entry(PARTIES["hub2"], privacy=True)], {"grants": [granted("E2", roster=2)]})
c.switch("hub", True, 0, "E2", 2)
c.request("hub", epoch="E2", kind="nonce", sent=[c.report(1, 2, "E2", 2, True, True)])
c.event("take", **{"as": "n1"})
c.request("hub2", epoch="E2", kind="privacy-off", nonce="n1", result="not_allowed", expect={"sensor": "closed"})
c = CameraCase("R-PRIV-4", "not-for-every-hub", "reject", "A hub that may not switch privacy receives no nonce.")
c.request("hub2", kind="nonce", result="not_allowed")
c = nonce(camera("R-PRIV-4", "replaced-nonce", "reject", "The newest nonce of a hub replaces its earlier one."))
c.run(1000)
nonce(c, "n2", 2)
off(c, "n1", "not_allowed")
c = nonce(camera("R-PRIV-4", "new-epoch", "reject", "A new epoch ends all nonces."))
c.new_roster(2, grants=[granted("E2", roster=2)])
c.run(1000)
off(c, "n1", "not_allowed", epoch="E2")
c = nonce(camera("R-PRIV-5", "stored-first", "reject", "The sensor is opened only after the value was stored."))
c.run(1000)
c.event("storage", fails=["privacy"])
c.request("hub", kind="privacy-off", nonce="n1", sent=[c.report(2, c.seq + 1, privacy=True)], expect={"sensor": "closed"})
