// SPDX-License-Identifier: Apache-2.0
// Bytes, ids as text, and the one exception of these modules.

// The reject reasons of the protocol page (firmware/protocol/README.md, "Reject reasons"), in its order.
export const REASONS = Object.freeze(["not_member", "wrong_account", "malformed", "bad_signature", "not_decryptable", "closed_epoch",
  "replayed", "out_of_order", "cloned"]);

// Why a receiver rejects a message. It is the only exception that these modules throw because of a message. It has no stack, because
// anybody who can reach the broker can cause it as often as they like.
export class Reject {
  constructor(reason) {
    this.reason = reason;
    Object.freeze(this);
  }
  toString() { return `Reject: ${this.reason}`; }
}

const REJECTS = new Map(REASONS.map((reason) => [reason, new Reject(reason)]));

// Throws the Reject with this reason. A reason that the protocol does not have is a fault of the caller (TypeError).
export function reject(reason) {
  const rejection = REJECTS.get(reason);
  if (!rejection) throw new TypeError(`'${reason}' is not a reject reason`);
  throw rejection;
}

// Throws the Reject with this reason unless the condition is true.
export function require(condition, reason = "malformed") {
  if (condition !== true) reject(reason);
}

// How many messages were rejected for each reason.
export class RejectCounts extends Map {
  constructor() { super(REASONS.map((reason) => [reason, 0])); }
  add(reason) { this.set(reason, this.get(reason) + 1); }
}

// One array with the bytes of all parts.
export function concat(...parts) {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

export function equal(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; ++i) if (a[i] !== b[i]) return false;
  return true;
}

// Below 0, 0 or above 0: the bytewise order of deterministic CBOR. A shorter array comes before its continuations.
export function compare(a, b) {
  const size = Math.min(a.length, b.length);
  for (let i = 0; i < size; ++i) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}

const encoder = new TextEncoder();
export const utf8 = (text) => encoder.encode(text);

export const toHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// For keys and constants of a program. Throws TypeError for a text that is not hexadecimal.
export function fromHex(text) {
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new TypeError("not a hexadecimal text");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const ID_TEXT = /^[a-z2-7]{32}$/;
export const ID_SIZE = 20;

// An id of 20 bytes as its 32 letters (R-KEY-3).
export function idText(bytes) {
  let text = "", bits = 0, kept = 0;
  for (const byte of bytes) {
    kept = (kept << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(kept >> (bits - 5)) & 31];
    kept &= (1 << bits) - 1;
  }
  return text;
}

// The 20 bytes of 32 letters (R-KEY-3), or null for any other text.
export function idBytes(text) {
  if (!ID_TEXT.test(text)) return null;
  const bytes = new Uint8Array(ID_SIZE);
  let at = 0, bits = 0, kept = 0;
  for (const letter of text) {
    kept = (kept << 5) | BASE32.indexOf(letter);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = kept >> bits;
    kept &= (1 << bits) - 1;
  }
  return bytes;
}

// A copy that owns its buffer. Messages are views of the transport's buffer, and what a hub keeps must not hold that buffer.
export const copy = (bytes) => Uint8Array.from(bytes);

// 64 bits, big-endian.
export function u64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

export const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
