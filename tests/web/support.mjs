// SPDX-License-Identifier: Apache-2.0
// The other side of a hub, for tests only: keys from private scalars, the encoders that a hub does not have, and the decoder of view requests.
// It runs in node and in browsers.
import { concat, fromHex, toHex, u64, utf8, viewOf } from "../../firmware/web/bytes.js";
import { bytesHead, decode, encode } from "../../firmware/web/cbor.js";
import { externalAad, parse } from "../../firmware/web/envelope.js";
import { AgreementKey, IdentityKey } from "../../firmware/web/keys.js";

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// The public point of a scalar. WebCrypto has no function for that, and Firefox imports no private key without its point.
const PRIME = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const GENERATOR = [0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n, 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n];
const modulo = (n) => ((n % PRIME) + PRIME) % PRIME;

function inverse(n) {
  let [a, b, x, y] = [PRIME, modulo(n), 0n, 1n];
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y];
  return modulo(x);
}

function add(p, q) {
  if (p === null || q === null) return p ?? q;
  if (p[0] === q[0] && p[1] !== q[1]) return null;
  const slope = p[0] === q[0] ? (3n * p[0] * p[0] - 3n) * inverse(2n * p[1]) : (q[1] - p[1]) * inverse(q[0] - p[0]);
  const x = modulo(slope * slope - p[0] - q[0]);
  return [x, modulo(slope * (p[0] - x) - p[1])];
}

const points = new Map();  // by the scalar as hex: the corpus has few parties

function pointOf(scalar) {
  const name = toHex(scalar);
  if (points.has(name)) return points.get(name);
  let sum = null, power = GENERATOR;
  for (let rest = BigInt(`0x${name}`); rest > 0n; rest >>= 1n) {
    if (rest & 1n) sum = add(sum, power);
    power = add(power, power);
  }
  points.set(name, fromHex(`04${sum.map((n) => n.toString(16).padStart(64, "0")).join("")}`));
  return points.get(name);
}

// A pair { privateKey, point } that is not extractable, from a scalar of 32 bytes.
export async function pair(scalar, name) {
  const point = pointOf(scalar), usages = name === "ECDSA" ? ["sign"] : ["deriveBits"];
  const jwk = { kty: "EC", crv: "P-256", x: base64url(point.subarray(1, 33)), y: base64url(point.subarray(33)), d: base64url(scalar), ext: false, key_ops: usages };
  return { point, privateKey: await crypto.subtle.importKey("jwk", jwk, { name, namedCurve: "P-256" }, false, usages) };
}

export const identity = async (scalar) => IdentityKey.open(await pair(scalar, "ECDSA"));
export const agreement = async (scalar) => new AgreementKey(await pair(scalar, "ECDH"));

// The header of SFrame for a KID and a CTR (BigInt), RFC 9605 section 4.3.
export function sframeHeader(kid, ctr) {
  const field = (n) => {
    const bytes = u64(n), first = bytes.findIndex((byte) => byte !== 0);
    return n < 8n ? [Number(n), new Uint8Array()] : [8 | (7 - first), bytes.subarray(first)];
  };
  const [k, kidBytes] = field(kid), [c, ctrBytes] = field(ctr);
  return concat(Uint8Array.of((k << 4) | c), kidBytes, ctrBytes);
}

export async function sframeSeal(suite, baseKey, kid, ctr, metadata, plaintext) {
  const hash = suite === 4 ? "SHA-256" : "SHA-512", label = concat(u64(kid), Uint8Array.of(0, suite));
  const hkdf = (name) => ({ name: "HKDF", hash, salt: new Uint8Array(), info: concat(utf8(`SFrame 1.0 Secret ${name} `), label) });
  const secret = await crypto.subtle.importKey("raw", baseKey, "HKDF", false, ["deriveBits"]);
  const key = await crypto.subtle.importKey("raw", await crypto.subtle.deriveBits(hkdf("key"), secret, suite === 4 ? 128 : 256), "AES-GCM", false, ["encrypt"]);
  const nonce = new Uint8Array(await crypto.subtle.deriveBits(hkdf("salt"), secret, 96));
  u64(ctr).forEach((byte, i) => { nonce[4 + i] ^= byte; });
  const header = sframeHeader(kid, ctr);
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData: concat(header, metadata) }, key, plaintext);
  return concat(header, new Uint8Array(sealed));
}

// A COSE_Sign1 of this protected header and payload.
export async function sign1(signer, header, aad, payload) {
  const signature = await signer.sign(encode(["Signature1", header, aad, payload]));
  return concat(fromHex("d284"), encode(header), fromHex("a0"), bytesHead(payload.length), payload, encode(signature));
}

// The frame header of the protocol page (R-FRAME-3) in front of a content. echoes: BigInt.
export function framePlaintext({ codec, width = 640, height = 360, captured = 0, number, age = 0, depends, echoes = [] }, content) {
  const header = new Uint8Array(32 + 8 * echoes.length), view = new DataView(header.buffer);
  view.setUint8(0, 1);
  view.setUint8(1, codec);
  view.setUint16(4, width);
  view.setUint16(6, height);
  view.setBigInt64(8, BigInt(captured));
  view.setUint32(16, number);
  view.setUint32(20, age);
  view.setUint32(24, depends);
  view.setUint8(28, echoes.length);
  echoes.forEach((value, i) => view.setBigUint64(32 + 8 * i, value));
  return concat(header, content);
}

const KINDS = { key: 1, delta: 2, still: 3, report: 4 };

// A sealed frame. epoch: { suite, baseKey, number (BigInt) }. Ids are 20 bytes.
export async function sealFrame(signer, account, camera, kind, epoch, counter, plaintext) {
  const header = encode(new Map([[1, -7], [4, signer.id], [-65537, KINDS[kind]]])), aad = externalAad("frame", account, camera);
  return sign1(signer, header, aad, await sframeSeal(epoch.suite, epoch.baseKey, epoch.number, BigInt(counter), concat(aad, header), plaintext));
}

// A control message with this payload, a Map.
export const signControl = (signer, name, account, camera, payload) =>
  sign1(signer, encode(new Map([[1, -7], [4, signer.id]])), externalAad(name, account, camera), encode(payload));

const hmac = async (key, data) => new Uint8Array(await crypto.subtle.sign("HMAC",
  await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]), data));

// HPKE, the sender's side, with HMAC only: a second form of the key schedule. Returns [enc, ciphertext].
export async function hpkeSeal(ephemeral, recipient, info, plaintext) {
  const kem = concat(utf8("KEM"), Uint8Array.of(0, 16)), suite = concat(utf8("HPKE"), Uint8Array.of(0, 16, 0, 1, 0, 1));
  const extract = (id, salt, label, ikm) => hmac(salt, concat(utf8("HPKE-v1"), id, utf8(label), ikm));
  const expand = async (id, prk, label, data, size) =>
    (await hmac(prk, concat(Uint8Array.of(0, size), utf8("HPKE-v1"), id, utf8(label), data, Uint8Array.of(1)))).subarray(0, size);
  const none = new Uint8Array(), zero = new Uint8Array(32);
  const agreed = await extract(kem, zero, "eae_prk", await ephemeral.agree(recipient));
  const shared = await expand(kem, agreed, "shared_secret", concat(ephemeral.point, recipient), 32);
  const context = concat(Uint8Array.of(0), await extract(suite, zero, "psk_id_hash", none), await extract(suite, zero, "info_hash", info));
  const secret = await extract(suite, shared, "secret", none);
  const key = await crypto.subtle.importKey("raw", await expand(suite, secret, "key", context, 16), "AES-GCM", false, ["encrypt"]);
  const iv = await expand(suite, secret, "base_nonce", context, 12);
  return [ephemeral.point, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, plaintext))];
}

// -- view requests, as a camera reads them

const REQUEST_KINDS = [null, "live", "still", "privacy-on", "privacy-off", "nonce", "record", "motion"];

const pairOf = (reader) => {
  reader.array(2);
  return { number: reader.uint(), point: reader.bytes(65) };
};

const receiver = (reader) => {
  reader.array(3);
  return { counter: reader.uint(), arrival: reader.uint(), received: reader.uint() };
};

const REQUEST = [
  [1, "kind", (reader) => REQUEST_KINDS[reader.number(1, 7)]], [2, "challenge", (reader) => viewOf(reader.bytes(8)).getBigUint64(0)],
  [3, "epoch", (reader) => reader.uint()], [4, "seq", (reader) => reader.uint()],
  [5, "nonce", (reader) => toHex(reader.bytes(8)), true], [6, "prekey", pairOf, true], [7, "receiver", receiver, true],
  [8, "cannotOpen", (reader) => reader.yes(), true],
];

// The content of a request of at most 512 bytes. The signature is not verified.
export const readRequest = (message) => decode(parse(message, 512).payload, (reader) => reader.fields(REQUEST));
