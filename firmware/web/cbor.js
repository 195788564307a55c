// SPDX-License-Identifier: Apache-2.0
// Deterministic CBOR (RFC 8949 section 4.2.1), as far as sealcam.cddl uses it.
import { compare, concat, require, utf8, viewOf } from "./bytes.js";

const UINT = 0, NEGATIVE = 1, BYTES = 2, TEXT = 3, ARRAY = 4, MAP = 5, TAG = 6;
const FALSE = 0xf4, TRUE = 0xf5;
const MAX_UINT = (1n << 64n) - 1n;
const MAX_TIME = 1n << 53n;  // microseconds

// The head of an item: its major type and its argument, in the shortest form. `argument` is a BigInt or a safe integer, 0 to 2^64 - 1.
function head(major, argument) {
  const n = BigInt(argument);
  if (n < 0n || n > MAX_UINT) throw new RangeError("a number of CBOR has 64 bits");
  const type = major << 5;
  if (n < 24n) return Uint8Array.of(type | Number(n));
  const size = n < 1n << 8n ? 1 : n < 1n << 16n ? 2 : n < 1n << 32n ? 4 : 8;
  const bytes = new Uint8Array(1 + size);
  bytes[0] = type | (24 + Math.log2(size));
  for (let i = size, rest = n; i > 0; --i, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

// Encodes integers (BigInt or safe integer), booleans, texts, Uint8Array, arrays, and Map. Sorts the pairs
// of maps. Throws TypeError or RangeError for other values: what a program encodes is not outside data.
export function encode(value) {
  if (typeof value === "boolean") return Uint8Array.of(value ? TRUE : FALSE);
  if (typeof value === "bigint" || Number.isSafeInteger(value)) {
    const n = BigInt(value);
    return n >= 0n ? head(UINT, n) : head(NEGATIVE, -1n - n);
  }
  if (value instanceof Uint8Array) return concat(head(BYTES, value.length), value);
  if (typeof value === "string") {
    const bytes = utf8(value);
    return concat(head(TEXT, bytes.length), bytes);
  }
  if (Array.isArray(value)) return concat(head(ARRAY, value.length), ...value.map(encode));
  if (value instanceof Map) {
    const pairs = [...value].map(([key, item]) => [encode(key), encode(item)]).sort(([a], [b]) => compare(a, b));
    return concat(head(MAP, pairs.length), ...pairs.flat());
  }
  throw new TypeError(`CBOR for ${typeof value}`);
}

// The head of a byte string of this size, so that a large string needs no copy.
export const bytesHead = (size) => head(BYTES, size);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Reads items in the order in which the caller expects them. So it accepts one encoding of a message only, and needs no depth limit: the
// caller decides which item follows. Each method throws Reject("malformed") if another item follows, if it is not in its shortest form,
// or if it is truncated. Byte strings are views of the input.
export class Reader {
  #bytes;
  #view;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  get left() { return this.#bytes.length - this.#at; }

  // The argument of an item: a Number below 2^32, or else a BigInt.
  #argument(major) {
    require(this.left > 0);
    const first = this.#bytes[this.#at++];
    require(first >> 5 === major);
    const code = first & 31;
    if (code < 24) return code;
    require(code <= 27);
    const size = 1 << (code - 24), at = this.#at;
    require(this.left >= size);
    this.#at += size;
    if (size === 8) {
      const large = this.#view.getBigUint64(at);
      require(large >= 1n << 32n);
      return large;
    }
    const n = size === 1 ? this.#view.getUint8(at) : size === 2 ? this.#view.getUint16(at) : this.#view.getUint32(at);
    require(n >= (size === 1 ? 24 : size === 2 ? 1 << 8 : 1 << 16));
    return n;
  }

  // Number of bytes or items, at most `max`. The input has that many bytes, because each item has at least one.
  #size(major, min, max) {
    const size = this.#argument(major);
    require(typeof size === "number" && size >= min && size <= max && size <= this.left);
    return size;
  }

  #take(size) {
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  // A BigInt of 64 bits.
  uint() { return BigInt(this.#argument(UINT)); }

  // A Number from `min` to `max`, both below 2^32.
  number(min, max) {
    const n = this.#argument(UINT);
    require(typeof n === "number" && n >= min && n <= max);
    return n;
  }

  // Microseconds, -2^53 to 2^53, as a Number.
  time() {
    require(this.left > 0);
    const negative = this.#bytes[this.#at] >> 5 === NEGATIVE;
    const n = BigInt(this.#argument(negative ? NEGATIVE : UINT));
    const time = negative ? -1n - n : n;
    require(time >= -MAX_TIME && time <= MAX_TIME);
    return Number(time);
  }

  bool() {
    require(this.left > 0);
    const byte = this.#bytes[this.#at++];
    require(byte === TRUE || byte === FALSE);
    return byte === TRUE;
  }

  // The value true, which is the only one of a field that is absent if it is false.
  yes() {
    require(this.bool());
    return true;
  }

  // A byte string of `min` to `max` bytes.
  bytes(min, max = min) { return this.#take(this.#size(BYTES, min, max)); }

  // A text of `min` to `max` bytes of UTF-8.
  text(min, max) {
    const bytes = this.#take(this.#size(TEXT, min, max));
    try {
      return decoder.decode(bytes);
    } catch {
      return require(false);
    }
  }

  tag(number) { require(this.#argument(TAG) === number); }

  // The number of items of an array, or of pairs of a map.
  array(min, max = min) { return this.#size(ARRAY, min, max); }
  map(min, max = min) { return this.#size(MAP, min, max); }

  // An array of `min` to `max` items, each read by `read(reader)`.
  list(min, max, read) {
    const all = [];
    for (let left = this.array(min, max); left > 0; --left) all.push(read(this));
    return all;
  }

  // Skips a number, a string or a truth value.
  #skip() {
    require(this.left > 0);
    const major = this.#bytes[this.#at] >> 5;
    if (major <= NEGATIVE) this.#argument(major);
    else if (major === BYTES) this.bytes(0, this.left);
    else if (major === TEXT) this.text(0, this.left);
    else this.bool();
  }

  // A map with these fields: [label, name, read, optional], in ascending order of the labels, which are below 24. Returns an object. A field
  // that is absent is absent there too. newer: skips greater labels up to 255, which a newer sender may add (R-UPDATE-2).
  fields(expected, newer = false) {
    let left = this.map(0, newer ? this.left : expected.length);
    const found = {};
    for (const [label, name, read, optional] of expected) {
      if (left > 0 && this.#bytes[this.#at] === label) {
        --left;
        ++this.#at;
        found[name] = read(this);
      } else {
        require(optional === true);
      }
    }
    require(left === 0 || newer);
    for (let last = expected.at(-1)[0]; left > 0; --left) {
      const label = this.number(last + 1, 255);
      this.#skip();
      last = label;
    }
    return found;
  }
}

// Reads one message with `read(reader)` and rejects bytes after it. padded: zeros may follow.
export function decode(bytes, read, padded = false) {
  const reader = new Reader(bytes);
  const value = read(reader);
  require(reader.left === 0 || (padded && bytes.subarray(-reader.left).every((byte) => byte === 0)));
  return value;
}
