// SPDX-License-Identifier: Apache-2.0
// The envelope of each message: COSE_Sign1 (RFC 9052 section 4.2) with ES256, and the external_aad that binds it to its topic.
import { concat, equal, require, utf8 } from "./bytes.js";
import { bytesHead, decode, encode } from "./cbor.js";
import { SIGNATURE_SIZE } from "./keys.js";

export const MAX_CONTROL = 128 << 10;            // bytes of a control message (R-ENV-4)
const HEADER_START = Uint8Array.of(0xa2, 0x01, 0x26, 0x04, 0x54);  // {1: -7, 4: 20 bytes
const COSE_SIGN1 = 18;

// CBOR ["sealcam/1", message name, account, camera]. Ids are 20 bytes.
export const externalAad = (name, account, camera) => encode(["sealcam/1", name, account, camera]);

export const protectedHeader = (signer) => concat(HEADER_START, signer);

// The parts of a COSE_Sign1, as views of the message. Nothing of it is verified. Throws Reject("malformed").
export function parse(message, max) {
  require(message.length <= max);
  return decode(message, (reader) => {
    reader.tag(COSE_SIGN1);
    reader.array(4);
    const header = reader.bytes(0, message.length);
    reader.map(0);
    return { header, payload: reader.bytes(0, message.length), signature: reader.bytes(SIGNATURE_SIZE) };
  });
}

const START = concat(Uint8Array.of(0x84, 0x6a), utf8("Signature1"));
let room = new Uint8Array(4096);

// The Sig_structure of RFC 9052 section 4.4. The result is valid until the next call, because all calls share one buffer: it is an argument
// of crypto.subtle only, which copies it before it returns.
export function toBeSigned(header, aad, payload) {
  const parts = [START, bytesHead(header.length), header, bytesHead(aad.length), aad, bytesHead(payload.length), payload];
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  if (room.length < size) room = new Uint8Array(Math.max(size, 2 * room.length));
  let at = 0;
  for (const part of parts) {
    room.set(part, at);
    at += part.length;
  }
  return room.subarray(0, size);
}

// The payload of a control message that `signer` (a Verifier) signed for this account and camera. Throws Reject: malformed, wrong_account
// (another signer in the header), bad_signature.
export async function openControl(message, name, account, camera, signer) {
  const { header, payload, signature } = parse(message, MAX_CONTROL);
  require(header.length === HEADER_START.length + signer.id.length && equal(header.subarray(0, HEADER_START.length), HEADER_START));
  require(equal(header.subarray(HEADER_START.length), signer.id), "wrong_account");
  await signer.verify(toBeSigned(header, externalAad(name, account, camera), payload), signature);
  return payload;
}

// A control message with this payload, signed by an IdentityKey.
export async function signControl(identity, name, account, camera, payload) {
  const header = protectedHeader(identity.id);
  const signature = await identity.sign(toBeSigned(header, externalAad(name, account, camera), payload));
  return concat(Uint8Array.of(0xd2, 0x84), bytesHead(header.length), header, Uint8Array.of(0xa0), bytesHead(payload.length), payload,
                bytesHead(signature.length), signature);
}
