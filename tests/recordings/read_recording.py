#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of firmware/protocol/recordings.md: verifies recordings without keys, and opens them with the state folder of
the hub.

    read_recording.py FOLDER --account ID [--keys STATE/recording-keys] [--units DIR]

Prints one JSON object. --units writes the access units of each file into DIR. The exit code is 1 if a file has a fault.
"""
import argparse
import datetime
import hashlib
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
from cryptography.exceptions import InvalidTag  # noqa: E402
from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: E402

from sealcam1 import messages, wire  # noqa: E402
from sealcam1.wire import Rejected, require  # noqa: E402

MAX_GROUPS, MAX_RANGES, MAX_MARKED = 1024, 4096, 6


class Faults:
    def __init__(self):
        self.list = []

    def add(self, kind, offset, text):
        self.list.append({"kind": kind, "offset": offset, "text": text})


def time_names(microseconds):
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=microseconds // 1000)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H-%M-%S.") + f"{moment.microsecond // 1000:03}.seal"


def read_items(data, start):
    """Yields (offset, kind, value, bytes). Raises Rejected with `offset` at the first item that is not valid."""
    at = start
    while at < len(data):
        begin, first = at, data[at]
        try:
            value, at = wire.decode_item(data, at)
            if first == 0xd2:
                kind = "frame"
            elif 0x81 <= first <= 0x81 + MAX_MARKED:
                require(all(type(n) is int for n in value) and all(0 <= n < 1 << 32 for n in value[1:]))
                messages.time(value[0])
                kind = "mark"
            else:
                require(isinstance(value, bytes))
                kind = "receipt"
        except Rejected as error:
            error.offset = begin
            raise
        yield begin, kind, value, data[begin:at]


def read_header(data, camera, account):
    value, size = wire.decode_item(data, 0)
    messages.fields(value, (1, 2, 3, 4, 5))
    require(value[1] == 1, "unsupported")
    owner = messages.public(value[2])
    require(wire.identity(owner) == account, "wrong_account")
    roster = messages.roster(value[3], account, camera, owner)
    grants = messages.grants(value[4], account, camera, roster["identity"])
    return {"roster": roster, "grants": grants, "number": messages.uint(value[5]), "size": size,
            "digest": hashlib.sha256(data[:size]).digest()}


def read_ranges(value):
    after = 0
    for entry in messages.many(value, MAX_RANGES):
        require(isinstance(entry, list) and len(entry) == 2)
        first, count = map(messages.uint, entry)
        require(first < 1 << 32 and 0 < count < 1 << 32 and first >= after)
        after = first + count + 1
    return [tuple(entry) for entry in value]


def read_receipt(item, account, camera, roster):
    content = wire.decode(item)
    require(len(content) >= 4 and int.from_bytes(content[-4:], "big") == len(content) - 4)
    message = content[:-4]
    signer = wire.claimed_signer(message)[0]
    keys = [hub["identity"] for hub in roster["hubs"] if hub["id"] == signer]
    require(keys, "wrong_key")
    value = messages.fields(wire.open_control(message, "receipt", account, camera, keys[0]), range(1, 11))
    require(1 <= len(messages.many(value[7], MAX_GROUPS)) and 1 <= value[10] <= 6)
    groups = [(messages.uint(size), messages.time(at), messages.raw(digest, 32)) for size, at, digest in value[7]]
    require(value[3] <= value[4] < 1 << 32)
    return {"number": messages.uint(value[1]), "epoch": messages.uint(value[2]), "first": value[3], "last": value[4],
            "gaps": read_ranges(value[5]), "left_out": read_ranges(value[6]), "groups": groups,
            "header": messages.raw(value[8], 32), "end": messages.time(value[9]), "reason": value[10], "hub": signer}


def open_archive_key(sealed, identity):
    """The archive key, with the private key of the account (R-REC-19)."""
    require(len(sealed) == 113)
    account = wire.identity(wire.public_bytes(identity))
    return wire.hpke_open(identity, sealed[:65], wire.encode(["sealcam/1 archive key", account]), sealed[65:])


def base_key_of(keys, camera, epoch):
    """The base key with 32 bytes and the camera's name, or None."""
    file = keys / wire.text_of(camera) / f"{epoch:016x}"
    if not file.exists():
        return None
    wrapped, archive = file.read_bytes(), (keys / "archive").read_bytes()
    context = wire.encode(["sealcam/1 recording", camera, epoch])
    try:
        plain = AESGCM(archive).decrypt(wrapped[:12], wrapped[12:], context)
    except InvalidTag:
        return None
    return plain[:32], plain[32:].decode()


def check_frame(item, account, camera, header):
    """Kind, counter, protected header and payload of a frame with a valid signature."""
    protected, payload, signature = wire.parse_envelope(item)
    fields = wire.decode(protected)
    require(isinstance(fields, dict) and fields.get(4) == camera, "wrong_account")
    kind = {number: name for name, number in wire.KINDS.items()}.get(fields.get(-65537))
    require(kind is not None and protected == wire.protected_header(camera, wire.KINDS[kind]))
    wire.check_signature(header["roster"]["identity"], "frame", account, camera, protected, payload, signature)
    epoch, counter, _ = wire.sframe_parse(payload)
    return kind, epoch, counter, protected, payload


def read_file(path, account, keys=None, on_unit=None):
    """What one file contains, with its faults. `on_unit` receives (key, header, access unit) of each opened picture."""
    camera = wire.id_of(path.parent.parent.name)
    data, faults = path.read_bytes(), Faults()
    result = {"file": "/".join(path.parts[-3:]), "frames": 0, "opened": 0, "reason": 0, "faults": faults.list}
    try:
        header = read_header(data, camera, account)
    except (Rejected, IndexError) as error:
        faults.add("header", 0, str(error))
        return result
    epoch = header["grants"]["epoch"]
    base = base_key_of(keys, camera, epoch) if keys else None
    size = {4: 16, 5: 32}[header["grants"]["suite"]]
    groups, stored, receipt = [], [], None
    metadata = wire.external_aad("frame", account, camera)
    fresh = False  # the mark of the group has no frame yet
    try:
        for offset, kind, value, item in read_items(data, header["size"]):
            require_last(receipt)
            if kind == "mark":
                if fresh:
                    faults.add("item", offset, "a group without a frame")
                groups.append({"at": offset, "time": value[0], "bytes": item})
                fresh = True
            elif kind == "receipt":
                receipt = read_receipt(item, account, camera, header["roster"])
            else:
                if not groups:
                    faults.add("item", offset, "a frame before the first group")
                    continue
                groups[-1]["bytes"] += item
                first, fresh = fresh, False
                try:
                    name, frame_epoch, counter, protected, payload = check_frame(item, account, camera, header)
                except Rejected as error:
                    faults.add("signature", offset, str(error))
                    continue
                if frame_epoch != epoch:
                    faults.add("other_epoch", offset, "a frame of another epoch")
                    continue
                if stored and counter <= stored[-1]:
                    faults.add("order", offset, "counters do not ascend")
                    continue
                if name not in ("key", "delta") or (name == "key") != first and not (first and len(groups) == 1):
                    faults.add("order", offset, "a kind that does not fit its place")
                stored.append(counter)
                result["frames"] += 1
                if base:
                    plain = wire.sframe_open(header["grants"]["suite"], base[0][:size], payload, metadata + protected)
                    fields, unit = wire.parse_frame_header(plain, name, counter)
                    result["opened"] += 1
                    if on_unit:
                        on_unit(name == "key", fields, unit)
    except Rejected as error:
        faults.add("item", getattr(error, "offset", 0), str(error))
    if groups:
        day, name = time_names(groups[0]["time"])
        near = [time_names(groups[0]["time"] + 1000 * i)[1] for i in range(101)]
        if path.parent.name != day or path.name not in near:
            faults.add("name", 0, f"the name should be {day}/{name}")
    if receipt is None:
        faults.add("receipt", len(data), "no receipt")
    else:
        result["reason"] = receipt["reason"]
        found = [(len(g["bytes"]), g["time"], hashlib.sha256(g["bytes"]).digest()) for g in groups]
        counters = sorted(stored + [first + i for ranges in (receipt["gaps"], receipt["left_out"])
                                    for first, count in ranges for i in range(min(count, 1 << 20))])
        if receipt["header"] != header["digest"] or receipt["number"] != header["number"] or receipt["epoch"] != epoch:
            faults.add("receipt", 0, "the receipt belongs to another file")
        for i, (a, b) in enumerate(zip(found, receipt["groups"])):
            if a != b:
                faults.add("group", groups[i]["at"], f"group {i + 1} differs from the receipt")
                break
        if len(found) != len(receipt["groups"]) or counters != list(range(receipt["first"], receipt["last"] + 1)):
            faults.add("receipt", 0, "the receipt does not describe this file")
        result["lost"] = sum(count for _, count in receipt["gaps"])
    result["number"], result["epoch"] = header["number"], f"{epoch:016x}"
    return result


def require_last(receipt):
    if receipt is not None:
        raise Rejected("items follow the receipt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--account", required=True)
    parser.add_argument("--keys", type=pathlib.Path)
    parser.add_argument("--units", type=pathlib.Path)
    options = parser.parse_args()
    results = []
    for path in sorted(options.folder.glob("*/*/*.seal")):
        if not re.fullmatch(r"\d\d-\d\d-\d\d\.\d{3}\.seal", path.name) or not re.fullmatch(r"[a-z2-7]{32}", path.parent.parent.name):
            continue
        units = []
        results.append(read_file(path, wire.id_of(options.account), options.keys, lambda key, fields, unit: units.append(unit)))
        if options.units:
            (options.units / path.name.replace(".seal", ".h264")).write_bytes(b"".join(units))
    print(json.dumps({"files": results}, indent=1))
    return 1 if any(result["faults"] for result in results) or not results else 0


if __name__ == "__main__":
    sys.exit(main())
