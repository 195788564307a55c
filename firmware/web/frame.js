// SPDX-License-Identifier: Apache-2.0
// Sealed frames (protocol page, "Sealed frame"): the form of the message, the frame header, and the check of one frame.
import { Reject, concat, equal, reject, require, viewOf } from "./bytes.js";
import { bytesHead } from "./cbor.js";
import { SIGNATURE_SIZE } from "./keys.js";
import { toBeSigned } from "./envelope.js";
import { decodeReport } from "./messages.js";
import { TAG_SIZE, parseHeader } from "./sframe.js";

const MAX_PLAINTEXT = 1 << 20;
export const MAX_FRAME = MAX_PLAINTEXT + 512;
export const KINDS = Object.freeze([null, "key", "delta", "still", "report"]);

// Offsets in the message (R-FRAME-2): tag and array, the protected header of 31 bytes, the empty map, the payload.
const START = Uint8Array.of(0xd2, 0x84, 0x58, 31);
const HEADER_START = Uint8Array.of(0xa3, 0x01, 0x26, 0x04, 0x54);
const HEADER_LABEL = Uint8Array.of(0x3a, 0x00, 0x01, 0x00, 0x00);
const SIGNATURE_START = Uint8Array.of(0x58, SIGNATURE_SIZE);
const HEADER_AT = START.length, SIGNER_AT = HEADER_AT + HEADER_START.length, LABEL_AT = SIGNER_AT + 20;
const KIND_AT = LABEL_AT + HEADER_LABEL.length, MAP_AT = KIND_AT + 1, PAYLOAD_AT = MAP_AT + 1;
const END_SIZE = SIGNATURE_START.length + SIGNATURE_SIZE;

// The frame header in the plaintext (R-FRAME-3).
const FIXED = 32, MAX_ECHOES = 16;
const MAX_COUNTER = 0xffffffffn;

const WAITING_MS = 1000, WAITING_BYTES = 2 << 20;

const startsWith = (bytes, at, start) => equal(bytes.subarray(at, at + start.length), start);

// The kind that a message claims, or null. For decisions about what to drop only: nothing of the message is verified.
export const claimedKind = (message) => KINDS[message[KIND_AT]] ?? null;

// The parts of a sealed frame, as views of the message. Nothing of it is verified. Throws Reject("malformed").
export function parseFrame(message) {
  require(message.length >= PAYLOAD_AT + 1 + END_SIZE && message.length <= MAX_FRAME && startsWith(message, 0, START));
  require(startsWith(message, HEADER_AT, HEADER_START) && startsWith(message, LABEL_AT, HEADER_LABEL));
  const kind = claimedKind(message);
  const end = message.length - END_SIZE;
  require(kind !== null && message[MAP_AT] === 0xa0 && startsWith(message, end, SIGNATURE_START));
  const payload = message.subarray(payloadAt(message, end), end);
  const sframe = parseHeader(payload);
  require(payload.length >= sframe.size + FIXED + TAG_SIZE && payload.length <= sframe.size + MAX_PLAINTEXT + TAG_SIZE);
  return { signer: message.subarray(SIGNER_AT, LABEL_AT), kind, epoch: sframe.kid, counter: Number(sframe.ctr), sframe, payload,
           header: message.subarray(HEADER_AT, MAP_AT), signature: message.subarray(end + SIGNATURE_START.length) };
}

// Where the payload begins: after the head of a byte string that ends at `end`, in its shortest form.
function payloadAt(message, end) {
  for (const size of [2, 3, 5]) {  // a payload has at least 50 bytes
    const at = PAYLOAD_AT + size;
    if (at <= end && startsWith(message, PAYLOAD_AT, bytesHead(end - at))) return at;
  }
  return reject("malformed");
}

// The frame header of a plaintext, and its content as a view. Throws Reject("malformed"). Numbers of 64 bits are BigInt. The capture time is
// a claim of the camera, for display only (R-FRAME-10).
export function parseFrameHeader(plaintext, frame) {
  require(plaintext.length >= FIXED);
  const view = viewOf(plaintext);
  const echoes = view.getUint8(28), size = FIXED + 8 * echoes;
  require(view.getUint8(0) === 1 && view.getUint8(1) === (frame.kind === "report" ? 0 : 1));
  require(echoes <= MAX_ECHOES && plaintext.length >= size);
  const header = {
    motion: (view.getUint16(2) & 1) === 1, width: view.getUint16(4), height: view.getUint16(6), captured: view.getBigInt64(8),
    number: view.getUint32(16), age: view.getUint32(20), depends: view.getUint32(24), echoes: new Set(),
  };
  for (let at = FIXED; at < size; at += 8) header.echoes.add(view.getBigUint64(at));
  require(header.echoes.size === echoes && !header.echoes.has(0n));
  require(frame.sframe.ctr <= MAX_COUNTER);
  require(frame.kind === "delta" ? header.depends < frame.counter : header.depends === frame.counter);
  return { header, content: plaintext.subarray(size) };
}

// Checks one parsed frame in the order of R-FRAME-8, from the signature to the header. Never throws a Reject. Returns { reason } with null if
// the frame is valid, and then its `header`, `content`, and the `report` of this kind.
//
// camera: Verifier. key: OpeningKey, or null if no grant for the epoch is known. checkPicture(kind, header, content): a boolean, whether the
// access unit is the picture that the header describes (R-FRAME-9).
export async function checkFrame(frame, aad, camera, key, checkPicture) {
  try {
    await camera.verify(toBeSigned(frame.header, aad, frame.payload), frame.signature);
    require(key !== null, "not_decryptable");
    const plaintext = await key.open(frame.payload, frame.sframe, concat(aad, frame.header));
    const { header, content } = parseFrameHeader(plaintext, frame);
    if (frame.kind === "report") return { reason: null, header, content, report: decodeReport(content) };
    require(content.length > 0 && checkPicture(frame.kind, header, content));
    return { reason: null, header, content, report: null };
  } catch (error) {
    if (!(error instanceof Reject)) throw error;
    return { reason: error.reason };
  }
}

// Frames that arrived before the grants of their epoch (R-CAND-6): at most 2 MiB, for at most 1 s.
export class WaitingFrames {
  #arrivals = [];   // the oldest first

  // arrival: { frame, message, at (ms) }.
  add(arrival) { this.#arrivals.push(arrival); }

  clear() { this.#arrivals = []; }

  // Removes and returns those of one epoch.
  take(epoch) {
    const taken = this.#arrivals.filter(({ frame }) => frame.epoch === epoch);
    this.#arrivals = this.#arrivals.filter(({ frame }) => frame.epoch !== epoch);
    return taken;
  }

  // Removes and returns the oldest ones that waited too long or do not fit.
  takeExcess(now) {
    let bytes = this.#arrivals.reduce((sum, { message }) => sum + message.length, 0), count = 0;
    for (const { message, at } of this.#arrivals) {
      if (bytes <= WAITING_BYTES && now - at <= WAITING_MS) break;
      bytes -= message.length;
      ++count;
    }
    return this.#arrivals.splice(0, count);
  }
}
