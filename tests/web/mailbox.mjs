// SPDX-License-Identifier: Apache-2.0
// The other sides of a link for tests: the mailbox of a hub in memory, and the owner's program. Each fault of the owner or of a hostile
// mailbox is an option.
import { concat, toHex, utf8 } from "../../firmware/web/bytes.js";
import { decode, encode } from "../../firmware/web/cbor.js";
import { openControl, parse } from "../../firmware/web/envelope.js";
import { Verifier } from "../../firmware/web/keys.js";
import { agreement, hpkeSeal, signControl } from "./support.mjs";

const scalar = (n) => Uint8Array.from({ length: 32 }, (_, i) => (i === 31 ? n : 0));

// A second form of the derivation, with HMAC only (RFC 5869).
export async function deriveLink(code) {
  const mac = async (key, data) => new Uint8Array(await crypto.subtle.sign("HMAC",
    await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]), data));
  const prk = await mac(new Uint8Array(32), code);
  const expand = async (name, size) => (await mac(prk, concat(utf8(`sealcam/1 link ${name}`), Uint8Array.of(1)))).subarray(0, size);
  const keys = { descriptor: await expand("descriptor", 32), enrollment: await expand("enrollment", 32) };
  return { slot: toHex(await expand("slot", 16)), ...keys, mac };
}

// The mailbox of one hub: fetch() of it has the answers of the protocol page, "Mailbox".
export class Mailbox {
  slots = new Map();          // slot: { descriptor, enrollment }
  requests = [];              // "<method> <path>"
  failures = 0;               // requests that get no answer
  lost = 0;                   // requests that arrive, and whose answer is lost
  respond = null;             // (method, path): a status, or undefined for the regular answer

  open(slot) { this.slots.set(slot, { descriptor: null, enrollment: null }); }

  fetch = async (path, { method = "GET", body = null } = {}) => {
    this.requests.push(`${method} ${path}`);
    if (this.failures > 0 && this.failures-- > 0) throw new TypeError("no network");
    const response = this.#answer(method, path, body);
    if (this.lost > 0 && this.lost-- > 0) throw new TypeError("the connection ended");
    return response;
  };

  #answer(method, path, body) {
    const status = this.respond?.(method, path), [, slot, what] = /^\/link\/1\/([0-9a-f]{32})\/(descriptor|enrollment)$/.exec(path) ?? [];
    const opened = this.slots.get(slot);
    if (status !== undefined || opened === undefined) return new Response(null, { status: status ?? 404 });
    if (method === "GET") return opened[what] === null ? new Response(null, { status: 204 }) : new Response(opened[what], { status: 200 });
    if (opened[what] !== null) return new Response(null, { status: 409 });
    opened[what] = Uint8Array.from(body);
    return new Response(null, { status: 204 });
  }
}

// Reads a link-descriptor as the owner's program does: { identity, hpke }, a Verifier and a point.
export async function readDescriptor(message, keys) {
  const { descriptor, mac } = decode(message, (reader) => {
    reader.array(2);
    return { descriptor: reader.bytes(1, 1024), mac: reader.bytes(32) };
  });
  if (toHex(await keys.mac(keys.descriptor, descriptor)) !== toHex(mac)) throw new Error("another code made this descriptor");
  const points = decode(parse(descriptor, 1024).payload, (reader) => reader.fields([
    [1, "role", (r) => r.number(2, 2)], [2, "identity", (r) => r.bytes(65).slice()], [3, "hpke", (r) => r.bytes(65).slice()]]));
  const identity = await Verifier.open(points.identity), none = new Uint8Array(20);
  await openControl(descriptor, "descriptor", none, identity.id, identity);
  return { identity, hpke: points.hpke };
}

// A link-enrollment for this phone. Each option replaces one part by another one.
export async function makeEnrollment(owner, phone, keys, { address = "wss://hub.home.arpa:8884", password = "A".repeat(43), name = "Phone",
                                     id = phone.identity.id, route = phone.identity.id, messageName = "phone-enrollment", signer = owner, owned = owner.point,
                                     account = owner.id, sealedAccount = account, sealedId = phone.identity.id, hpke = phone.hpke, macKey = keys.enrollment,
                                     change = (bytes) => bytes } = {}) {
  const fields = new Map([[1, id], [2, owned], [3, address], [4, password], [5, name]]);
  const signed = change(await signControl(signer, messageName, owner.id, route, fields));
  const [enc, ciphertext] = await hpkeSeal(await agreement(scalar(77)), hpke, encode(["sealcam/1 phone", sealedAccount, sealedId]), signed);
  return encode([account, enc, ciphertext, await keys.mac(macKey, concat(account, enc, ciphertext))]);
}
