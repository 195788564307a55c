# SPDX-License-Identifier: Apache-2.0
"""The link of a phone: keys from the code, and the messages of the mailbox. For both ends, and for the mailbox."""
import base64
import hashlib
import hmac
import ipaddress
import re

from . import messages, wire
from .wire import Rejected, require

MAX_DESCRIPTOR, MAX_ENROLLMENT = 4 << 10, 8 << 10
ZERO = bytes(20)


# -- the code ---------------------------------------------------------------------------------------------------------

def secret_bytes(text, size):
    """Base64url without padding. The unused bits of the last letter are zero."""
    require(isinstance(text, str) and re.fullmatch("[A-Za-z0-9_-]+", text) and len(text) == (size * 8 + 5) // 6)
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    require(code_text(raw) == text)
    return raw


def code_text(raw):
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Keys:
    """From the text of a code. HKDF-SHA-256 (RFC 5869) without a salt."""

    def __init__(self, code):
        prk = wire.extract(b"", secret_bytes(code, 16))
        self.slot, self.descriptor, self.enrollment = (
            wire.expand(prk, b"sealcam/1 link " + name, size) for name, size in ((b"slot", 16), (b"descriptor", 32), (b"enrollment", 32)))


def mac(key, content):
    return hmac.new(key, content, hashlib.sha256).digest()


def parts(message, limit, sizes):
    """A CBOR array of byte strings. A size of None is any."""
    require(len(message) <= limit)
    items = wire.decode(message)
    require(isinstance(items, list) and len(items) == len(sizes))
    require(all(isinstance(item, bytes) and size in (None, len(item)) for item, size in zip(items, sizes)))
    return items


# -- owner -> mailbox -------------------------------------------------------------------------------------------------

def make_opening(owner, slot, time, **more):
    body = {1: slot, 2: wire.public_bytes(owner), 3: time}
    return wire.sign(owner, "link", wire.identity(body[2]), ZERO, wire.encode(body), **more)


def opening(message, owner_public):
    body = messages.fields(wire.open_control(message, "link", wire.identity(owner_public), ZERO, owner_public), {1, 2, 3})
    messages.raw(body[1], 16)
    messages.public(body[2])
    messages.time(body[3])
    require(body[2] == owner_public, "wrong_account")
    return {"slot": body[1], "time": body[3]}


# -- phone -> owner ---------------------------------------------------------------------------------------------------

def make_device_descriptor(identity, hpke, role=2, tls=None, **more):
    public = wire.public_bytes(identity)
    body = {1: role, 2: public, 3: wire.public_bytes(hpke), **({} if tls is None else {4: tls})}
    return wire.sign(identity, "descriptor", ZERO, wire.identity(public), wire.encode(body), **more)


def make_descriptor(code, descriptor):
    return wire.encode([descriptor, mac(Keys(code).descriptor, descriptor)])


def descriptor(message, code):
    """The public keys of the phone, checked in the order of R-PHONE-5."""
    signed, tag = parts(message, MAX_DESCRIPTOR, (None, 32))
    require(hmac.compare_digest(tag, mac(Keys(code).descriptor, signed)), "wrong_code")
    signer, header, payload, signature = wire.claimed_signer(signed)
    body = messages.fields(wire.decode(payload), {1, 2, 3}, {4})
    require(type(body[1]) is int and 1 <= body[1] <= 3 and (4 in body or body[1] == 2))
    for key in body.keys() - {1}:
        messages.public(body[key])
    own = wire.identity(body[2])
    require(signer == own, "bad_signature")
    require(header == wire.protected_header(signer))
    wire.check_signature(body[2], "descriptor", ZERO, own, header, payload, signature)
    require(body[1] == 2 and 4 not in body, "not_a_phone")
    return {"id": own, "identity": body[2], "hpke": body[3]}


# -- owner -> phone ---------------------------------------------------------------------------------------------------

def make_phone_enrollment(owner, phone, broker, password, name, **more):
    body = {1: phone, 2: wire.public_bytes(owner), 3: broker, 4: password, 5: name, **more.pop("change", {})}
    camera = more.pop("camera", phone)
    return wire.sign(owner, "phone-enrollment", wire.identity(wire.public_bytes(owner)), camera, wire.encode(body), **more)


def enrollment_info(account, phone):
    return wire.encode(["sealcam/1 phone", account, phone])


def make_enrollment(code, ephemeral, account, phone, phone_hpke, signed, info=None):
    enc, ciphertext = wire.hpke_seal(ephemeral, phone_hpke, info or enrollment_info(account, phone), signed)
    return wire.encode([account, enc, ciphertext, mac(Keys(code).enrollment, account + enc + ciphertext)])


def enrollment(message, code, own_public, own_hpke):
    """What the phone receives, checked in the order of R-PHONE-7."""
    account, enc, ciphertext, tag = parts(message, MAX_ENROLLMENT, (20, 65, None, 32))
    require(hmac.compare_digest(tag, mac(Keys(code).enrollment, account + enc + ciphertext)), "wrong_code")
    own = wire.identity(own_public)
    signed = wire.hpke_open(own_hpke, enc, enrollment_info(account, own), ciphertext)
    signer, header, payload, signature = wire.claimed_signer(signed)
    body = messages.fields(wire.decode(payload), {1, 2, 3, 4, 5})
    messages.raw(body[1], 20)
    messages.public(body[2])
    require(isinstance(body[3], str) and len(body[3]) <= 300 and broker_address(body[3]))
    secret_bytes(body[4], 32)
    messages.text(body[5], 1, 64)
    require(wire.identity(body[2]) == account, "conflict")
    require(signer == account, "bad_signature")
    require(header == wire.protected_header(signer))
    wire.check_signature(body[2], "phone-enrollment", account, own, header, payload, signature)
    require(body[1] == own, "conflict")
    return {"owner": body[2], "broker": body[3], "password": body[4], "name": body[5]}


def broker_address(text):
    found = re.fullmatch(r"wss://(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9][A-Za-z0-9.-]{0,252})):([1-9][0-9]{0,4})", text)
    if not found or int(found[3]) > 65535:
        return False
    six, name = found[1], found[2]
    # A name ends with a part that is no number, and one dot may follow.
    if name and not re.fullmatch(r"[0-9]*", name.removesuffix(".").rpartition(".")[2]):
        return True
    try:
        return bool(ipaddress.IPv6Address(six) if six else ipaddress.IPv4Address(name))
    except ValueError:
        return False


# -- the corpus -------------------------------------------------------------------------------------------------------

def verdict(case, event):
    """The verdict about an event of a link, or None for other events."""
    kind = event["do"]
    if kind == "link_keys":
        try:
            keys = Keys(event["code"])
        except Rejected as rejected:
            return {"link": str(rejected)}
        return {"link": "accepted", "slot": keys.slot.hex(), "descriptor_key": keys.descriptor.hex(), "enrollment_key": keys.enrollment.hex()}
    if kind not in ("link_opening", "link_descriptor", "link_enrollment"):
        return None
    message = case.messages[event["message"]]
    try:
        if kind == "link_opening":
            found = opening(message, case.parties["owner"].public)
            return {"link": "accepted", "slot": found["slot"].hex(), "time": found["time"]}
        if kind == "link_descriptor":
            return {"link": "accepted", "phone": wire.text_of(descriptor(message, event["code"])["id"])}
        phone = case.parties["phone"]
        found = enrollment(message, event["code"], phone.public, phone.hpke)
        return {"link": "accepted", "account": wire.text_of(wire.identity(found["owner"])), "broker": found["broker"],
                "password": found["password"], "name": found["name"]}
    except Rejected as rejected:
        return {"link": str(rejected)}


class LinkRunner:
    """A phone or a mailbox."""

    def __init__(self, case):
        from .hub_runner import Case
        self.case = Case(case)

    def verdict(self, event):
        found = verdict(self.case, event)
        if found is None:
            raise ValueError(f"unknown event '{event['do']}'")
        return found
