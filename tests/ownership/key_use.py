# SPDX-License-Identifier: Apache-2.0
"""Checks the use of keys in a recording of a broker's messages (sealcam-recorder). It decodes the messages by
firmware/protocol/README.md alone. No epoch number and no SFrame counter may be used twice, and grants must be for exactly
the hubs of their roster."""
import base64
import hashlib


def decode_item(data, at):
    """Decodes one CBOR item (RFC 8949) of the types in control messages. Returns (value, end)."""
    major, code = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        return {20: False, 21: True}[code], at
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(code, 0)
    n = int.from_bytes(data[at:at + size], "big") if size else code
    at += size
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        return data[at:at + n], at + n
    if major == 6:
        return decode_item(data, at)
    items = []
    for _ in range(n if major == 4 else 2 * n):
        item, at = decode_item(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


def signed_parts(message):
    """[protected, unprotected, payload, signature] of a COSE_Sign1."""
    return decode_item(message, 0)[0]


def payload(message):
    return decode_item(signed_parts(message)[2], 0)[0]


def roster_hash(message):
    return hashlib.sha256(signed_parts(message)[2]).digest()


def identity(public):
    """RFC 9679: the first 20 bytes of SHA-256 of the COSE_Key {1: 2, -1: 1, -2: x, -3: y}."""
    key = b"\xa4\x01\x02\x20\x01\x21\x58\x20" + public[1:33] + b"\x22\x58\x20" + public[33:]
    return hashlib.sha256(key).digest()[:20]


def active_hubs(roster):
    """Returns the ids of the hubs that may watch by this roster."""
    fields = payload(roster)
    return {identity(hub[1]) for hub in fields[4] if hub.get(3) not in fields[5]}


def sframe_numbers(sealed):
    """Returns (KID, CTR) of an SFrame ciphertext (RFC 9605 section 4.3)."""
    def number(code, at):
        return (int.from_bytes(sealed[at:at + (code & 7) + 1], "big"), at + (code & 7) + 1) if code & 8 else (code & 7, at)

    kid, at = number(sealed[0] >> 4, 1)
    return kid, number(sealed[0] & 15, at)[0]


class KeyUse:
    """Collects frames, epochs and rosters; `faults` are messages about wrong uses."""

    def __init__(self, messages, more_rosters=()):
        self.faults = []
        self.frames, self.epochs, self.cameras = {}, {}, set()
        self.rosters = {roster_hash(m): m for m in more_rosters}
        self.last = {}  # camera -> its newest epoch
        for topic, message in messages:
            if message and topic.endswith("/roster"):
                self.rosters[roster_hash(message)] = message
        for topic, message in messages:
            camera, leaf = topic.split("/")[3:5]
            if message and leaf in ("video", "still"):
                self.note_frame(camera, message)
            elif message and leaf == "grants":
                self.note_grants(camera, message)

    def note_frame(self, camera, message):
        sealed = signed_parts(message)[2]
        place = (camera, *sframe_numbers(sealed))
        digest = hashlib.sha256(sealed).digest()
        if self.frames.setdefault(place, digest) != digest:
            self.faults.append(f"camera {camera}: epoch {place[1]:016x} counter {place[2]} seals two contents")

    def note_grants(self, camera, message):
        self.cameras.add(camera)
        fields = payload(message)
        # The entry with the camera's own id is its software report, and no grant (R-UPDATE-1).
        epoch, granted = fields[1], set(fields[6]) - {base64.b32decode(camera.upper())}
        known = self.epochs.setdefault((camera, epoch), message)
        if known != message:
            self.faults.append(f"camera {camera}: epoch {epoch:016x} was begun twice")
        before = self.last.get(camera, 0)
        if epoch != before and epoch >> 32 <= before >> 32:
            self.faults.append(f"camera {camera}: epoch {epoch:016x} begins after {before:016x}")
        self.last[camera] = epoch
        roster = self.rosters.get(fields[4])
        if roster is None:
            self.faults.append(f"camera {camera}: epoch {epoch:016x} uses a roster that the owner did not sign")
        elif active_hubs(roster) != granted or payload(roster)[1] != fields[3]:
            self.faults.append(f"camera {camera}: epoch {epoch:016x} is granted to other hubs than its roster names")


def controls(messages, more_rosters=()):
    """Adds one faulty message after the other to the recording. Returns the faults that KeyUse does not find."""
    use = KeyUse(messages, more_rosters)
    topic, frame = next((t, m) for t, m in messages if m and t.endswith("/video"))
    grants = [(t, m) for t, m in messages if m and t.endswith("/grants")]
    of_camera = {t: [m for u, m in grants if u == t] for t, _ in grants}
    where, camera_grants = max(of_camera.items(), key=lambda item: len(item[1]))
    bent = bytearray(frame)
    bent[-70] ^= 1  # in the ciphertext; the last 66 bytes are the signature with its head
    half = camera_grants[-1].replace(next(iter(payload(camera_grants[-1])[6])), bytes(20))
    faulty = {
        "seals two contents": (topic, bytes(bent)),
        "was begun twice": (where, camera_grants[-1][:-1] + bytes([camera_grants[-1][-1] ^ 1])),
        "begins after": (where, camera_grants[0]),
        "granted to other hubs": (where, half),
    }
    missed = [what for what, message in faulty.items()
              if not any(what in fault for fault in KeyUse([*messages, message], more_rosters).faults)]
    if not any("did not sign" in fault for fault in KeyUse([(t, m) for t, m in messages if not t.endswith("/roster")]).faults):
        missed.append("did not sign")
    return missed if use.frames else ["no frame was recorded"]
