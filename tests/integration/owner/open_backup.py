#!/usr/bin/env python3
"""Opens a backup of `sealcam account backup` with python3-cryptography and firmware/owner/README.md alone.
usage: open_backup.py FILE PASSPHRASE"""
import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def open_jwe(line, passphrase):
    head, wrapped, iv, sealed, tag = line.split(".")
    header = json.loads(decode(head))
    assert header["alg"] == "PBES2-HS256+A128KW" and header["enc"] == "A128GCM"
    assert header["p2c"] >= 600_000
    salt = header["alg"].encode() + b"\0" + decode(header["p2s"])
    wrapping = hashlib.pbkdf2_hmac("sha256", passphrase, salt, header["p2c"], 16)
    key = aes_key_unwrap(wrapping, decode(wrapped))
    return json.loads(AESGCM(key).decrypt(decode(iv), decode(sealed) + decode(tag), head.encode()))


text = open(sys.argv[1]).read()
passphrase = sys.argv[2].encode()
key = serialization.load_pem_private_key(text[text.index("-----BEGIN"):].encode(), passphrase)
line = next(each for each in text.splitlines() if each.startswith("sealcam-account: "))
files = open_jwe(line.removeprefix("sealcam-account: "), passphrase)["files"]
account = json.loads(files["account.json"])["account"]

# RFC 9679: the account is the thumbprint of the key beside it.
numbers = key.public_key().public_numbers()
x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
cose_key = b"\xa4\x01\x02\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y
digest = hashlib.sha256(cose_key).digest()[:20]
assert base64.b32encode(digest).decode().lower() == account, "the key is another account's"
print("account", account)
