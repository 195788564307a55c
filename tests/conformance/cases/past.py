# SPDX-License-Identifier: Apache-2.0
"""R-PAST: frames that a camera kept while it had no broker."""
from cases.builder import CAMERA, KEY_UNIT, OWNER, PARTIES, CameraCase, HubCase
from sealcam1 import wire

RANGES = [[1 << 32, 0, 4], [1 << 32, 6, 6], [2 << 32, 0, (1 << 32) - 1]]
BAD_RANGES = {
    "no-range": [],
    "17-ranges": [[1, 2 * n, 2 * n] for n in range(17)],
    "backwards": [[1, 5, 4]],
    "overlap": [[1, 0, 4], [1, 4, 5]],
    "order-of-counters": [[1, 6, 7], [1, 0, 4]],
    "order-of-epochs": [[2, 0, 4], [1, 0, 4]],
    "33-bits": [[1, 0, 1 << 32]],
    "two-numbers": [[1, 0]],
}


def requests():
    c = CameraCase("R-PAST-3", "accepted", "accept", "A request of the kind past is answered with a report, and starts no lease.")
    c.request("hub", kind="past", past=RANGES, sent=[c.report(0, 1)])
    c.run(100)
    c.capture("key")
    c.run(1000)
    c.request("hub", kind="past", past=[[1, n * 2, n * 2] for n in range(16)], sent=[c.report(1, 2)])
    c = CameraCase("R-PAST-3", "checks", "reject", "A request of the kind past is checked like all view requests.")
    c.request("hub3", kind="past", past=RANGES, result="unknown_hub")
    c.request("stranger", kind="past", past=RANGES, claims="hub", topic_hub="hub", result="bad_signature")
    c.epoch("X", 7)
    c.request("hub", kind="past", past=RANGES, epoch="X", result="wrong_epoch")
    c.run(1000)
    c.request("hub", kind="past", past=RANGES, sent=[c.report(0, 4)])
    c = CameraCase("R-PAST-3", "rate", "accept", "A request of the kind past does not count towards the rate of the others, and one a second is verified.")
    c.request("hub", kind="live", sent=[c.report(0, 1)])
    c.request("hub", kind="live")
    c.request("hub", kind="past", past=RANGES, sent=[c.report(1, 3)])
    c.request("hub", kind="past", past=RANGES, result="too_often")
    c.run(1000)
    c.request("hub", kind="past", past=RANGES, sent=[c.report(2, 5)])
    c = CameraCase("R-PAST-3", "malformed", "reject", "Field 9 has 1 to 16 ranges in order, and only a request of the kind past has it.")
    topic = c.topic("request/" + wire.text_of(PARTIES["hub"].id))
    body = {1: 8, 2: b"12345678", 3: 1, 4: 1}
    for name, ranges in BAD_RANGES.items():
        c.deliver(topic, name, c.signed("request", {**body, 9: ranges}, PARTIES["hub"]), f"a request with the ranges {name}",
                  {"request": ["malformed"]})
    c.deliver(topic, "without", c.signed("request", body, PARTIES["hub"]), "a request without ranges", {"request": ["malformed"]})
    c.deliver(topic, "live", c.signed("request", {**body, 1: 1, 9: RANGES}, PARTIES["hub"]), "a live request with ranges", {"request": ["malformed"]})
    c.request("hub", kind="past", past=RANGES, sent=[c.report(0, 1)])


def reports():
    c = HubCase("R-PAST-2", "listed", "accept", "A report may list frames that the camera keeps.")
    c.join()
    c.report(0, "c1", {"current": "A"}, _7=RANGES)
    for name, ranges in BAD_RANGES.items():
        c = HubCase("R-PAST-2", name, "reject", "The list has 1 to 16 ranges in order.")
        c.join()
        c.report(0, "c1", {"rejected": ["malformed"], "not_shown": [], "current": None}, _7=ranges)
        c.report(1, "c1", {"current": "A"}, _7=RANGES)


def other_frames():
    c = HubCase("R-PAST-7", "not-listed", "reject", "On the topic past, a hub accepts nothing that no report listed, and a hub that does not record nothing.")
    c.join()
    c.frame("A", "key", 0, {"shown": ["A/0 LIVE"]}, echo="c1")
    a = c.epoch("A")
    message = wire.seal_frame(CAMERA.private, OWNER.id, CAMERA.id, "key", 4, a.base_key, a.number, 1, wire.frame_header(number=2, depends=1) + KEY_UNIT)
    c.deliver(c.topic("past"), "kept", message, "frame 1 of the current epoch", {"rejected": ["closed_epoch"]})
    c.deliver(c.topic("video"), "kept", message, "the same frame", {"shown": ["A/1 LIVE"]})
    c = HubCase("R-PAST-8", "echo", "reject", "A frame of the topic past is not shown, and its echo has no effect: the camera does not become LIVE.")
    c.join()
    c.frame("A", "key", 0, {"rejected": ["closed_epoch"], "current": None, "state": "OFFLINE"}, echo="c1", topic=c.topic("past"))
    c.frame("A", "key", 1, {"shown": ["A/1 LIVE"], "current": "A", "state": "LIVE"}, echo="c1")


requests()
reports()
other_frames()
