// SPDX-License-Identifier: Apache-2.0
// bytes.js, cbor.js and the parts of keys.js that check keys.
import assert from "node:assert/strict";
import test from "node:test";
import { REASONS, Reject, compare, fromHex, idBytes, idText, reject, toHex } from "../../firmware/web/bytes.js";
import { Reader, decode, encode } from "../../firmware/web/cbor.js";
import { AgreementKey, IdentityKey, Verifier, checkPoint, generateAgreement, generateIdentity } from "../../firmware/web/keys.js";
import { OpeningKey, parseHeader } from "../../firmware/web/sframe.js";
import { sframeSeal } from "./support.mjs";

const malformed = (error) => error instanceof Reject && error.reason === "malformed";
const rejects = (hex, read) => assert.throws(() => decode(fromHex(hex), read), malformed, hex);

test("the examples of RFC 8949 appendix A that sealcam/1 uses are encoded in their shortest form", () => {
  for (const [value, hex] of [[0, "00"], [23, "17"], [24, "1818"], [255, "18ff"], [256, "190100"], [1000, "1903e8"], [1000000, "1a000f4240"],
                              [1000000000000, "1b000000e8d4a51000"], [18446744073709551615n, "1bffffffffffffffff"], [-1, "20"], [-100, "3863"],
                              [-65537, "3a00010000"], [false, "f4"], [true, "f5"], [fromHex("01020304"), "4401020304"], ["IETF", "6449455446"],
                              ["\u00fc", "62c3bc"], [[1, [2, 3], [4, 5]], "8301820203820405"], [new Map([[3, 4], [1, 2]]), "a201020304"],
                              [new Map([[-1, 1], [10, 2], [100, 3]]), "a30a0218640320" + "01"]])
    assert.equal(toHex(encode(value)), hex);
  for (const value of [1.5, undefined, null, {}, 1n << 64n, 2 ** 60]) assert.throws(() => encode(value), /TypeError|RangeError/);
});

test("a reader accepts the shortest form of a number only", () => {
  for (const [hex, value] of [["00", 0n], ["17", 23n], ["1818", 24n], ["190100", 256n], ["1a00010000", 65536n], ["1b0000000100000000", 1n << 32n],
                              ["1bffffffffffffffff", (1n << 64n) - 1n]])
    assert.equal(decode(fromHex(hex), (r) => r.uint()), value);
  for (const hex of ["1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "18", "19ff", "1b01", "1c", "1d", "1e", "1f", "", "20", "0000"])
    rejects(hex, (r) => r.uint());
});

test("a time has at most 2^53 microseconds, in both directions", () => {
  for (const [hex, value] of [["00", 0], ["20", -1], ["1b0020000000000000", 2 ** 53], ["3b001fffffffffffff", -(2 ** 53)]])
    assert.equal(decode(fromHex(hex), (r) => r.time()), value);
  for (const hex of ["1b0020000000000001", "3b0020000000000000", "3b0020000000000001", "1bffffffffffffffff", "3bffffffffffffffff", "f5", ""])
    rejects(hex, (r) => r.time());
});

test("strings, lists and maps are bounded, complete and of definite length", () => {
  assert.deepEqual(decode(fromHex("43010203"), (r) => r.bytes(3)), fromHex("010203"));
  for (const hex of ["4201", "5801ff", "5f4101ff", "5affffffff", "5bffffffffffffffff", "430102", "63010203"]) rejects(hex, (r) => r.bytes(0, 3));
  assert.equal(decode(fromHex("63e282ac"), (r) => r.text(0, 3)), "\u20ac");
  assert.equal(decode(fromHex("63efbbbf"), (r) => r.text(0, 3)), "\ufeff");  // no byte order mark is removed
  for (const hex of ["62c328", "62c080", "63eda080", "61ff", "6461626364"]) rejects(hex, (r) => r.text(0, 3));  // overlong, surrogate, too long
  assert.deepEqual(decode(fromHex("820102"), (r) => r.list(0, 2, (i) => i.uint())), [1n, 2n]);
  for (const hex of ["83010203", "8201", "9f0102ff", "9affffffff", "9bffffffffffffffff", "a10102"]) rejects(hex, (r) => r.list(0, 2, (i) => i.uint()));
});

test("a map has its fields once, in their order, and no other one", () => {
  const read = (r) => r.fields([[1, "a", (i) => i.uint()], [2, "b", (i) => i.yes(), true], [3, "c", (i) => i.bool(), true]]);
  assert.deepEqual(decode(fromHex("a10105"), read), { a: 5n });
  assert.deepEqual(decode(fromHex("a3010502f503f4"), read), { a: 5n, b: true, c: false });
  assert.deepEqual(decode(fromHex("a2010503f5"), read), { a: 5n, c: true });
  for (const hex of ["a0", "a10205", "a202f50105", "a201050105", "a2010502f4", "a2010504f5", "a3010502f502f5", "a201051802f5", "bf0105ff", "a101", "a2010502f503f5", "a10105f5"])
    rejects(hex, read);
});

test("a reader of one kind rejects every other kind of item", () => {
  const kinds = { uint: "01", bytes: "4101", text: "6161", array: "8101", map: "a10101", tag: "d201", bool: "f5", null: "f6", half: "f93c00", undefined: "f7", negative: "20" };
  const readers = { uint: (r) => r.uint(), bytes: (r) => r.bytes(0, 9), text: (r) => r.text(0, 9), array: (r) => r.list(0, 9, (i) => i.uint()),
                    map: (r) => r.fields([[1, "a", (i) => i.uint()]]), bool: (r) => r.bool() };
  for (const [name, read] of Object.entries(readers))
    for (const [kind, hex] of Object.entries(kinds)) if (kind !== name) rejects(hex, read);
  const tagged = new Reader(fromHex("d201"));
  tagged.tag(18);
  assert.equal(tagged.uint(), 1n);
});

test("ids have 32 letters, and reasons are those of the protocol", () => {
  const id = Uint8Array.from({ length: 20 }, (_, i) => 255 - 7 * i);
  assert.deepEqual(idBytes(idText(id)), id);
  assert.equal(idText(new Uint8Array(20)), "a".repeat(32));
  for (const other of ["", "a".repeat(31), "a".repeat(33), "A".repeat(32), `${"a".repeat(31)}1`, `${"a".repeat(31)}\n`]) assert.equal(idBytes(other), null);
  for (const reason of REASONS) assert.throws(() => reject(reason), (error) => error instanceof Reject && error.reason === reason);
  assert.throws(() => reject("another"), TypeError);
  assert.ok(compare(fromHex("01"), fromHex("0100")) < 0 && compare(fromHex("02"), fromHex("0100")) > 0 && compare(id, id) === 0);
});

test("a point that is not on the curve is rejected before WebCrypto receives it", async () => {
  const { point } = await generateIdentity();
  checkPoint(point);
  const prime = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
  const y = prime - BigInt(`0x${toHex(point.subarray(33))}`);
  checkPoint(fromHex(toHex(point.subarray(0, 33)) + y.toString(16).padStart(64, "0")));  // the other point with this x
  const changed = (at, value) => point.map((byte, i) => (i === at ? value : byte));
  for (const wrong of [changed(0, 2), changed(0, 0), changed(64, point[64] ^ 1), changed(1, point[1] ^ 1), point.subarray(1), new Uint8Array(65), new Uint8Array(),
                       fromHex(`04${prime.toString(16)}${toHex(point.subarray(33))}`)])
    assert.throws(() => checkPoint(wrong), malformed);
  await assert.rejects(Verifier.open(changed(64, point[64] ^ 1)), malformed);
});

test("r and s are 1 to n - 1, and s is at most n / 2", async () => {
  const identity = await IdentityKey.open(await generateIdentity()), verifier = await Verifier.open(identity.point), data = fromHex("01");
  const signature = await identity.sign(data), order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const half = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8", above = `${half.slice(0, -1)}9`, zero = "0".repeat(64);
  await verifier.verify(data, signature);
  const r = toHex(signature.subarray(0, 32)), s = toHex(signature.subarray(32));
  for (const wrong of [zero + s, order + s, r + zero, r + order, r + above, r + half, zero + zero, "f".repeat(64) + s, s + r])
    await assert.rejects(verifier.verify(data, fromHex(wrong)), (error) => error instanceof Reject && error.reason === "bad_signature", wrong);
});

test("private keys and epoch keys cannot be exported", async () => {
  for (const { privateKey } of [await generateIdentity(), await generateAgreement()]) {
    assert.equal(privateKey.extractable, false);
    for (const format of ["jwk", "pkcs8", "raw"]) await assert.rejects(crypto.subtle.exportKey(format, privateKey));
  }
  const open = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
  assert.throws(() => new AgreementKey({ privateKey: open.privateKey, point: new Uint8Array(65) }), TypeError);
  const sign = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  await assert.rejects(IdentityKey.open({ privateKey: sign.privateKey, point: new Uint8Array(65) }), TypeError);
  const made = [], { deriveKey } = crypto.subtle;
  crypto.subtle.deriveKey = async (...all) => made[made.push(await deriveKey.apply(crypto.subtle, all)) - 1];
  try {
    await OpeningKey.derive(5, 1n, new Uint8Array(32));
  } finally {
    delete crypto.subtle.deriveKey;
  }
  assert.equal(made.length, 1);
  await assert.rejects(crypto.subtle.exportKey("raw", made[0]));
});

test("WebCrypto copies what it receives before it returns: the shared buffers depend on it", async () => {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]), es256 = { name: "ECDSA", hash: "SHA-256" };
  const data = new Uint8Array(1 << 20).fill(3), signing = crypto.subtle.sign(es256, pair.privateKey, data);
  data.fill(4);
  const signature = await signing;
  data.fill(3);
  const verifying = crypto.subtle.verify(es256, pair.publicKey, signature, data);
  data.fill(5);
  assert.equal(await verifying, true);
  const base = new Uint8Array(16), key = await OpeningKey.derive(4, 1n, base), metadata = Uint8Array.of(1, 2, 3);
  const sealed = await sframeSeal(4, base, 1n, 1n << 33n, metadata, new Uint8Array(1 << 20).fill(6)), opening = key.open(sealed, parseHeader(sealed), metadata);
  metadata.fill(0);
  await assert.rejects(key.open(sealed, parseHeader(sealed), metadata), (error) => error.reason === "not_decryptable");
  assert.equal((await opening)[1000], 6);
});
