# SPDX-License-Identifier: Apache-2.0
"""R-OWNER: what the owner's program confirms."""
from cases.builder import CAMERA, HUB, PARTIES, OwnerCase


def owner(rule, name, kind, title, **more):
    return OwnerCase(rule, name, kind, title, **more)


def grants(c, expect, version=3, epoch="A", **more):
    return c.grants(epoch, version=version, expect=expect, **more)


c = owner("R-OWNER-1", "confirmed", "accept", "Grants of the camera that name the roster's version and hash confirm it.")
c.check(confirmed=0, pending=True, contradicted=False)
grants(c, {"confirmed": 3, "pending": False, "contradicted": False})
c = owner("R-OWNER-1", "not-stored", "reject", "Grants with 'not stored' confirm nothing: a restart would bring the old roster back.")
grants(c, {"confirmed": 0, "pending": True, "contradicted": False}, more={9: True})
grants(c, {"confirmed": 3, "pending": False}, epoch="B")
c = owner("R-OWNER-1", "by-another-device", "reject", "Only the camera's own grants confirm a roster.")
grants(c, {"confirmed": 0, "pending": True}, by=PARTIES["hub"], name="by-hub")
grants(c, {"confirmed": 0, "pending": True}, by=PARTIES["hub"], name="in-the-cameras-name", signer=CAMERA.id)
grants(c, {"confirmed": 3, "pending": False})
c = owner("R-OWNER-1", "older", "reject", "Grants with an older version confirm nothing.")
grants(c, {"confirmed": 0, "pending": True, "contradicted": False}, version=2)
grants(c, {"confirmed": 3, "pending": False}, epoch="B")
c = owner("R-OWNER-2", "replay", "accept", "Grants with an older version than earlier ones are a replay. They change nothing.")
grants(c, {"confirmed": 3, "pending": False}, epoch="B")
grants(c, {"confirmed": 3, "pending": False, "contradicted": False}, version=2)
c = owner("R-OWNER-2", "newer", "reject", "Grants with a newer version than the owner signed mean that a second copy of the account is in use.")
grants(c, {"confirmed": 0, "pending": True, "contradicted": True}, version=4)
c = owner("R-OWNER-2", "other-hash", "reject", "Another hash for the same version means that a second copy of the account is in use.")
grants(c, {"confirmed": 0, "pending": True, "contradicted": True}, roster_hash=bytes(32))
c = owner("R-OWNER-2", "two-hashes", "reject", "A camera that named two hashes for one version stays contradicted, also if a replay of older grants lies between.")
grants(c, {"confirmed": 0, "contradicted": True}, roster_hash=bytes(32))
grants(c, {"confirmed": 0, "contradicted": True}, epoch="B", version=2)
grants(c, {"confirmed": 0, "contradicted": True, "pending": True}, epoch="C")
c = owner("R-ENV-6", "second-signature", "accept", "The broker cannot make a contradiction: the hash covers the payload, so a second signature of the roster has the same hash.")
grants(c, {"confirmed": 3, "pending": False, "contradicted": False})
c = owner("R-ENV-5", "owner-high-s", "reject", "The owner's program rejects the greater s too.")
grants(c, {"confirmed": 0, "pending": True}, name="high-s", high_s=True)
grants(c, {"confirmed": 3, "pending": False})
c = owner("R-CMD-5", "confirmed", "accept", "The number in field 7 confirms a command.", command=5)
grants(c, {"confirmed": 3, "pending": True, "command": 4}, more={7: 4})
grants(c, {"confirmed": 3, "pending": False, "command": 5}, epoch="B", more={7: 5})
c = owner("R-OWNER-3", "status", "reject", "A status confirms no command: the broker may send one from before it, or from an earlier privacy.", command=5)
c.status(True, True, expect={"confirmed": 0, "pending": True, "command": 0, "deregistered": False})
grants(c, {"confirmed": 3, "pending": True, "command": 4}, more={7: 4})
c.status(True, True, expect={"pending": True, "command": 4})
grants(c, {"pending": False, "command": 5}, epoch="B", more={7: 5})
c.status(True, expect={"pending": False, "command": 5})
c = owner("R-GRANT-6", "command-not-stored", "reject", "Grants with 'not stored' do not confirm a command.", command=5)
grants(c, {"pending": True}, more={7: 5, 9: True})
grants(c, {"pending": False, "command": 5}, epoch="B", more={7: 5})
c = owner("R-RESET-2", "offline", "reject", "A lost connection does not look like a reset.")
c.status(False, expect={"deregistered": False})
c.status(False, reset=True, by=PARTIES["hub"], name="by-hub", expect={"deregistered": False})
c.status(False, reset=True, expect={"deregistered": True})
