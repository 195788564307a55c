# SPDX-License-Identifier: Apache-2.0
"""R-CMD: commands of the owner. R-RESET: the deregistration notice."""
from cases.builder import OWNER, PARTIES, CameraCase, granted

CLOSED = {"online": True, "privacy": True, "deregistered": False}
NAME, PRIVACY, SETTINGS, WIFI, RESET = 1, 2, 3, 4, 5
NETWORK = {1: b"home", 2: "correct horse"}


def camera(rule, name, kind, title, **more):
    return CameraCase(rule, name, kind, title, **more)


def epoch(number, command):
    return [granted(f"E{number}", command=command)]


c = camera("R-CMD-5", "privacy", "accept", "The owner closes the sensor with a command. The grants of the next epoch confirm its number.")
c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "command": 3, "sensor": "closed", "status": CLOSED})
c.command(4, {PRIVACY: [4, False]}, {"grants": epoch(3, 4), "command": 4, "sensor": "open", "status": {**CLOSED, "privacy": False}})
c = camera("R-CMD-5", "sensor-still-open", "reject", "A command with privacy is not confirmed before the sensor is closed.")
c.event("sensor", slow=True)
c.command(3, {PRIVACY: [3, True]}, {"command": 0, "epoch": "E1", "sensor": "open", "status": None})
c.run(1000, command=0, epoch="E1", status=None)
c.event("sensor", slow=False)
c.run(100, grants=epoch(2, 3), command=3, sensor="closed", status=CLOSED)
c = camera("R-CMD-1", "older", "reject", "A command with a smaller number than the stored one is rejected.")
c.command(4, {NAME: [4, "Yard"]}, {"grants": epoch(2, 4), "command": 4})
c.command(3, {PRIVACY: [3, True]}, {"rejected": ["command"], "command": 4, "sensor": "open"})
c = camera("R-CMD-1", "same-again", "accept", "The stored command again changes nothing, and neither does an empty message.")
c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "sensor": "closed"})
c.command(3, {PRIVACY: [3, True]}, {"command": 3, "epoch": "E2"})
c.deliver(c.topic("command"), "empty", b"", "an empty message", {"command": 3, "epoch": "E2"})
c = camera("R-CMD-1", "after-a-restart", "reject", "The number of the newest command is durable.")
c.command(4, {NAME: [4, "Yard"]}, {"grants": epoch(2, 4)})
c.event("restart", {"grants": epoch(3, 4), "command": 4})
c.command(3, {PRIVACY: [3, True]}, {"rejected": ["command"], "sensor": "open"})
c = camera("R-CMD-3", "since", "reject", "An item is applied only if its 'since' is greater than the last completely applied command.")
c.command(3, {PRIVACY: [3, False]}, {"grants": epoch(2, 3), "sensor": "open"})
c.switch("hub", True, 0, "E2")
c.command(4, {NAME: [4, "Yard"], PRIVACY: [3, False]}, {"grants": epoch(3, 4), "sensor": "closed"})
c.command(5, {PRIVACY: [5, False]}, {"grants": epoch(4, 5), "sensor": "open"})
c = camera("R-CMD-4", "absent", "accept", "An absent item keeps its value.")
c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "sensor": "closed"})
c.command(4, {NAME: [4, "Yard"]}, {"grants": epoch(3, 4), "sensor": "closed"})
c.command(5, {}, {"grants": epoch(4, 5), "sensor": "closed"})

for name, title, more in (
        ("by-another-key", "Only the owner signs commands.", {"by": PARTIES["hub"]}),
        ("in-the-owners-name", "A command that another key signed in the owner's name is rejected.", {"by": PARTIES["hub"], "signer": OWNER.id}),
        ("sealed-to-another-camera", "A command is sealed to the camera's HPKE key.", {"recipient": PARTIES["hub"].hpke_public}),
        ("number-in-info", "The info of HPKE contains the number, so that a content cannot move to another command.", {"info_seq": 2})):
    c = camera("R-CMD-1", name, "reject", title)
    c.command(3, {PRIVACY: [3, True]}, {"rejected": ["command"], "command": 0, "sensor": "open", "epoch": "E1"}, name="bad", **more)
    c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "sensor": "closed"})
for name, title, items in (
        ("since-in-the-future", "'since' is at most the command's own number.", {PRIVACY: [4, True]}),
        ("since-zero", "'since' is not 0.", {PRIVACY: [0, True]}),
        ("unknown-item", "A command with an unknown item is malformed.", {PRIVACY: [3, True], 7: [3, True]}),
        ("privacy-without-a-value", "Privacy is true or false.", {PRIVACY: [3, 1]}),
        ("short-passphrase", "A passphrase has 8 to 63 printable characters.", {WIFI: [3, {1: b"home", 2: "short"}]}),
        ("no-ssid", "An SSID has 1 to 32 bytes.", {WIFI: [3, {1: b"", 2: "correct horse"}]}),
        ("width-without-height", "Width and height are set together.", {SETTINGS: [3, {2: 640}]}),
        ("empty-name", "A name has 1 to 64 bytes.", {NAME: [3, ""], PRIVACY: [3, True]}),
        ("reset-false", "A reset has the value true.", {RESET: [3, False]})):
    c = camera("R-ENV-3", "command-" + name, "reject", title)
    c.command(3, items, {"rejected": ["command"], "command": 0, "sensor": "open", "epoch": "E1"}, name="bad")
    c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "sensor": "closed"})
WHOLE = [0, 0, 1000, 1000]
c = camera("R-AREA-1", "largest-settings", "accept", "Eight masks and eight zones fit into a command, and so do the highest sensitivity and none.")
c.command(3, {SETTINGS: [3, {1: 4_294_967_295, 2: 65535, 3: 65535, 4: 1000, 5: [WHOLE] * 8, 6: 100, 7: [[999, 999, 1, 1]] * 8}]},
          {"grants": epoch(2, 3), "command": 3})
c.command(4, {SETTINGS: [4, {6: 0}]}, {"grants": epoch(3, 4), "command": 4})
for name, title, settings in (
        ("nine-masks", "A list has at most eight areas.", {5: [WHOLE] * 9}),
        ("no-masks", "A list of areas is not empty.", {5: []}),
        ("nine-zones", "A list of zones has at most eight areas.", {7: [WHOLE] * 9}),
        ("too-wide", "An area ends inside of the picture.", {5: [[1, 0, 1000, 1000]]}),
        ("too-high", "An area ends inside of the picture, also below.", {5: [[0, 500, 1000, 501]]}),
        ("without-width", "The width of an area is at least 1.", {5: [[0, 0, 0, 1000]]}),
        ("without-height", "The height of an area is at least 1.", {7: [[0, 0, 1000, 0]]}),
        ("three-numbers", "An area has four numbers.", {5: [[0, 0, 1000]]}),
        ("beyond-32-bits", "The sum of two numbers does not wrap.", {5: [[4_294_967_295, 0, 2, 1000]]}),
        ("negative", "Numbers of an area are not negative.", {5: [[-1, 0, 10, 10]]}),
        ("sensitivity-101", "The sensitivity is at most 100.", {6: 101})):
    c = camera("R-AREA-1", name, "reject", title)
    c.command(3, {SETTINGS: [3, settings], PRIVACY: [3, True]}, {"rejected": ["command"], "command": 0, "sensor": "open", "epoch": "E1"}, name="bad")
    c.command(3, {SETTINGS: [3, {5: [WHOLE], 6: 100, 7: [WHOLE]}], PRIVACY: [3, True]}, {"grants": epoch(2, 3), "command": 3, "sensor": "closed"})
c = camera("R-ROSTER-8", "four-commands-per-second", "reject", "A camera verifies at most 4 commands per second.")
for seq in range(1, 5):
    c.command(seq, {NAME: [seq, f"Camera {seq}"]}, {"grants": epoch(seq + 1, seq)})
c.command(5, {PRIVACY: [5, True]}, {"rejected": ["command"], "sensor": "open"})
c.run(1000)
c.command(5, {PRIVACY: [5, True]}, {"grants": epoch(6, 5), "sensor": "closed"})
c = camera("R-RESET-1", "reset", "accept", "A reset publishes the deregistration notice. The camera seals nothing more.")
c.first("hub")
c.command(3, {RESET: [3, True]}, {"status": {"online": False, "privacy": False, "deregistered": True}, "epoch": None})
c.request("hub", result=None)
c.run(100)
c.capture("key")

OPEN = {**CLOSED, "privacy": False}


def unstored(number, command=None):
    return [granted(f"E{number}", not_stored=True, **({"command": command} if command else {}))]


c = camera("R-CMD-2", "privacy-on", "accept", "Privacy-on does not wait for a disk that is full. The other items do, and the grants say 'not stored'.")
c.event("storage", fails=["command"])
c.command(3, {NAME: [3, "Yard"], PRIVACY: [3, True]}, {"sensor": "closed", "status": CLOSED, "command": 0, "epoch": "E1"})
c.run(100, grants=unstored(2), command=0, sensor="closed")
c.event("storage", fails=[])
c.run(61_000, grants=epoch(3, 3), command=3, sensor="closed")
c = camera("R-CMD-2", "privacy-off", "reject", "A command that is not stored opens no sensor.")
c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(2, 3), "sensor": "closed"})
c.event("storage", fails=["command"])
c.command(4, {PRIVACY: [4, False]}, {"sensor": "closed", "command": 3, "epoch": "E2"})
c.run(100, grants=unstored(3, 3), sensor="closed")
c.event("storage", fails=[])
c.run(61_000, grants=epoch(4, 4), command=4, sensor="open", status=OPEN)
c = camera("R-CMD-2", "reset", "reject", "A reset waits until its command is stored.")
c.event("storage", fails=["command"])
c.command(3, {RESET: [3, True]}, {"status": None, "epoch": "E1"})
c.run(100, grants=unstored(2), status=None)
c.event("storage", fails=[])
c.run(61_000, status={"online": False, "privacy": False, "deregistered": True}, epoch=None)
c = camera("R-CMD-2", "power-cut", "reject", "A restart loses a command that is not stored. This is what 'not stored' says. The broker delivers it again.")
c.event("storage", fails=["command"])
c.command(3, {PRIVACY: [3, True]}, {"sensor": "closed", "command": 0})
c.event("restart", {"grants": [granted("E2")], "command": 0, "sensor": "closed"})
c.event("storage", fails=[])
c.command(3, {PRIVACY: [3, True]}, {"grants": epoch(3, 3), "command": 3, "sensor": "closed"})

c = camera("R-CMD-6", "stored-network", "accept", "A command with a network is confirmed when the camera stored the network. The join attempt comes later.")
c.command(3, {WIFI: [3, NETWORK]}, {"grants": epoch(2, 3), "command": 3})
c = camera("R-CMD-6", "full-disk", "reject", "A command whose network cannot be stored is not confirmed.")
c.event("storage", fails=["network"])
c.command(3, {WIFI: [3, NETWORK]}, {"command": 0, "epoch": "E1"})
c.run(1000, command=0, epoch="E1")
c.event("storage", fails=[])
c.run(61_000, grants=epoch(2, 3), command=3)
c = camera("R-CMD-3", "restart", "accept", "After a restart, a camera applies a stored command that was not completed.")
c.event("storage", fails=["network"])
c.command(3, {PRIVACY: [3, True], WIFI: [3, NETWORK]}, {"command": 0, "sensor": "closed", "status": CLOSED})
c.event("storage", fails=[])
c.event("restart", {"grants": epoch(2, 3), "command": 3, "sensor": "closed"})
