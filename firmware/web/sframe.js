// SPDX-License-Identifier: Apache-2.0
// SFrame (RFC 9605), the receiver's side: cipher suites 4 (AES_128_GCM_SHA256_128) and 5 (AES_256_GCM_SHA512_128).
import { concat, reject, require, u64, utf8 } from "./bytes.js";

export const TAG_SIZE = 16;
const MAX_HEADER = 17;
const SUITES = new Map([[4, { hash: "SHA-256", bits: 128 }], [5, { hash: "SHA-512", bits: 256 }]]);
const NONCE_SIZE = 12;
const EMPTY = new Uint8Array();

// Bytes of a base key of suite 4 or 5.
export const keySize = (suite) => SUITES.get(suite).bits / 8;

// The header of a ciphertext (section 4.3): KID and CTR as BigInt of 64 bits, the position of the CTR's bytes, and the size of the header.
// A CTR below 8 has no bytes of its own. Throws Reject("malformed"), also for a header that is not in its shortest form.
export function parseHeader(payload) {
  require(payload.length > 0);
  const config = payload[0];
  const kid = field(payload, 1, config >> 7 === 1, (config >> 4) & 7);
  const ctr = field(payload, kid.end, (config & 8) !== 0, config & 7);
  return { kid: kid.value, ctr: ctr.value, ctrAt: kid.end, size: ctr.end };
}

function field(payload, at, long, code) {
  if (!long) return { value: BigInt(code), end: at };
  const end = at + code + 1;
  require(end <= payload.length && (code > 0 ? payload[at] > 0 : payload[at] >= 8));
  let value = 0n;
  for (let i = at; i < end; ++i) value = value << 8n | BigInt(payload[i]);
  return { value, end };
}

// The key of one epoch (section 4.4.2). WebCrypto holds it, and a page cannot read it.
export class OpeningKey {
  #key;
  #salt;
  #nonce = new Uint8Array(NONCE_SIZE);
  #aad = new Uint8Array(256);

  constructor(key, salt) {
    this.#key = key;
    this.#salt = salt;
  }

  // `kid` is the epoch, a BigInt of 64 bits. Does not keep the base key; the caller wipes it. A suite that does not exist is a fault
  // of the caller (TypeError).
  static async derive(suite, kid, baseKey) {
    const parameters = SUITES.get(suite);
    if (!parameters) throw new TypeError("no such cipher suite");
    const { hash, bits } = parameters;
    const label = concat(u64(kid), Uint8Array.of(0, suite));
    const hkdf = (name) => ({ name: "HKDF", hash, salt: EMPTY, info: concat(utf8(`SFrame 1.0 Secret ${name} `), label) });
    const secret = await crypto.subtle.importKey("raw", baseKey, "HKDF", false, ["deriveKey", "deriveBits"]);
    const [key, salt] = await Promise.all([
      crypto.subtle.deriveKey(hkdf("key"), secret, { name: "AES-GCM", length: bits }, false, ["decrypt"]),
      crypto.subtle.deriveBits(hkdf("salt"), secret, 8 * NONCE_SIZE)]);
    return new OpeningKey(key, new Uint8Array(salt));
  }

  // The plaintext of a payload with this parsed header. Throws Reject("not_decryptable"). WebCrypto copies its arguments before it returns,
  // so nonce and aad of all calls share one buffer each.
  async open(payload, header, metadata) {
    const { ctr, ctrAt, size } = header;
    if (payload.length < size + TAG_SIZE) reject("not_decryptable");
    const nonce = this.#nonce;
    nonce.set(this.#salt);
    if (size === ctrAt) nonce[NONCE_SIZE - 1] ^= Number(ctr);
    for (let i = ctrAt, at = NONCE_SIZE - (size - ctrAt); i < size; ++i, ++at) nonce[at] ^= payload[i];
    if (this.#aad.length < MAX_HEADER + metadata.length) this.#aad = new Uint8Array(MAX_HEADER + metadata.length);
    this.#aad.set(payload.subarray(0, size));
    this.#aad.set(metadata, size);
    const parameters = { name: "AES-GCM", iv: nonce, additionalData: this.#aad.subarray(0, size + metadata.length), tagLength: 8 * TAG_SIZE };
    try {
      return new Uint8Array(await crypto.subtle.decrypt(parameters, this.#key, payload.subarray(size)));
    } catch (error) {
      if (error?.name === "OperationError") return reject("not_decryptable");
      throw error;
    }
  }
}
