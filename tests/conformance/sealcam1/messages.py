# SPDX-License-Identifier: Apache-2.0
"""The control messages of sealcam.cddl: strict decoding into dictionaries."""
import hashlib

from . import wire
from .wire import require

LEAVES = ("roster", "command", "grants", "video", "still", "past", "status")
MAX_PAST = 16
TIME_LIMIT = 1 << 53


def uint(value):
    require(type(value) is int and 0 <= value < 1 << 64)
    return value


def raw(value, low, high=None):
    require(isinstance(value, bytes) and low <= len(value) <= (low if high is None else high))
    return value


def time(value):
    require(type(value) is int and -TIME_LIMIT <= value <= TIME_LIMIT)
    return value


def true(value):
    require(value is True)
    return True


def public(value):
    raw(value, 65)
    wire.point(value)
    return value


def text(value, low, high):
    require(isinstance(value, str) and low <= len(value.encode()) <= high)
    return value


def fields(value, required, optional=()):
    require(isinstance(value, dict) and set(required) <= value.keys() <= set(required) | set(optional))
    require(all(type(key) is int for key in value))
    return value


def many(value, limit):
    require(isinstance(value, list) and len(value) <= limit)
    return value


def ascending(values):
    require(all(a < b for a, b in zip(values, values[1:])))
    return values


def roster_hash(message):
    """SHA-256 of the COSE payload: one content has many signatures."""
    return hashlib.sha256(wire.parse_envelope(message)[1]).digest()


def roster(message, account, camera, owner):
    value = fields(wire.open_control(message, "roster", account, camera, owner), (1, 2, 3, 4, 5, 6))
    hubs = []
    for entry in many(value[4], 64):
        fields(entry, (1, 2), (3, 4))
        hubs.append({"id": wire.identity(public(entry[1])), "identity": entry[1], "hpke": public(entry[2]),
                     "integration": raw(entry[3], 8) if 3 in entry else None, "privacy": 4 in entry and true(entry[4])})
    ascending([hub["id"] for hub in hubs])
    suspended = ascending([raw(label, 8) for label in many(value[5], 64)])
    for hub in hubs:
        hub["active"] = hub["integration"] not in suspended
    time(value[6])
    require(wire.identity(public(value[2])) == camera)
    return {"version": uint(value[1]), "identity": value[2], "hpke": public(value[3]), "hubs": hubs,
            "hash": roster_hash(message)}


def grants(message, account, camera, key):
    value = fields(wire.open_control(message, "grants", account, camera, key), (1, 2, 3, 4, 5, 6), (7, 8, 9))
    require(type(value[2]) is int and value[2] in (4, 5))
    entries = {}
    require(isinstance(value[6], dict) and len(value[6]) <= 64)
    for hub, grant in value[6].items():
        require(isinstance(grant, list) and len(grant) == 4)
        entries[raw(hub, 20)] = {"kem": uint(grant[0]), "key": uint(grant[1]), "enc": raw(grant[2], 1, 1120),
                                 "ciphertext": raw(grant[3], 0, 256)}
    if 7 in value:
        require(uint(value[7]) > 0)
    if 8 in value:
        require(1 <= uint(value[8]) <= 255)
    time(value[5])
    # The entry with the camera's own id is no grant.
    entry = entries.pop(camera, None)
    software = entry["ciphertext"] if entry and (entry["kem"], entry["key"], entry["enc"]) == (0, 0, b"\0") else None
    return {"software": software, "epoch": uint(value[1]), "suite": value[2], "roster_version": uint(value[3]), "roster_hash": raw(value[4], 32),
            "grants": entries, "command": value.get(7), "wifi": value.get(8), "not_stored": 9 in value and true(value[9])}


def grant_info(account, camera, hub, epoch, key):
    return wire.encode(["sealcam/1 grant", account, camera, hub, epoch, key])


def open_grant(grants, account, camera, hub, private_key):
    """Base key and camera's name. `private_key` returns the key with a number, or None."""
    grant = grants["grants"].get(hub)
    require(grant and grant["kem"] == 0x10, "not_decryptable")
    private = private_key(grant["key"])
    require(private is not None, "not_decryptable")
    info = grant_info(account, camera, hub, grants["epoch"], grant["key"])
    require(len(grant["enc"]) == 65, "not_decryptable")
    content = fields(wire.decode(wire.hpke_open(private, grant["enc"], info, grant["ciphertext"])), (1, 2))
    return raw(content[1], 16 if grants["suite"] == 4 else 32), text(content[2], 0, 64)


SOFTWARE_SIZE = 224


def software_metadata(account, camera, epoch):
    return grant_info(account, camera, camera, epoch, 0)


def software_kid(epoch):
    return (1 << 64) - 1 - epoch


def known(value, required, optional):
    """The fields of a software report. Labels above the known ones are of a newer camera."""
    require(isinstance(value, dict) and all(type(key) is int for key in value))
    newer = {key: value[key] for key in value if key > max(required + optional)}
    require(all(key <= 255 and type(item) in (int, bytes, str, bool) for key, item in newer.items()))
    return fields({key: value[key] for key in value if key not in newer}, required, optional)


def software_content(plaintext):
    """Version and update of a software report, as a text for verdicts."""
    value, end = wire.decode_item(plaintext, 0)
    require(not any(plaintext[end:]))
    value = known(value, (1,), (2,))
    result = text(value[1], 1, 24)
    if 2 not in value:
        return result
    update = known(value[2], (2,), (1, 3, 4))
    require(1 <= uint(update[2]) <= 255)
    result += f", image {text(update[1], 1, 24)}" if 1 in update else ""
    result += f", state {min(update[2], 8)}"
    result += f", offer {text(update[3], 1, 24)}" if 3 in update else ""
    if 4 in update:
        require(isinstance(update[4], list) and len(update[4]) == 4)
        version, outcome, reason, at = update[4]
        require(1 <= uint(outcome) <= 255)
        result += f", last {text(version, 0, 24)} result {min(outcome, 5)} at {time(at)} because {text(reason, 0, 80)}"
    return result


def open_software(grants, account, camera, base_key):
    """The software report of grants, or None if there is none that can be read."""
    try:
        require(grants["software"])
        require(wire.sframe_parse(grants["software"])[:2] == (software_kid(grants["epoch"]), 0))
        metadata = software_metadata(account, camera, grants["epoch"])
        return software_content(wire.sframe_open(grants["suite"], base_key, grants["software"], metadata))
    except wire.Rejected:
        return None


def status(message, account, camera, key):
    value = fields(wire.open_control(message, "status", account, camera, key), (1, 2), (3, 4, 5))
    require(isinstance(value[1], bool))
    time(value[2])
    result = {"online": value[1], "privacy": 3 in value and true(value[3]), "reset": 4 in value and true(value[4])}
    require(not (result["online"] and result["reset"]))
    result["fault"] = value.get(5)
    require(5 not in value or (result["online"] and 1 <= uint(value[5]) <= 255))
    return result


REQUEST_KINDS = {1: "live", 2: "still", 3: "privacy-on", 4: "privacy-off", 5: "nonce", 6: "record", 7: "motion", 8: "past"}


def past(value):
    """Ranges (epoch, first, last) of frames, ascending, not overlapping."""
    require(1 <= len(many(value, MAX_PAST)) and all(isinstance(entry, list) and len(entry) == 3 for entry in value))
    ranges = [tuple(map(uint, entry)) for entry in value]
    require(all(first <= last < 1 << 32 for _, first, last in ranges))
    require(all(a[0] < b[0] or (a[0] == b[0] and a[2] < b[1]) for a, b in zip(ranges, ranges[1:])))
    return ranges


def request_content(payload):
    value = fields(wire.decode(payload), (1, 2, 3, 4), (5, 6, 7, 8, 9))
    require(type(value[1]) is int and value[1] in REQUEST_KINDS)
    result = {"kind": REQUEST_KINDS[value[1]], "challenge": int.from_bytes(raw(value[2], 8), "big"),
              "epoch": uint(value[3]), "seq": uint(value[4]), "nonce": value.get(5), "prekey": None, "receiver": value.get(7),
              "cannot_open": 8 in value and true(value[8])}
    require(result["challenge"] != 0)
    require((result["kind"] == "privacy-off") == (5 in value))
    require((result["kind"] == "past") == (9 in value))
    result["past"] = past(value[9]) if 9 in value else []
    if 5 in value:
        raw(value[5], 8)
        require(value[5] != bytes(8))
    if 6 in value:
        require(isinstance(value[6], list) and len(value[6]) == 2 and uint(value[6][0]) > 0)
        result["prekey"] = (value[6][0], raw(value[6][1], 65))
    if 7 in value:
        require(isinstance(value[7], list) and len(value[7]) == 3 and all(type(n) is int and n >= 0 for n in value[7]))
    return result


def command(message, account, camera, owner, private):
    """The number and the items: {label: (since, value)}."""
    value = fields(wire.open_control(message, "command", account, camera, owner), (1, 2, 3))
    seq = uint(value[1])
    require(seq > 0)
    info = wire.encode(["sealcam/1 command", account, camera, seq])
    items = fields(wire.decode(wire.hpke_open(private, raw(value[2], 65), info, raw(value[3], 0, 1024))), (), (1, 2, 3, 4, 5, 6))
    for label, item in items.items():
        require(isinstance(item, list) and len(item) == 2 and 0 < uint(item[0]) <= seq)
        if label == 1:
            text(item[1], 1, 64)
        elif label == 2:
            require(isinstance(item[1], bool))
        elif label == 3:
            settings(item[1])
        elif label == 4:
            network = fields(item[1], (1, 2))
            raw(network[1], 1, 32)
            require(all(" " <= c <= "~" for c in text(network[2], 8, 63)))
        elif label == 5:
            true(item[1])
        elif label == 6:
            update(item[1])
    return seq, items


def update(value):
    """The owner's decision about updates."""
    action = fields(value, (1,), (2, 3))[1]
    require(1 <= uint(action) <= 4)
    require((3 in value) == (action == 3) and (2 not in value or action in (2, 4)) and (action != 4 or 2 in value))
    if 2 in value:
        text(value[2], 1, 24)
    if 3 in value:
        time(value[3])


def settings(value):
    fields(value, (), (1, 2, 3, 4, 5, 6, 7))
    require((2 in value) == (3 in value))
    for label, high in ((1, (1 << 32) - 1), (2, 65535), (3, 65535), (4, 1000)):
        require(1 <= uint(value.get(label, 1)) <= high)
    require(uint(value.get(6, 0)) <= 100)
    for areas in (value[label] for label in (5, 7) if label in value):
        require(isinstance(areas, list) and 1 <= len(areas) <= 8)
        for area in areas:
            require(isinstance(area, list) and len(area) == 4)
            left, top, width, height = (uint(number) for number in area)
            require(width > 0 and height > 0 and left + width <= 1000 and top + height <= 1000)


def report(content):
    value = fields(wire.decode(content), (1, 2), (3, 4, 5, 6, 7))
    if 3 in value:
        require(raw(value[3], 8) != bytes(8))
    require(5 not in value or 1 <= uint(value[5]) <= 255)
    return {"version": uint(value[1]), "hash": raw(value[2], 32), "nonce": value.get(3), "privacy": 4 in value and true(value[4]),
            "fault": value.get(5), "detects_motion": not (6 in value and true(value[6])),
            "past": past(value[7]) if 7 in value else []}


def index(message, account, hub, owner):
    value = fields(wire.open_control(message, "index", account, hub, owner), (1, 2))
    return {"version": uint(value[1]), "cameras": ascending([raw(camera, 20) for camera in many(value[2], 1024)])}


def topic(account, camera, leaf):
    return f"sealcam/1/{wire.text_of(account)}/{wire.text_of(camera)}/{leaf}"


def index_topic(account, hub):
    return f"sealcam/1/{wire.text_of(account)}/index/{wire.text_of(hub)}"


def parse_topic(text):
    """Account, camera or hub, leaf; for a request also the hub."""
    parts = text.split("/")
    require(parts[:2] == ["sealcam", "1"] and len(parts) in (5, 6))
    account = wire.id_of(parts[2])
    if parts[3] == "index":
        require(len(parts) == 5)
        return account, wire.id_of(parts[4]), "index", None
    camera = wire.id_of(parts[3])
    if len(parts) == 6:
        require(parts[4] == "request")
        return account, camera, "request", wire.id_of(parts[5])
    require(parts[4] in LEAVES)
    return account, camera, parts[4], None
