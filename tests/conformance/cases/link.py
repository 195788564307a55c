# SPDX-License-Identifier: Apache-2.0
"""R-PHONE: how a phone joins the account."""
import hashlib

from cases.builder import HUB, OWNER, PARTIES, TIME, Case
from sealcam1 import link, wire

PHONE, STRANGER, CAMERA = (PARTIES[name] for name in ("phone", "stranger", "camera"))
CODE, OTHER_CODE = (link.code_text(hashlib.sha256(f"sealcam conformance link {n}".encode()).digest()[:16]) for n in (1, 2))
KEYS = link.Keys(CODE)
BROKER, NAME = "wss://broker.example:8884", "Ana's phone"
PASSWORD = link.code_text(hashlib.sha256(b"sealcam conformance password").digest())
EPHEMERAL = wire.private_key(hashlib.sha256(b"ephemeral link").digest())


class LinkCase(Case):
    def __init__(self, rule, name, under_test, kind, title):
        super().__init__(rule, name, under_test, {"phone": "phone", "owner": "owner", "mailbox": "hub"}[under_test], kind, title)
        self.use("phone")

    def keys(self, code, keys=None, link_="accepted"):
        expect = {"link": link_}
        if keys:
            expect.update(slot=keys.slot.hex(), descriptor_key=keys.descriptor.hex(), enrollment_key=keys.enrollment.hex())
        return self.event("link_keys", expect, code=code)

    def opening(self, name="opening", verdict="accepted", by=OWNER, about=None, body=None, camera=link.ZERO, **more):
        body = {1: KEYS.slot, 2: by.public, 3: TIME, **(body or {})}
        account = more.pop("account", OWNER.id)
        message = wire.sign(by.private, more.pop("message_name", "link"), account, camera, wire.encode(body), **more)
        return self.judged("link_opening", name, message, about or "link-opening", verdict,
                           {"slot": KEYS.slot.hex(), "time": TIME})

    def descriptor(self, name="descriptor", verdict="accepted", about=None, signed=None, code=CODE, mac_code=CODE, message=None, party=PHONE,
                   **more):
        signed = signed or link.make_device_descriptor(party.private, party.hpke, **more)
        return self.judged("link_descriptor", name, message or link.make_descriptor(mac_code, signed), about or "link-descriptor", verdict,
                           {"phone": wire.text_of(party.id)}, code=code)

    def enrollment(self, name="enrollment", verdict="accepted", about=None, signed=None, code=CODE, mac_code=CODE, message=None, by=OWNER,
                   account=OWNER.id, to=PHONE, info=None, broker=BROKER, **more):
        signed = signed or link.make_phone_enrollment(by.private, PHONE.id, broker, PASSWORD, NAME, **more)
        message = message or link.make_enrollment(mac_code, EPHEMERAL, account, PHONE.id, to.hpke_public, signed, info)
        return self.judged("link_enrollment", name, message, about or "link-enrollment", verdict,
                           {"account": wire.text_of(OWNER.id), "broker": broker, "password": PASSWORD, "name": NAME}, code=code)

    def judged(self, event, name, message, about, verdict, found, **fields):
        expect = {"link": verdict, **(found if verdict == "accepted" else {})}
        return self.event(event, expect, message=self.message(name, message, about), **fields)


def flipped(message, at=-1):
    out = bytearray(message)
    out[at] ^= 1
    return bytes(out)


SIGNED = link.make_device_descriptor(PHONE.private, PHONE.hpke)
DESCRIPTOR = link.make_descriptor(CODE, SIGNED)
ENROLLED = link.make_phone_enrollment(OWNER.private, PHONE.id, BROKER, PASSWORD, NAME)
ENROLLMENT = link.make_enrollment(CODE, EPHEMERAL, OWNER.id, PHONE.id, PHONE.hpke_public, ENROLLED)

# -- R-PHONE-2: the code

c = LinkCase("R-PHONE-2", "keys", "phone", "accept", "Slot and keys of two codes, and of the codes with all bits zero and all bits one.")
for code in (CODE, OTHER_CODE, "A" * 22, "_" * 21 + "w"):
    c.keys(code, link.Keys(code))
c = LinkCase("R-PHONE-2", "not-a-code", "phone", "reject", "A code has exactly 22 letters of base64url, and its last four bits are zero.")
for code in (CODE[:-1], CODE + "A", CODE[:-1] + "B", CODE + "=", "+" + CODE[1:], " " + CODE, ""):
    c.keys(code, link_="malformed")
c.keys(CODE, KEYS)

# -- R-PHONE-3: the opening

c = LinkCase("R-PHONE-3", "owner", "mailbox", "accept", "The mailbox accepts the opening that the hub's owner signed.")
c.opening()
c = LinkCase("R-PHONE-3", "another-owner", "mailbox", "reject", "Another owner opens no slot.")
c.use("stranger")
c.opening("stranger", "wrong_account", by=STRANGER, account=STRANGER.id)
c.opening("in-the-owners-name", "bad_signature", by=STRANGER, signer=OWNER.id, body={2: OWNER.public})
c.opening("with-the-owners-key", "wrong_account", by=STRANGER, body={2: OWNER.public})
c.opening("with-another-key", "wrong_account", body={2: STRANGER.public})
c.opening()
c = LinkCase("R-PHONE-3", "another-message", "mailbox", "reject", "A message of another name, account or camera opens no slot.")
c.opening("index", "bad_signature", message_name="index")
c.opening("other-account", "bad_signature", account=STRANGER.id)
c.opening("with-a-camera", "bad_signature", camera=CAMERA.id)
c.opening()
c = LinkCase("R-PHONE-3", "form", "mailbox", "reject", "An opening has exactly the three fields.")
c.opening("short-slot", "malformed", body={1: KEYS.slot[:15]})
c.opening("field-4", "malformed", body={4: True})
c.opening("time-beyond-2-53", "malformed", body={3: (1 << 53) + 1})
c.opening("high-s", "bad_signature", high_s=True)
c.opening()

# -- R-PHONE-5: the descriptor

c = LinkCase("R-PHONE-5", "phone", "owner", "accept", "The owner accepts the descriptor of a phone with the MAC of the code.")
c.descriptor()
c = LinkCase("R-PHONE-5", "wrong-code", "owner", "reject", "A descriptor without the MAC of this code is rejected, also the one of another link.")
c.descriptor("guessed", "wrong_code", mac_code=OTHER_CODE)
c.descriptor("descriptor", "wrong_code", code=OTHER_CODE)
c.descriptor("mac-flipped", "wrong_code", message=flipped(DESCRIPTOR))
c.descriptor("no-mac", "wrong_code", message=wire.encode([SIGNED, bytes(32)]))
c.descriptor("key-of-the-enrollment", "wrong_code", message=wire.encode([SIGNED, link.mac(KEYS.enrollment, SIGNED)]))
c.descriptor("exchanged", "wrong_code", message=wire.encode([link.make_device_descriptor(HUB.private, HUB.hpke), wire.decode(DESCRIPTOR)[1]]))
c.descriptor()
c = LinkCase("R-PHONE-5", "signature", "owner", "reject", "The code does not replace the signature of the descriptor.")
c.descriptor("flipped", "bad_signature", signed=flipped(SIGNED))
c.descriptor("signed-by-another", "bad_signature", signed=wire.sign(STRANGER.private, "descriptor", link.ZERO, PHONE.id, wire.encode(
    {1: 2, 2: PHONE.public, 3: PHONE.hpke_public}), signer=PHONE.id))
c.descriptor("names-another-signer", "bad_signature", signed=wire.sign(STRANGER.private, "descriptor", link.ZERO, PHONE.id, wire.encode(
    {1: 2, 2: PHONE.public, 3: PHONE.hpke_public})))
c.descriptor("high-s", "bad_signature", high_s=True)
c.descriptor()
c = LinkCase("R-PHONE-5", "not-a-phone", "owner", "reject", "A camera, an owner, and a hub with a TLS key are not phones.")
c.descriptor("camera", "not_a_phone", role=1, tls=HUB.public)
c.descriptor("owner", "not_a_phone", role=3, tls=HUB.public)
c.descriptor("camera-without-a-tls-key", "malformed", role=1)
c.descriptor("hub-with-a-tls-key", "not_a_phone", tls=HUB.public)
c.descriptor()
c = LinkCase("R-PHONE-5", "form", "owner", "reject", "A link-descriptor is an array of the descriptor and a MAC of 32 bytes, with at most 4 KiB.")
c.descriptor("short-mac", "malformed", message=wire.encode([SIGNED, link.mac(KEYS.descriptor, SIGNED)[:31]]))
c.descriptor("three-items", "malformed", message=wire.encode([SIGNED, link.mac(KEYS.descriptor, SIGNED), b""]))
c.descriptor("only-the-descriptor", "malformed", message=SIGNED)
c.descriptor("trailing-byte", "malformed", message=DESCRIPTOR + b"\0")
c.descriptor("empty", "malformed", message=b"\x80")
c.descriptor("too-large", "malformed", message=wire.encode([bytes(4 << 10), link.mac(KEYS.descriptor, bytes(4 << 10))]))
c.descriptor("too-large-without-a-mac", "malformed", message=wire.encode([bytes(4 << 10), bytes(32)]))
c.descriptor("not-a-message", "malformed", signed=b"\xf5")
c.descriptor("role-4", "malformed", role=4)
c.descriptor()

# -- R-PHONE-7: the enrollment

c = LinkCase("R-PHONE-7", "enrollment", "phone", "accept", "The phone opens its enrollment.")
c.enrollment()
c = LinkCase("R-PHONE-7", "wrong-code", "phone", "reject", "An enrollment without the MAC of the code is rejected before it is opened. The mailbox can make such a one.")
c.enrollment("guessed", "wrong_code", mac_code=OTHER_CODE)
c.enrollment("another-owner", "wrong_code", mac_code=OTHER_CODE, by=STRANGER, account=STRANGER.id)
c.enrollment("mac-flipped", "wrong_code", message=flipped(ENROLLMENT))
c.enrollment("account-exchanged", "wrong_code", message=wire.encode([STRANGER.id, *wire.decode(ENROLLMENT)[1:]]))
c.enrollment("key-of-the-descriptor", "wrong_code", message=wire.encode(
    [*wire.decode(ENROLLMENT)[:3], link.mac(KEYS.descriptor, b"".join(wire.decode(ENROLLMENT)[:3]))]))
c.enrollment()
c = LinkCase("R-PHONE-7", "sealing", "phone", "reject", "An enrollment for another phone or another account does not open.")
c.use("hub")
c.enrollment("to-another-phone", "not_decryptable", to=HUB)
c.enrollment("info-of-another-phone", "not_decryptable", info=link.enrollment_info(OWNER.id, HUB.id))
c.enrollment("info-of-another-account", "not_decryptable", info=link.enrollment_info(STRANGER.id, PHONE.id))
c.enrollment()
c = LinkCase("R-PHONE-7", "signature", "phone", "reject", "The code does not replace the owner's signature.")
c.use("stranger")
c.enrollment("flipped", "bad_signature", signed=flipped(ENROLLED))
c.enrollment("another-signer", "bad_signature", by=STRANGER, change={2: OWNER.public})
c.enrollment("in-the-owners-name", "bad_signature", by=STRANGER, signer=OWNER.id, change={2: OWNER.public})
c.enrollment("of-another-phone", "bad_signature", camera=HUB.id)
c.enrollment("high-s", "bad_signature", high_s=True)
c.enrollment()
c = LinkCase("R-PHONE-7", "conflict", "phone", "reject", "Account, key and phone in the message are those of the envelope.")
c.use("stranger")
c.enrollment("another-account", "conflict", by=STRANGER, account=OWNER.id)
c.enrollment("account-of-another", "conflict", account=STRANGER.id)
c.enrollment("another-phone", "conflict", change={1: HUB.id})
c.enrollment()
c = LinkCase("R-PHONE-7", "form", "phone", "reject", "Each field of an enrollment has its form.")
for name, change in (("plain-websocket", {3: "ws://broker.example:8884"}), ("path", {3: BROKER + "/mqtt"}), ("no-port", {3: "wss://broker.example"}),
                     ("port-0", {3: "wss://broker.example:0"}), ("port-65536", {3: "wss://broker.example:65536"}),
                     ("user-in-the-address", {3: "wss://a@broker.example:8884"}), ("long-host", {3: "wss://" + "a" * 254 + ":8884"}),
                     ("short-password", {4: PASSWORD[:-1]}), ("long-password", {4: PASSWORD + "A"}), ("other-letters", {4: "." + PASSWORD[1:]}), ("not-canonical", {4: PASSWORD[:-1] + "B"}),
                     ("no-name", {5: ""}), ("long-name", {5: "n" * 65}), ("field-6", {6: True})):
    c.enrollment(name, "malformed", change=change)
c.enrollment("three-items", "malformed", message=wire.encode(wire.decode(ENROLLMENT)[:3]))
c.enrollment("short-account", "malformed", message=wire.encode([OWNER.id[:19], *wire.decode(ENROLLMENT)[1:]]))
c.enrollment("trailing-byte", "malformed", message=ENROLLMENT + b"\0")
c.enrollment("too-large", "malformed", message=wire.encode([OWNER.id, wire.decode(ENROLLMENT)[1], bytes(8 << 10), bytes(32)]))
c.enrollment("ipv6-broker", "malformed", change={3: "wss://::1:8884"})
c.enrollment()
c = LinkCase("R-PHONE-7", "host", "phone", "accept", "The broker's host is a name, an IPv4 address, or an IPv6 address in brackets.")
for name, host in (("one-part", "broker"), ("final-dot", "broker.example."), ("number-first", "1.example"), ("hyphens", "a-.b-"), ("empty-part", "a..b"),
                   ("longest-name", "a" * 253), ("ipv4", "192.0.2.1"), ("ipv4-greatest", "255.255.255.255"), ("ipv4-zero", "0.0.0.0"),
                   ("ipv6", "[2001:DB8::1]"), ("ipv6-loopback", "[::1]"), ("ipv6-any", "[::]"), ("ipv6-whole", "[1:2:3:4:5:6:7:8]"),
                   ("ipv6-last-zero", "[1:2:3:4:5:6:7::]"), ("ipv6-with-ipv4", "[::ffff:192.0.2.1]")):
    c.enrollment(name, broker=f"wss://{host}:8884")
c = LinkCase("R-PHONE-7", "not-a-host", "phone", "reject", "A wrong IPv4 address is not a name, and brackets contain an IPv6 address.")
for name, host in (("three-numbers", "1.2.3"), ("five-numbers", "1.2.3.4.5"), ("number-999", "1.2.3.999"), ("number-256", "256.2.3.4"), ("one-number", "1"),
                   ("leading-zero", "192.168.001.010"), ("ipv4-final-dot", "1.2.3.4."), ("name-with-a-number-last", "broker.1"), ("hyphen-first", "-a"),
                   ("dot-first", ".a"), ("dot", "."), ("two-dots", "a.."), ("empty", ""), ("underscore", "a_b"), ("hexadecimal", "0x7f.1"),
                   ("colons", "[::::]"), ("empty-brackets", "[]"), ("zone", "[fe80::1%eth0]"), ("seven-groups", "[1:2:3:4:5:6:7]"),
                   ("nine-groups", "[1:2:3:4:5:6:7:8:9]"), ("nothing-left-out", "[1:2:3:4::5:6:7:8]"), ("two-gaps", "[1::2::3]"), ("five-digits", "[::12345]"),
                   ("colon-first", "[:1:2:3:4:5:6:7]"), ("colon-last", "[1:2:3:4:5:6:7:]"), ("ipv4-in-brackets", "[192.0.2.1]"),
                   ("ipv4-part-with-a-zero", "[::192.0.2.01]"), ("ipv4-part-first", "[1.2.3.4::]")):
    c.enrollment(name, "malformed", broker=f"wss://{host}:8884")
c.enrollment()
