#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A second implementation of sealcam/1, written from firmware/protocol/README.md and sealcam.cddl alone, in another
language on another crypto library (pyca/cryptography). It reads the samples, verifies and opens every message, and
checks that what must not open does not.

    second_implementation.py build/dev/samples/sealcam-1.json
"""
import base64
import hashlib
import hmac
import json
import sys

try:
    from cryptography.exceptions import InvalidSignature, InvalidTag
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    print("SKIPPED: python3-cryptography is not installed")
    sys.exit(4)


# -- CBOR, deterministic (RFC 8949 section 4.2.1) -------------------------------------------------------------------

def head(major, n):
    for size, limit, code in ((0, 24, n), (1, 1 << 8, 24), (2, 1 << 16, 25), (4, 1 << 32, 26), (8, 1 << 64, 27)):
        if n < limit:
            return bytes([major << 5 | code]) + (n.to_bytes(size, "big") if size else b"")
    raise ValueError("number is too large")


def encode(value):
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, (list, tuple)):
        return head(4, len(value)) + b"".join(map(encode, value))
    pairs = sorted((encode(k), encode(v)) for k, v in value.items())
    return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)


def decode_item(data, at):
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
        part = data[at:at + n]
        assert len(part) == n, "cut short"
        return (part if major == 2 else part.decode()), at + n
    if major == 4:
        items = []
        for _ in range(n):
            item, at = decode_item(data, at)
            items.append(item)
        return items, at
    if major == 5:
        items = {}
        for _ in range(n):
            key, at = decode_item(data, at)
            items[key], at = decode_item(data, at)
        return items, at
    return (n, *decode_item(data, at)[:1]), decode_item(data, at)[1]  # a tag and what it holds


def decode(data):
    value, end = decode_item(data, 0)
    assert end == len(data), "bytes behind the end"
    plain = value[1] if isinstance(value, tuple) else value
    again = encode(plain) if not isinstance(value, tuple) else head(6, value[0]) + encode(plain)
    assert again == data, "not the one spelling"
    return value


# -- identities, COSE_Sign1, HPKE, SFrame ----------------------------------------------------------------------------

def identity(public):
    """RFC 9679: SHA-256 of {1: 2, -1: 1, -2: x, -3: y}, 20 bytes of it."""
    return hashlib.sha256(encode({1: 2, -1: 1, -2: public[1:33], -3: public[33:]})).digest()[:20]


def text_of(raw):
    return base64.b32encode(raw).decode().lower()


def point(public):
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)


def external_aad(name, account, camera):
    return encode(["sealcam/1", name, account, camera])


def verify(message, name, account, camera, public, extra=None):
    tag, (protected, unprotected, payload, signature) = decode(message)
    assert tag == 18 and unprotected == {} and len(signature) == 64
    expected = {1: -7, 4: identity(public)}
    if extra is not None:
        expected[-65537] = decode(protected)[-65537]
        assert expected[-65537] == extra
    assert protected == encode(expected), "protected header"
    structure = encode(["Signature1", protected, external_aad(name, account, camera), payload])
    der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    point(public).verify(der, structure, ec.ECDSA(hashes.SHA256()))
    return protected, payload


def extract(salt, ikm, algorithm):
    return hmac.new(salt or bytes(hashlib.new(algorithm).digest_size), ikm, algorithm).digest()


def expand(prk, info, size, algorithm):
    out, block, i = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([i]), algorithm).digest()
        out, i = out + block, i + 1
    return out[:size]


def hpke_open(private, public, enc, info, ciphertext):
    """RFC 9180 base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, single shot, empty aad."""
    def labeled_extract(suite, salt, label, ikm):
        return extract(salt, b"HPKE-v1" + suite + label + ikm, "sha256")

    def labeled_expand(suite, prk, label, data, size):
        return expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + data, size, "sha256")

    kem, hpke = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x01"
    dh = private.exchange(ec.ECDH(), point(enc))
    shared = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", dh), b"shared_secret", enc + public, 32)
    context = b"\x00" + labeled_extract(hpke, b"", b"psk_id_hash", b"") + labeled_extract(hpke, b"", b"info_hash", info)
    secret = labeled_extract(hpke, shared, b"secret", b"")
    key = labeled_expand(hpke, secret, b"key", context, 16)
    nonce = labeled_expand(hpke, secret, b"base_nonce", context, 12)
    return AESGCM(key).decrypt(nonce, ciphertext, b"")


def sframe_open(suite, base_key, payload, metadata):
    """RFC 9605; KID, CTR and the plaintext."""
    algorithm, key_size = {4: ("sha256", 16), 5: ("sha512", 32)}[suite]

    def field(long, value, at):
        return (int.from_bytes(payload[at:at + value + 1], "big"), at + value + 1) if long else (value, at)

    config = payload[0]
    kid, at = field(config >> 7, config >> 4 & 7, 1)
    ctr, at = field(config >> 3 & 1, config & 7, at)
    label = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
    secret = extract(b"", base_key, algorithm)
    key = expand(secret, b"SFrame 1.0 Secret key " + label, key_size, algorithm)
    salt = expand(secret, b"SFrame 1.0 Secret salt " + label, 12, algorithm)
    nonce = (int.from_bytes(salt, "big") ^ ctr).to_bytes(12, "big")
    return kid, ctr, AESGCM(key).decrypt(nonce, payload[at:], payload[:at] + metadata)


def main(path):
    with open(path, encoding="utf-8") as f:
        samples = json.load(f)
    raw = {who: bytes.fromhex(samples[who]["identity"]["public"]) for who in ("owner", "camera", "hub")}
    account, camera, hub = (identity(raw[who]) for who in ("owner", "camera", "hub"))
    assert text_of(account) == samples["account"] and text_of(camera) == samples["camera"]["id"]
    message = {name: bytes.fromhex(m["message"]) for name, m in samples["messages"].items()}
    base = f"sealcam/1/{text_of(account)}/{text_of(camera)}/"
    assert samples["messages"]["ask"]["topic"] == base + "ask/" + text_of(hub)

    _, payload = verify(message["roster"], "roster", account, camera, raw["owner"])
    roster = decode(payload)
    assert identity(roster[2]) == camera and [identity(h[1]) for h in roster[4]] == [hub]
    assert roster[4][0][4] is True and len(roster[4][0]) == 4, "may switch privacy"

    _, payload = verify(message["grants"], "grants", account, camera, raw["camera"])
    grants = decode(payload)
    assert grants[3] == roster[1] and grants[4] == hashlib.sha256(message["roster"]).digest()
    keys = samples["hub"]["hpke"]
    private = ec.derive_private_key(int(keys["private"], 16), ec.SECP256R1())
    enc, ciphertext = grants[6][hub]
    info = encode(["sealcam/1 grant", account, camera, hub, grants[1]])
    content = decode(hpke_open(private, bytes.fromhex(keys["public"]), enc, info, ciphertext))
    assert content[1].hex() == samples["base_key"] and content[2] == "Front door"
    assert grants[7] == 3, "the command that was obeyed"

    _, payload = verify(message["command"], "command", account, camera, raw["owner"])
    command = decode(payload)
    mine = samples["camera"]["hpke"]
    opened = hpke_open(ec.derive_private_key(int(mine["private"], 16), ec.SECP256R1()), bytes.fromhex(mine["public"]),
                       command[2], encode(["sealcam/1 command", account, camera, command[1]]), command[3])
    assert decode(opened) == {1: [1, "Front door"], 2: [2, True], 3: [3, {1: 1500000, 2: 1280, 3: 720, 4: 25}],
                              4: [3, {1: b"sealcam-net", 2: "not a secret"}]}

    _, payload = verify(message["ask"], "ask", account, camera, raw["hub"])
    ask = decode(payload)
    assert ask[1] == 1 and ask[3] == grants[1]
    _, payload = verify(message["status"], "status", account, camera, raw["camera"])
    status = decode(payload)
    assert status[1] is True and status[3] is True

    for name, kind in (("frame", 1), ("report", 4)):
        protected, sealed = verify(message[name], "frame", account, camera, raw["camera"], extra=kind)
        metadata = external_aad("frame", account, camera) + protected
        kid, _, plaintext = sframe_open(grants[2], content[1], sealed, metadata)
        assert kid == grants[1] and plaintext.hex() == samples["messages"][name]["plaintext"]
        assert plaintext[24:32] == ask[2], "echoed challenge"
        # Controls: another key, another camera's metadata, a flipped bit do not open.
        for key, data, aad in ((bytes(16), sealed, metadata), (content[1], sealed, metadata[:-1] + b"\x09"),
                               (content[1], sealed[:-1] + bytes([sealed[-1] ^ 1]), metadata)):
            try:
                sframe_open(grants[2], key, data, aad)
            except InvalidTag:
                continue
            raise AssertionError("what must not open did")
    assert decode(plaintext[32:])[1] == roster[1]

    _, payload = verify(message["card"], "card", bytes(20), hub, raw["hub"])
    assert decode(payload) == {1: 2, 2: raw["hub"], 3: bytes.fromhex(keys["public"])}
    _, payload = verify(message["admission"], "admission", account, camera, raw["owner"])
    assert decode(payload)[2] == camera and decode(payload)[3] == raw["owner"]

    channel = bytes.fromhex(samples["messages"]["pairing-proof"]["exporter"])
    _, payload = verify(message["pairing-proof"], "pairing-proof", bytes(20), camera, raw["camera"])
    assert decode(payload) == {1: channel}
    _, payload = verify(message["pairing-claim"], "pairing-claim", account, camera, raw["owner"])
    assert decode(payload) == {1: channel, 2: raw["owner"], 3: "abcdefg2"}
    _, payload = verify(message["enrolment"], "enrolment", account, camera, raw["owner"])
    enrolment = decode(payload)
    assert enrolment[1] == channel and (enrolment[2], enrolment[3]) == ("broker.example", 8883)
    assert enrolment[6] == "Front door" and enrolment[7] == message["roster"] and 8 not in enrolment

    for name in ("roster", "command", "grants", "ask", "status"):
        try:
            verify(message[name], name, account, hub, raw["owner" if name in ("roster", "command") else "hub" if name == "ask" else "camera"])
        except InvalidSignature:
            continue
        raise AssertionError(f"{name} verifies for another camera")
    print(f"{len(message)} messages verified and opened from the page alone")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
