# SPDX-License-Identifier: Apache-2.0
"""CBOR, COSE_Sign1, HPKE and SFrame as far as sealcam/1 uses them."""
import base64
import hashlib
import hmac

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CURVE = ec.SECP256R1()
ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
KINDS = {"key": 1, "delta": 2, "still": 3, "report": 4}
MAX_CONTROL = 128 << 10
MAX_FRAME = (1 << 20) + 512


class Rejected(Exception):
    """A message that a receiver rejects. The text is the reason of the protocol page."""


def require(condition, reason="malformed"):
    if not condition:
        raise Rejected(reason)


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


def decode_item(data, at, depth=0):
    require(depth < 8 and at < len(data))
    major, code = data[at] >> 5, data[at] & 31
    at += 1
    if major == 7:
        require(code in (20, 21))
        return code == 21, at
    require(code <= 27)
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(code, 0)
    require(at + size <= len(data))
    n = int.from_bytes(data[at:at + size], "big") if size else code
    require(size == 0 or n >= {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size])  # the shortest form
    at += size
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major in (2, 3):
        require(at + n <= len(data))
        part = bytes(data[at:at + n])
        try:
            return (part if major == 2 else part.decode()), at + n
        except UnicodeDecodeError:
            raise Rejected("malformed") from None
    require(n <= len(data))
    if major == 4:
        items = []
        for _ in range(n):
            item, at = decode_item(data, at, depth + 1)
            items.append(item)
        return items, at
    if major == 5:
        items, last = {}, b""
        for _ in range(n):
            start = at
            key, at = decode_item(data, at, depth + 1)
            require(type(key) in (int, bytes, str) and data[start:at] > last)  # bytewise order, none twice
            last = data[start:at]
            items[key], at = decode_item(data, at, depth + 1)
        return items, at
    item, at = decode_item(data, at, depth + 1)
    return (n, item), at  # a tag and its content


def decode(data):
    value, end = decode_item(data, 0)
    require(end == len(data))
    return value


# -- keys and identities --------------------------------------------------------------------------------------------

def private_key(scalar):
    return ec.derive_private_key(int.from_bytes(scalar, "big"), CURVE)


def public_bytes(private):
    n = private.public_key().public_numbers()
    return b"\x04" + n.x.to_bytes(32, "big") + n.y.to_bytes(32, "big")


def point(public):
    try:
        require(len(public) == 65 and public[0] == 4)
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public)
    except ValueError:
        raise Rejected("malformed") from None


def identity(public):
    """RFC 9679: the first 20 bytes of the SHA-256 of {1: 2, -1: 1, -2: x, -3: y}."""
    return hashlib.sha256(encode({1: 2, -1: 1, -2: public[1:33], -3: public[33:]})).digest()[:20]


def text_of(raw):
    return base64.b32encode(raw).decode().lower()


def id_of(text):
    require(len(text) == 32 and all(c in "abcdefghijklmnopqrstuvwxyz234567" for c in text))
    return base64.b32decode(text.upper())


# -- envelope -------------------------------------------------------------------------------------------------------

def external_aad(name, account, camera):
    return encode(["sealcam/1", name, account, camera])


def protected_header(signer, kind=None):
    return encode({1: -7, 4: signer} if kind is None else {1: -7, 4: signer, -65537: kind})


def sign(private, name, account, camera, payload, signer=None, kind=None, high_s=False, header=None):
    """One COSE_Sign1. RFC 6979 makes the signature deterministic. `high_s` makes the other half, which receivers reject. `header` is another
    protected header."""
    own = identity(public_bytes(private))
    header = header or protected_header(own if signer is None else signer, kind)
    structure = encode(["Signature1", header, external_aad(name, account, camera), payload])
    r, s = utils.decode_dss_signature(private.sign(structure, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    s = min(s, ORDER - s)
    if high_s:
        s = ORDER - s
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return head(6, 18) + encode([header, {}, payload, signature])


def sign_with_k(private, structure, k):
    """ECDSA with a chosen k, for a second signature of one content. r, and the smaller s."""
    r = private_key(k.to_bytes(32, "big")).public_key().public_numbers().x % ORDER
    digest = int.from_bytes(hashlib.sha256(structure).digest(), "big")
    s = pow(k, -1, ORDER) * (digest + r * private.private_numbers().private_value) % ORDER
    return r, min(s, ORDER - s)


def parse_envelope(message):
    """Protected header, payload, signature. The one form of a COSE_Sign1 that sealcam/1 permits."""
    value = decode(message)
    require(isinstance(value, tuple) and value[0] == 18 and isinstance(value[1], list) and len(value[1]) == 4)
    header, unprotected, payload, signature = value[1]
    require(isinstance(header, bytes) and unprotected == {} and isinstance(unprotected, dict))
    require(isinstance(payload, bytes) and isinstance(signature, bytes) and len(signature) == 64)
    return header, payload, signature


def check_signature(public, name, account, camera, header, payload, signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    require(0 < r < ORDER and 0 < s <= ORDER // 2, "bad_signature")  # low s only
    structure = encode(["Signature1", header, external_aad(name, account, camera), payload])
    try:
        point(public).verify(utils.encode_dss_signature(r, s), structure, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Rejected("bad_signature") from None


def claimed_signer(message, limit=MAX_CONTROL):
    require(len(message) <= limit)
    header, payload, signature = parse_envelope(message)
    fields = decode(header)
    require(isinstance(fields, dict) and fields.get(1) == -7 and isinstance(fields.get(4), bytes) and len(fields[4]) == 20)
    return fields[4], header, payload, signature


def open_control(message, name, account, camera, public):
    """The verified payload of a control message, decoded."""
    signer, header, payload, signature = claimed_signer(message)
    require(signer == identity(public), "wrong_account")
    require(header == protected_header(signer))
    check_signature(public, name, account, camera, header, payload, signature)
    return decode(payload)


# -- HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, single shot, empty aad ---------

def extract(salt, ikm, algorithm="sha256"):
    return hmac.new(salt or bytes(hashlib.new(algorithm).digest_size), ikm, algorithm).digest()


def expand(prk, info, size, algorithm="sha256"):
    out, block, i = b"", b"", 1
    while len(out) < size:
        block = hmac.new(prk, block + info + bytes([i]), algorithm).digest()
        out, i = out + block, i + 1
    return out[:size]


def _hpke_key(dh, enc, recipient, info):
    def labeled_extract(suite, salt, label, ikm):
        return extract(salt, b"HPKE-v1" + suite + label + ikm)

    def labeled_expand(suite, prk, label, data, size):
        return expand(prk, size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + data, size)

    kem, hpke = b"KEM\x00\x10", b"HPKE\x00\x10\x00\x01\x00\x01"
    shared = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", dh), b"shared_secret", enc + recipient, 32)
    context = b"\x00" + labeled_extract(hpke, b"", b"psk_id_hash", b"") + labeled_extract(hpke, b"", b"info_hash", info)
    secret = labeled_extract(hpke, shared, b"secret", b"")
    return labeled_expand(hpke, secret, b"key", context, 16), labeled_expand(hpke, secret, b"base_nonce", context, 12)


def hpke_seal(ephemeral, recipient, info, plaintext):
    enc = public_bytes(ephemeral)
    key, nonce = _hpke_key(ephemeral.exchange(ec.ECDH(), point(recipient)), enc, recipient, info)
    return enc, AESGCM(key).encrypt(nonce, plaintext, b"")


def hpke_open(private, enc, info, ciphertext):
    try:
        key, nonce = _hpke_key(private.exchange(ec.ECDH(), point(enc)), enc, public_bytes(private), info)
        return AESGCM(key).decrypt(nonce, ciphertext, b"")
    except InvalidTag:
        raise Rejected("not_decryptable") from None


# -- SFrame (RFC 9605) ------------------------------------------------------------------------------------------------

SUITES = {4: ("sha256", 16), 5: ("sha512", 32)}


def _sframe_key(suite, base_key, kid):
    algorithm, size = SUITES[suite]
    label = kid.to_bytes(8, "big") + suite.to_bytes(2, "big")
    secret = extract(b"", base_key, algorithm)
    return (expand(secret, b"SFrame 1.0 Secret key " + label, size, algorithm),
            expand(secret, b"SFrame 1.0 Secret salt " + label, 12, algorithm))


def _nonce(salt, ctr):
    return (int.from_bytes(salt, "big") ^ ctr).to_bytes(12, "big")


def sframe_header(kid, ctr):
    def field(value):
        if value < 8:
            return value, b""
        raw = value.to_bytes((value.bit_length() + 7) // 8, "big")
        return 8 | (len(raw) - 1), raw
    (k, kid_bytes), (c, ctr_bytes) = field(kid), field(ctr)
    return bytes([k << 4 | c]) + kid_bytes + ctr_bytes


def sframe_seal(suite, base_key, kid, ctr, metadata, plaintext):
    key, salt = _sframe_key(suite, base_key, kid)
    header = sframe_header(kid, ctr)
    return header + AESGCM(key).encrypt(_nonce(salt, ctr), plaintext, header + metadata)


def sframe_parse(payload):
    """KID, CTR and the size of the header."""
    require(payload)
    config, at, values = payload[0], 1, []
    for long, value in ((config >> 7, config >> 4 & 7), (config >> 3 & 1, config & 7)):
        if long:
            raw = payload[at:at + value + 1]
            require(len(raw) == value + 1 and raw[0] != 0 and (len(raw) > 1 or raw[0] >= 8))  # the shortest form
            at += value + 1
            value = int.from_bytes(raw, "big")
        values.append(value)
    return values[0], values[1], at


def sframe_open(suite, base_key, payload, metadata):
    kid, ctr, at = sframe_parse(payload)
    key, salt = _sframe_key(suite, base_key, kid)
    try:
        return AESGCM(key).decrypt(_nonce(salt, ctr), payload[at:], payload[:at] + metadata)
    except (InvalidTag, ValueError):
        raise Rejected("not_decryptable") from None


# -- sealed frames ----------------------------------------------------------------------------------------------------

def frame_header(codec=1, flags=0, width=640, height=360, captured=0, number=0, age=0, depends=0, echo=(), version=1,
                 reserved=b"\0\0\0", count=None):
    return (bytes([version, codec]) + flags.to_bytes(2, "big") + width.to_bytes(2, "big") + height.to_bytes(2, "big") +
            captured.to_bytes(8, "big", signed=True) + number.to_bytes(4, "big") + age.to_bytes(4, "big") +
            depends.to_bytes(4, "big") + bytes([len(echo) if count is None else count]) + reserved +
            b"".join(c.to_bytes(8, "big") for c in echo))


def parse_frame_header(plaintext, kind, counter):
    """The header of a sealed frame as a dictionary, and the content."""
    require(len(plaintext) >= 32 and plaintext[0] == 1)
    u = lambda at, size: int.from_bytes(plaintext[at:at + size], "big")
    count = plaintext[28]
    require(count <= 16 and len(plaintext) >= 32 + 8 * count)
    echo = [u(32 + 8 * i, 8) for i in range(count)]
    require(0 not in echo and len(set(echo)) == count)
    fields = {"codec": plaintext[1], "motion": bool(u(2, 2) & 1), "width": u(4, 2), "height": u(6, 2),
              "captured": int.from_bytes(plaintext[8:16], "big", signed=True), "number": u(16, 4), "age": u(20, 4),
              "depends": u(24, 4), "echo": echo}
    require(fields["codec"] == (0 if kind == "report" else 1))
    require(fields["depends"] < counter if kind == "delta" else fields["depends"] == counter)
    return fields, plaintext[32 + 8 * count:]


def seal_frame(private, account, camera, kind, suite, base_key, epoch, counter, plaintext, signer=None, high_s=False):
    own = identity(public_bytes(private)) if signer is None else signer
    header = protected_header(own, KINDS[kind] if isinstance(kind, str) else kind)
    metadata = external_aad("frame", account, camera) + header
    sealed = sframe_seal(suite, base_key, epoch, counter, metadata, plaintext)
    return sign(private, "frame", account, camera, sealed, own, KINDS[kind] if isinstance(kind, str) else kind, high_s)


def parse_frame(message):
    """Signer, kind, epoch, counter and the parts of the envelope, nothing of it verified."""
    require(len(message) <= MAX_FRAME)
    header, payload, signature = parse_envelope(message)
    fields = decode(header)
    require(isinstance(fields, dict) and fields.keys() == {1, 4, -65537} and fields[1] == -7)
    require(isinstance(fields[4], bytes) and len(fields[4]) == 20)
    names = {value: name for name, value in KINDS.items()}
    require(type(fields[-65537]) is int and fields[-65537] in names)
    epoch, counter, size = sframe_parse(payload)
    require(len(payload) >= size + 16)
    return fields[4], names[fields[-65537]], epoch, counter, (header, payload, signature)
