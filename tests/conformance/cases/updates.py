# SPDX-License-Identifier: Apache-2.0
"""R-UPDATE: the software report in grants, and the owner's decision about updates."""
from cases.builder import CAMERA, HUB, OWNER, TIME, CameraCase, HubCase, granted
from sealcam1 import messages, wire

UPDATE = 6
START, DEFER, REJECT = 2, 3, 4
SOFTWARE = {1: "0.1.0", 2: {1: "0.1.0", 2: 2, 3: "0.2.0", 4: ["0.1.9", 2, "no broker", TIME]}}
TEXT = f"0.1.0, image 0.1.0, state 2, offer 0.2.0, last 0.1.9 result 2 at {TIME} because no broker"


def sealed(epoch, content, kid=None, counter=0, camera=CAMERA.id, number=None, size=messages.SOFTWARE_SIZE, padding=b"\0"):
    """The ciphertext of a software report."""
    plaintext = content if isinstance(content, bytes) else wire.encode(content)
    plaintext += padding * ((size - len(plaintext)) // len(padding))
    number = epoch.number if number is None else number
    metadata = messages.software_metadata(OWNER.id, camera, number)
    return wire.sframe_seal(epoch.suite, epoch.base_key, messages.software_kid(epoch.number) if kid is None else kid, counter, metadata, plaintext)


def entry(epoch, content=None, kem=0, key=0, enc=b"\0", **more):
    return {CAMERA.id: [kem, key, enc, sealed(epoch, content or SOFTWARE, **more)]}


def hub(rule, name, kind, title):
    c = HubCase(rule, name, "accept" if kind == "accept" else "reject", title)
    c.roster(1)
    return c


c = hub("R-UPDATE-1", "opened", "accept", "A hub opens the software report. Each field may be absent, except the version and the state.")
c.grants("A", entries=entry(c.epoch("A")), expect={"requests": ["live A"], "software": TEXT})
c.grants("B", entries=entry(c.epoch("B"), {1: "0.2.0", 2: {2: 1}}), expect={"requests": ["live B"], "software": "0.2.0, state 1"})
c.grants("C", entries=entry(c.epoch("C"), {1: "0.2.0"}), expect={"requests": ["live C"], "software": "0.2.0"})
c.grants("D", expect={"requests": ["live D"], "software": None})
c = hub("R-UPDATE-1", "suite-5", "accept", "The software report has the suite of the epoch.")
e = c.epoch("A", None, suite=5)
c.grants(e, entries=entry(e), expect={"requests": ["live A"], "software": TEXT})
c = hub("R-UPDATE-1", "not-ascending", "reject", "The camera's entry has its place in the order of the ids.")
body = c.grants_body(c.epoch("A"), entries=entry(c.epoch("A")))
first, second = (wire.encode(key) + wire.encode(value) for key, value in sorted(body[6].items()))
c.deliver(c.topic("grants"), "descending", c.signed("grants", wire.encode(body).replace(first + second, second + first), CAMERA),
          "grants of epoch A, the ids in descending order", {"rejected": ["malformed"], "requests": []})
c.grants("A", entries=entry(c.epoch("A")), expect={"requests": ["live A"], "software": TEXT})

LAST = {1: "0.1.0", 2: {2: 1, 4: ["", 1, "", 0]}}
for name, title, more in (
        ("epoch-as-kid", "The KID of a software report is not the epoch.", lambda e: entry(e, kid=e.number)),
        ("counter-1", "The counter of a software report is 0.", lambda e: entry(e, counter=1)),
        ("other-camera", "The metadata contains the camera.", lambda e: entry(e, camera=HUB.id)),
        ("other-epoch", "The metadata contains the epoch.", lambda e: entry(e, number=77)),
        ("other-kem", "The entry has the KEM 0.", lambda e: entry(e, kem=16)),
        ("other-key", "The entry has the key 0.", lambda e: entry(e, key=1)),
        ("other-enc", "The enc of the entry is one byte 0.", lambda e: entry(e, enc=b"\1")),
        ("no-ciphertext", "A report that is cut short is ignored.", lambda e: {CAMERA.id: [0, 0, b"\0", b""]}),
        ("bytes-after-it", "Zeros follow the content.", lambda e: entry(e, padding=b"\1")),
        ("no-version", "The version is not absent.", lambda e: entry(e, {2: {2: 1}})),
        ("long-version", "A version has at most 24 bytes.", lambda e: entry(e, {1: "1" * 25})),
        ("no-state", "An update has a state.", lambda e: entry(e, {1: "0.1.0", 2: {3: "0.2.0"}})),
        ("state-zero", "A state is not 0.", lambda e: entry(e, {1: "0.1.0", 2: {2: 0}})),
        ("long-reason", "A reason has at most 80 bytes.", lambda e: entry(e, {1: "0.1.0", 2: {2: 1, 4: ["", 1, "\u00e9" * 41, 0]}})),
        ("time-out-of-range", "A time has 53 bits.", lambda e: entry(e, {1: "0.1.0", 2: {2: 1, 4: ["", 1, "", (1 << 53) + 1]}})),
        ("labels-out-of-order", "Labels are ascending.", lambda e: entry(e, b"\xa2\x02\xa1\x02\x01\x01\x650.1.0"))):
    c = hub("R-UPDATE-2", name, "reject", title + " The grants are valid without the report.")
    c.grants("A", entries=more(c.epoch("A")), expect={"requests": ["live A"], "software": None})
    c.grants("B", entries=entry(c.epoch("B"), LAST), expect={"requests": ["live B"], "software": "0.1.0, state 1, last  result 1 at 0 because "})
# Unknown labels: the value is encoded, because some of these values are not of the protocol.
NEWER = {"null": b"\xf6", "undefined": b"\xf7", "simple-value": b"\xe0", "float": b"\xf9\x3c\x00", "array": b"\x80", "map": b"\xa0", "tag": b"\xc1\x00",
         "long-number": b"\x18\x17", "not-utf-8": b"\x61\xff", "cut-short": b"\x58\xff"}


def with_newer(label, value):
    """Two reports, each with one more encoded label and value: in the report, and in its update."""
    report, update = {1: "0.1.0", 2: {2: 1}}, wire.encode({2: 1})
    return [b"\xa3" + wire.encode(report)[1:] + label + value, b"\xa2" + wire.encode({1: "0.1.0"})[1:] + b"\x02" + b"\xa2" + update[1:] + label + value]


def newer_case(name, title, label, value):
    c = hub("R-UPDATE-2", name, "reject", title + " The grants are valid without the report.")
    for number, content in enumerate(with_newer(label, value)):
        c.grants(f"A{number}", entries=entry(c.epoch(f"A{number}"), content), expect={"requests": [f"live A{number}"], "software": None})
    for number, content in enumerate(with_newer(b"\x18\xff", b"\x01")):
        c.grants(f"B{number}", entries=entry(c.epoch(f"B{number}"), content), expect={"requests": [f"live B{number}"], "software": "0.1.0, state 1"})


for name, value in NEWER.items():
    newer_case(f"newer-{name}", "The value of an unknown label is an integer, a byte string, a text or a boolean.", b"\x18\x20", value)
for name, label in (("label-256", b"\x19\x01\x00"), ("label-of-33-bits", b"\x1b\0\0\0\1\0\0\0\0"), ("negative-label", b"\x20"), ("text-label", b"\x61a"),
                    ("boolean-label", b"\xf5")):
    newer_case(name, "An unknown label is a number up to 255.", label, b"\x01")
c = hub("R-UPDATE-2", "newer-out-of-order", "reject", "Unknown labels are ascending. The grants are valid without the report.")
for number, content in enumerate((b"\xa3\x01\x650.1.0\x04\x01\x03\x01", b"\xa3\x01\x650.1.0\x03\x01\x03\x01", b"\xa2\x03\x01\x01\x650.1.0")):
    c.grants(f"A{number}", entries=entry(c.epoch(f"A{number}"), content), expect={"requests": [f"live A{number}"], "software": None})
c.grants("B", entries=entry(c.epoch("B"), b"\xa3\x01\x650.1.0\x03\x01\x04\x01"), expect={"requests": ["live B"], "software": "0.1.0"})
c = hub("R-UPDATE-2", "of-a-newer-camera", "accept", "Unknown labels above the known ones are skipped. Unknown values are other.")
c.grants("A", entries=entry(c.epoch("A"), {1: "9.0.0", 2: {2: 200, 4: ["8.0.0", 6, "x", 1], 5: -(1 << 64), 9: "\u00e9", 255: False},
                                           3: b"\xf6", 4: (1 << 64) - 1, 255: True}),
         expect={"requests": ["live A"], "software": "9.0.0, state 8, last 8.0.0 result 5 at 1 because x"})
c = hub("R-UPDATE-2", "pictures", "accept", "The report has no influence on the pictures of the epoch.")
c.grants("A", entries=entry(c.epoch("A")), expect={"requests": ["live A"]})
c.take("c1", "A").frame("A", "key", 0, {"shown": ["A/0 LIVE"], "current": "A"}, echo="c1")
c = hub("R-UPDATE-4", "older-epoch", "reject", "Grants of an epoch with a smaller counter bring no older report back.")
new, old = c.epoch("B", 9), c.epoch("A", 8)
c.grants(new, entries=entry(new), expect={"requests": ["live B"], "software": TEXT})
c.grants(old, entries=entry(old, {1: "0.0.9"}), expect={"requests": ["live A"], "software": TEXT})
newer = c.epoch("C", 10)
c.grants(newer, entries=entry(newer, {1: "0.2.0"}), expect={"requests": ["live C"], "software": "0.2.0"})


def camera(name, kind, title):
    return CameraCase("R-UPDATE-5", name, kind, title)


def epoch(number, command):
    return [granted(f"E{number}", command=command)]


c = camera("decisions", "accept", "Each decision replaces the earlier one. A command without one keeps it.")
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"grants": epoch(2, 3), "command": 3, "update": "start 0.2.0"})
c.command(4, {UPDATE: [4, {1: DEFER, 3: TIME}]}, {"grants": epoch(3, 4), "update": f"defer {TIME}"})
c.command(5, {UPDATE: [5, {1: REJECT, 2: "0.2.0"}]}, {"grants": epoch(4, 5), "update": "reject 0.2.0"})
c.command(6, {}, {"grants": epoch(5, 6), "update": "reject 0.2.0"})
c.run(1000)
c.command(7, {UPDATE: [7, {1: 1}]}, {"grants": epoch(6, 7), "update": "automatic"})
c = camera("older", "reject", "A broker that sends an old command again does not bring an old decision back, also after a restart.")
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"grants": epoch(2, 3), "update": "start 0.2.0"})
c.command(4, {UPDATE: [4, {1: REJECT, 2: "0.2.0"}]}, {"grants": epoch(3, 4), "update": "reject 0.2.0"})
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"rejected": ["command"], "update": "reject 0.2.0"})
c.event("restart", {"grants": epoch(4, 4)})
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"rejected": ["command"], "update": "reject 0.2.0"})
c = camera("since", "reject", "A decision that was applied is not applied again with a later command.")
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"grants": epoch(2, 3), "update": "start 0.2.0"})
c.event("storage", fails=["network"])
c.command(4, {2: [4, False], UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"grants": epoch(3, 4), "command": 4})
c = camera("full-disk", "reject", "A command whose decision cannot be stored is not confirmed.")
c.event("storage", fails=["network"])
c.command(3, {UPDATE: [3, {1: START, 2: "0.2.0"}]}, {"command": 0, "epoch": "E1", "update": None})
c.event("storage", fails=[])
c.run(61_000, grants=epoch(2, 3), command=3, update="start 0.2.0")
for name, title, decision in (
        ("no-action", "A decision has an action.", {2: "0.2.0"}),
        ("unknown-action", "An action is 1 to 4.", {1: 5}),
        ("automatic-with-a-version", "An automatic update has no version.", {1: 1, 2: "0.2.0"}),
        ("start-with-a-time", "A start has no time.", {1: START, 2: "0.2.0", 3: TIME}),
        ("defer-without-a-time", "A deferral has a time.", {1: DEFER}),
        ("defer-with-a-version", "A deferral has no version.", {1: DEFER, 2: "0.2.0", 3: TIME}),
        ("reject-without-a-version", "A rejection has a version.", {1: REJECT}),
        ("empty-version", "A version has at least one byte.", {1: START, 2: ""}),
        ("long-version", "A version has at most 24 bytes.", {1: START, 2: "1" * 25}),
        ("no-map", "A decision is a map.", True)):
    c = camera(name, "reject", title)
    c.command(3, {2: [3, True], UPDATE: [3, decision]}, {"rejected": ["command"], "command": 0, "sensor": "open", "epoch": "E1", "update": None}, name="bad")
    c.command(3, {UPDATE: [3, {1: START}]}, {"grants": epoch(2, 3), "command": 3, "update": "start"})
