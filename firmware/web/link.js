// SPDX-License-Identifier: Apache-2.0
// Links this browser to an account: the phone's side of the mailbox (protocol page, "Phones"). The code of the address authenticates both
// sides. The web server and the mailbox see neither the code nor the enrollment's content.
import { concat, equal, copy, Reject, require, toHex, utf8 } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { openControl, parse, signControl } from "./envelope.js";
import * as hpke from "./hpke.js";
import { AgreementKey, IdentityKey, POINT_SIZE, Verifier, checkPoint, generateAgreement, generateIdentity } from "./keys.js";

export const LOCK = "sealcam-phone";                  // of the tab that uses what is stored
const CODE = /^[A-Za-z0-9_-]{21}[AQgw]$/;            // 16 bytes in base64url; the last letter has two bits
const NO_ID = new Uint8Array(20);
const ROLE_HUB = 2;
const MAX_ENROLLMENT = 8 << 10;                       // bytes (R-PHONE-7)
const POLL_MS = 1000, LINK_MS = 10 * 60_000;          // a slot ends 10 min after its opening
const STOP_MS = 300;                                  // until a tab that lost the lock has stopped
const MAX_FAILURES = 20;                              // requests without an answer, one after the other
const PASSWORD_SIZE = 43, MAX_ADDRESS = 300, MAX_NAME = 64;

// Why a link failed. reason: "expired" (the mailbox has no such code: it ended, or never began), "used" (another browser answered first),
// "wrong_code" (the code is not one, or a message was not made with it), "network", "storage".
export class LinkError extends Error {
  constructor(reason, cause) {
    super(`cannot link this browser: ${reason}`, { cause });
    this.reason = reason;
  }
}

// The code of an address: 16 bytes, or null. The address of `sealcam phone link` ends with #link/CODE.
export function readCode(text) {
  if (!CODE.test(text)) return null;
  return Uint8Array.from(atob(`${text.replaceAll("-", "+").replaceAll("_", "/")}==`), (letter) => letter.charCodeAt(0));
}

// The slot of a code, as text, and its two keys. The keys cannot be exported.
export async function deriveLink(code) {
  const secret = await crypto.subtle.importKey("raw", code, "HKDF", false, ["deriveBits", "deriveKey"]);
  const from = (name) => ({ name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info: utf8(`sealcam/1 link ${name}`) });
  const hmac = { name: "HMAC", hash: "SHA-256", length: 256 };
  const [slot, descriptor, enrollment] = await Promise.all([
    crypto.subtle.deriveBits(from("slot"), secret, 128),
    crypto.subtle.deriveKey(from("descriptor"), secret, hmac, false, ["sign"]),
    crypto.subtle.deriveKey(from("enrollment"), secret, hmac, false, ["verify"])]);
  return { slot: toHex(new Uint8Array(slot)), descriptor, enrollment };
}

// The descriptor of a phone, a device of role hub without a TLS key, signed by itself.
export function makeDescriptor(identity, agreement) {
  const payload = encode(new Map([[1, ROLE_HUB], [2, identity.point], [3, agreement.point]]));
  return signControl(identity, "descriptor", NO_ID, identity.id, payload);
}

// link-descriptor: the descriptor with its MAC.
export async function sealDescriptor(descriptor, key) {
  return encode([descriptor, new Uint8Array(await crypto.subtle.sign("HMAC", key, descriptor))]);
}

const ENROLLMENT = [
  [1, "phone", (reader) => copy(reader.bytes(20))],
  [2, "owner", (reader) => copy(checkPoint(reader.bytes(POINT_SIZE)))],
  [3, "address", (reader) => reader.text(1, MAX_ADDRESS)],
  [4, "password", (reader) => reader.text(PASSWORD_SIZE, PASSWORD_SIZE)],
  [5, "name", (reader) => reader.text(1, MAX_NAME)],
];
const ADDRESS = /^wss:\/\/([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([1-9]\d{0,4})$/;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const PASSWORD = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;  // 32 bytes in base64url

// Why a phone rejects an enrollment (R-PHONE-7): malformed, wrong_code, not_decryptable, conflict (it names another account or another phone),
// bad_signature.
export class EnrollmentError extends Error {
  constructor(reason) {
    super(`the enrollment is rejected: ${reason}`);
    this.reason = reason;
  }
}

const check = (condition, reason) => { if (!condition) throw new EnrollmentError(reason); };

// The value of a function that throws Reject, with the phone's reasons.
async function checked(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Reject)) throw error;
    throw new EnrollmentError(error.reason === "wrong_account" ? "bad_signature" : error.reason);
  }
}

function isUrl(text) {
  try {
    return new URL(text) !== null;
  } catch {
    return false;
  }
}

// A host that begins with a letter or a digit. A name does not end with a number or an empty part, so that a wrong IPv4 address is no name. The
// browser judges an IPv6 address, but not its IPv4 part: Chromium accepts numbers there that begin with 0.
function isHost(host) {
  if (host.startsWith("[")) {
    const end = host.slice(1, -1).split(":").at(-1);
    return isUrl(`wss://${host}/`) && (!end.includes(".") || IPV4.test(end));
  }
  const last = host.replace(/\.$/, "").split(".").at(-1);
  return /^[^.-]/.test(host) && (!/^\d*$/.test(last) || IPV4.test(host));
}

function readEnrollment(payload) {
  const read = decode(payload, (reader) => reader.fields(ENROLLMENT));
  const [, host, port] = ADDRESS.exec(read.address) ?? [];
  require(host !== undefined && isHost(host) && Number(port) <= 65535 && PASSWORD.test(read.password));
  return read;
}

// Opens a link-enrollment for this phone: { owner, address, password, name }. Nothing is read before the MAC is checked, because the phone
// does not know the owner's key yet. Throws EnrollmentError.
export async function openEnrollment(message, key, identity, agreement) {
  const { account, enc, ciphertext, mac } = await checked(() => {
    require(message.length <= MAX_ENROLLMENT);
    return decode(message, (reader) => {
      reader.array(4);
      return { account: reader.bytes(20), enc: reader.bytes(POINT_SIZE), ciphertext: reader.bytes(0, MAX_ENROLLMENT), mac: reader.bytes(32) };
    });
  });
  check(await crypto.subtle.verify("HMAC", key, mac, concat(account, enc, ciphertext)), "wrong_code");
  const signed = await checked(() => hpke.open(agreement, enc, encode(["sealcam/1 phone", account, identity.id]), ciphertext));
  const enrollment = await checked(() => readEnrollment(parse(signed, MAX_ENROLLMENT).payload));
  const owner = await checked(() => Verifier.open(enrollment.owner));
  check(equal(owner.id, account), "conflict");
  await checked(() => openControl(signed, "phone-enrollment", account, identity.id, owner));
  check(equal(enrollment.phone, identity.id), "conflict");
  return enrollment;
}

// Runs an action while no other tab uses what is stored: a hub there would write what belongs to the earlier link.
export function alone(locks, action) {
  if (!locks) return action();
  return locks.request(LOCK, { steal: true }, async () => {
    await new Promise((resolve) => { setTimeout(resolve, STOP_MS); });
    return action();
  });
}

// One link. The page may be closed and opened again meanwhile: the keys and the descriptor are stored, and the same slot continues.
class Linking {
  #link;
  #store;
  #fetch;
  #locks;
  #keys = null;   // { identity, hpke }: pairs

  constructor(link, store, fetch, locks) {
    this.#locks = locks;
    this.#link = link;
    this.#store = store;
    this.#fetch = fetch;
  }

  async #stored(action) {
    try {
      return await action();
    } catch (error) {
      throw new LinkError("storage", error);
    }
  }

  // The descriptor of earlier attempts with this code, or a new one. `resumed`: an earlier attempt stored it.
  async prepare() {
    const pending = await this.#stored(async () => (await this.#store.load("link")).get("pending"));
    if (pending?.slot === this.#link.slot) {
      this.#keys = { identity: pending.identity, hpke: pending.hpke };
      return { descriptor: pending.descriptor, resumed: true };
    }
    const [identity, agreement] = await Promise.all([generateIdentity(), generateAgreement()]);
    this.#keys = { identity, hpke: agreement };
    const descriptor = await makeDescriptor(await IdentityKey.open(identity), agreement);
    await this.#stored(() => this.#store.save("link", "pending", { slot: this.#link.slot, identity, hpke: agreement, descriptor }));
    return { descriptor, resumed: false };
  }

  #request(what, options) { return this.#fetch(`/link/1/${this.#link.slot}/${what}`, { cache: "no-store", credentials: "omit", redirect: "error", ...options }); }

  // Repeats a request until the answer has one of these states. `repeated`: an earlier request may have arrived, and its answer was lost.
  async #answer(what, options, final) {
    const end = performance.now() + LINK_MS;
    for (let failures = 0, repeated = false; ;) {
      let response = null;
      try {
        response = await this.#request(what, options);
        failures = 0;
      } catch (error) {
        repeated = true;
        if (++failures > MAX_FAILURES) throw new LinkError("network", error);
      }
      if (response !== null) {
        if (final.includes(response.status)) return { response, repeated };
        if (response.status === 404) throw new LinkError("expired");
        if (response.status !== 204 && response.status !== 429 && response.status < 500) throw new LinkError("network", new Error(`the mailbox answers ${response.status}`));
      }
      if (performance.now() > end) throw new LinkError(response === null ? "network" : "expired");
      await new Promise((resolve) => { setTimeout(resolve, POLL_MS); });
    }
  }

  async leaveDescriptor(descriptor, resumed) {
    const body = await sealDescriptor(descriptor, this.#link.descriptor);
    const { response, repeated } = await this.#answer("descriptor", { method: "POST", headers: { "Content-Type": "application/cbor" }, body }, [204, 409]);
    // After an earlier request, the enrollment will show whose descriptor the mailbox has.
    if (response.status === 409 && !resumed && !repeated) throw new LinkError("used");
  }

  async waitForEnrollment() {
    const { response } = await this.#answer("enrollment", {}, [200]);
    const body = new Uint8Array(await response.arrayBuffer());
    if (body.length > MAX_ENROLLMENT) throw new LinkError("wrong_code");
    return body;
  }

  async adopt(message) {
    const identity = await IdentityKey.open(this.#keys.identity);
    let enrollment;
    try {
      enrollment = await openEnrollment(message, this.#link.enrollment, identity, new AgreementKey(this.#keys.hpke));
    } catch (error) {
      if (!(error instanceof EnrollmentError)) throw error;
      throw new LinkError(error.reason === "not_decryptable" ? "used" : "wrong_code", error);
    }
    const { owner, address, password, name } = enrollment;
    await alone(this.#locks, () => this.#stored(() => this.#store.replaceAll([
      ["identity", "identity", this.#keys.identity], ["identity", "hpke", this.#keys.hpke],
      ["link", "broker", { owner, address, password, name, id: identity.text }]])));
    return { name, broker: address };
  }
}

// Links this browser with the code of an address. Replaces an earlier link when the new one is complete. step(name) is called with "keys",
// "waiting", "received" and "done". Returns { name, broker }. Throws LinkError.
export async function linkPhone({ code, store, fetch = globalThis.fetch.bind(globalThis), step = () => {}, locks = globalThis.navigator?.locks }) {
  const bytes = readCode(code);
  if (bytes === null) throw new LinkError("wrong_code");
  const linking = new Linking(await deriveLink(bytes), store, fetch, locks);
  step("keys");
  const { descriptor, resumed } = await linking.prepare();
  await linking.leaveDescriptor(descriptor, resumed);
  step("waiting");
  const message = await linking.waitForEnrollment();
  step("received");
  const linked = await linking.adopt(message);
  step("done");
  return linked;
}
