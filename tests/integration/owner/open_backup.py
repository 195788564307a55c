#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens a file of `sealcam account backup` with python3-cryptography, as firmware/docs/backup.md describes it.
usage: open_backup.py FILE PASSPHRASE"""
import base64
import hashlib
import json
import re
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LABEL = "SEALCAM ACCOUNT"

text = open(sys.argv[1]).read()
key = serialization.load_pem_private_key(text[text.index("-----BEGIN ENCRYPTED"):].encode(), sys.argv[2].encode())

# The second block: salt, nonce, ciphertext and tag. Its key is derived from the private key of the first block.
block = base64.b64decode(re.search(f"-----BEGIN {LABEL}-----(.*)-----END {LABEL}-----", text, re.S)[1])
scalar = key.private_numbers().private_value.to_bytes(32, "big")
content_key = HKDF(hashes.SHA256(), 32, block[:32], LABEL.encode()).derive(scalar)
files = json.loads(AESGCM(content_key).decrypt(block[32:44], block[44:], None))["files"]
account = json.loads(files["account.json"])["account"]

# RFC 9679: the account id is the thumbprint of the account's key.
numbers = key.public_key().public_numbers()
x, y = (n.to_bytes(32, "big") for n in (numbers.x, numbers.y))
cose_key = b"\xa4\x01\x02\x20\x01\x21\x58\x20" + x + b"\x22\x58\x20" + y
digest = hashlib.sha256(cose_key).digest()[:20]
assert base64.b32encode(digest).decode().lower() == account, "the key and the account do not match"
print("account", account)
