// SPDX-License-Identifier: Apache-2.0
// Keys on P-256 (RFC 9053 section 2.1, RFC 9180 section 4.1) in WebCrypto. Private keys are not extractable.
import { ID_SIZE, idText, reject, require } from "./bytes.js";
import { encode } from "./cbor.js";

const ECDSA = Object.freeze({ name: "ECDSA", namedCurve: "P-256" });
const ES256 = Object.freeze({ name: "ECDSA", hash: "SHA-256" });
const ECDH = Object.freeze({ name: "ECDH", namedCurve: "P-256" });
const PRIME = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export const POINT_SIZE = 65;
export const SIGNATURE_SIZE = 64;

const number = (bytes) => BigInt(bytes.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "0x"));

function numberBytes(value, out) {
  for (let i = out.length, rest = value; i > 0; rest >>= 8n) out[--i] = Number(rest & 0xffn);
}

// The public key of an entry of a message: 0x04, x, y, on the curve (R-KEY-1). Throws Reject("malformed").
export function checkPoint(bytes) {
  require(bytes.length === POINT_SIZE && bytes[0] === 4);
  const x = number(bytes.subarray(1, 33)), y = number(bytes.subarray(33));
  require(x < PRIME && y < PRIME && (x * x * x - 3n * x + B - y * y) % PRIME === 0n);
  return bytes;
}

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));

// The id of a public key: the first 20 bytes of its COSE Key Thumbprint (R-KEY-2, RFC 9679).
export async function idOf(point) {
  const key = new Map([[1, 2], [-1, 1], [-2, point.subarray(1, 33)], [-3, point.subarray(33)]]);
  return (await sha256(encode(key))).slice(0, ID_SIZE);
}

const HALF_ORDER = new Uint8Array(32);
numberBytes(ORDER / 2n, HALF_ORDER);

// True for 1 <= s <= n/2, the only s that a receiver accepts (R-ENV-5).
function hasLowS(signature) {
  let zero = true;
  for (let i = 32; i < SIGNATURE_SIZE; ++i) zero &&= signature[i] === 0;
  if (zero) return false;
  for (let i = 0; i < 32; ++i) {
    const difference = signature[32 + i] - HALF_ORDER[i];
    if (difference !== 0) return difference < 0;
  }
  return true;
}

// Replaces a greater s by n - s in place. WebCrypto does not.
export function lowerS(signature) {
  const s = signature.subarray(32);
  if (!hasLowS(signature)) numberBytes(ORDER - number(s), s);
  return signature;
}

// A public key that verifies signatures.
export class Verifier {
  #key;

  constructor(key, point, id) {
    this.#key = key;
    this.point = point;  // 65 bytes
    this.id = id;        // 20 bytes
    this.text = idText(id);
  }

  // Throws Reject("malformed") for a point that is not on the curve. Copies the point.
  static async open(point) {
    const own = checkPoint(point).slice();
    const key = await crypto.subtle.importKey("raw", own, ECDSA, false, ["verify"]);
    return new Verifier(key, own, await idOf(own));
  }

  // Throws Reject("bad_signature"). `signature` has 64 bytes: r, s. WebCrypto copies `data` before this method returns its promise.
  async verify(data, signature) {
    if (!hasLowS(signature)) reject("bad_signature");
    if (!await crypto.subtle.verify(ES256, this.#key, signature, data)) reject("bad_signature");
  }
}

// A device's identity key, which signs.
export class IdentityKey {
  #key;

  constructor(key, point, id) {
    this.#key = key;
    this.point = point;
    this.id = id;
    this.text = idText(id);
  }

  // From a pair { privateKey, point } that generate() made, for example out of IndexedDB. Throws TypeError if the private key is
  // extractable.
  static async open({ privateKey, point }) { return new IdentityKey(notExtractable(privateKey), point, await idOf(point)); }

  async sign(data) { return lowerS(new Uint8Array(await crypto.subtle.sign(ES256, this.#key, data))); }
}

// A key that opens what others seal with HPKE.
export class AgreementKey {
  #key;

  constructor({ privateKey, point }) {
    this.#key = notExtractable(privateKey);
    this.point = point;
  }

  // The x coordinate of the shared point, 32 bytes. Throws Reject("malformed") for a point that is not on the curve.
  async agree(point) {
    const other = await crypto.subtle.importKey("raw", checkPoint(point), ECDH, false, []);
    return new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: other }, this.#key, 256));
  }
}

// A script that a hostile page injects can use such a key while it runs, but it cannot take it away.
function notExtractable(key) {
  if (key.type !== "private" || key.extractable) throw new TypeError("a private key must not be extractable");
  return key;
}

// New pairs { privateKey, point }. IndexedDB can store them.
async function generate(algorithm, usages) {
  const pair = await crypto.subtle.generateKey(algorithm, false, usages);
  return { privateKey: pair.privateKey, point: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)) };
}

export const generateIdentity = () => generate(ECDSA, ["sign"]);
export const generateAgreement = () => generate(ECDH, ["deriveBits"]);
