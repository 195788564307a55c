// SPDX-License-Identifier: Apache-2.0
// HPKE (RFC 9180), the receiver's side: base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM, one message.
import { concat, reject, require, utf8 } from "./bytes.js";
import { POINT_SIZE } from "./keys.js";

const VERSION = utf8("HPKE-v1");
const KEM = Uint8Array.of(0x4b, 0x45, 0x4d, 0x00, 0x10);                                     // "KEM", 0x0010
const SUITE = Uint8Array.of(0x48, 0x50, 0x4b, 0x45, 0x00, 0x10, 0x00, 0x01, 0x00, 0x01);     // "HPKE", 0x0010, 0x0001, 0x0001
const MODE_BASE = Uint8Array.of(0);
const EMPTY = new Uint8Array();
// HMAC pads a key with zeros, so this is the empty salt. Some implementations of WebCrypto do not import an empty key.
const NO_SALT = new Uint8Array(32);

const label = (suite, name, data) => concat(VERSION, suite, utf8(name), data);
const size16 = (size) => Uint8Array.of(size >> 8, size & 255);

// LabeledExtract of section 4: HMAC(salt, "HPKE-v1" suite label ikm).
async function extract(suite, salt, name, ikm) {
  const key = await crypto.subtle.importKey("raw", salt, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, label(suite, name, ikm)));
}

// LabeledExpand(LabeledExtract(salt, name, ikm), ...) for several outputs [name, info, size]: WebCrypto's HKDF does both steps.
async function extractAndExpand(suite, salt, name, ikm, outputs) {
  const key = await crypto.subtle.importKey("raw", label(suite, name, ikm), "HKDF", false, ["deriveBits"]);
  return Promise.all(outputs.map(async ([to, info, size]) => {
    const parameters = { name: "HKDF", hash: "SHA-256", salt, info: concat(size16(size), label(suite, to, info)) };
    return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 8 * size));
  }));
}

// The key and the nonce of the first message (section 5.1).
async function keySchedule(shared, info) {
  const hashes = await Promise.all([extract(SUITE, NO_SALT, "psk_id_hash", EMPTY), extract(SUITE, NO_SALT, "info_hash", info)]);
  const context = concat(MODE_BASE, ...hashes);
  return extractAndExpand(SUITE, shared, "secret", EMPTY, [["key", context, 16], ["base_nonce", context, 12]]);
}

// The plaintext that a sender sealed to `key` (an AgreementKey). Throws Reject: malformed (`enc` has the size of a point
// and is not on the curve, R-KEY-1), not_decryptable (another size, or the ciphertext is for another key, info or aad).
export async function open(key, enc, info, ciphertext, aad = EMPTY) {
  require(enc.length === POINT_SIZE && ciphertext.length >= 16, "not_decryptable");
  try {
    const agreed = await key.agree(enc);
    const [shared] = await extractAndExpand(KEM, EMPTY, "eae_prk", agreed, [["shared_secret", concat(enc, key.point), 32]]);
    const [secret, nonce] = await keySchedule(shared, info);
    const opening = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["decrypt"]);
    for (const used of [agreed, shared, secret]) used.fill(0);
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv: nonce, additionalData: aad }, opening, ciphertext));
  } catch (error) {
    if (error?.name === "OperationError") return reject("not_decryptable");
    throw error;
  }
}
