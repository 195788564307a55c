// SPDX-License-Identifier: Apache-2.0
// The cases of a phone that joins an account, with firmware/web/link.js.
import { equal, fromHex, idText, toHex } from "../../../firmware/web/bytes.js";
import { AgreementKey, IdentityKey, idOf } from "../../../firmware/web/keys.js";
import { EnrollmentError, deriveLink, openEnrollment, readCode } from "../../../firmware/web/link.js";
import * as second from "../../web/mailbox.mjs";
import { pair } from "../../web/support.mjs";

const PROBE = Uint8Array.of(1, 2, 3);

export class PhoneRun {
  #keys = null;

  constructor(json) { this.json = json; }

  async restart() {
    const { identity, hpke } = this.json.parties[this.json.device];
    this.#keys = { identity: await IdentityKey.open(await pair(fromHex(identity), "ECDSA")), hpke: new AgreementKey(await pair(fromHex(hpke), "ECDH")) };
  }

  async verdict(event) {
    const code = readCode(event.code);
    if (code === null) return { link: "malformed" };
    if (event.do === "link_keys") return this.#derive(code);
    if (event.do === "link_enrollment") return this.#open(fromHex(this.json.messages[event.message].bytes), code);
    throw new Error(`unknown event '${event.do}'`);
  }

  // The keys cannot be exported. Those of the second derivation are shown if they make the same MACs.
  async #derive(code) {
    const { slot, descriptor, enrollment } = await deriveLink(code), raw = await second.deriveLink(code);
    const made = new Uint8Array(await crypto.subtle.sign("HMAC", descriptor, PROBE));
    const same = { descriptor: equal(made, await raw.mac(raw.descriptor, PROBE)),
                   enrollment: await crypto.subtle.verify("HMAC", enrollment, await raw.mac(raw.enrollment, PROBE), PROBE) };
    return { link: "accepted", slot, descriptor_key: same.descriptor ? toHex(raw.descriptor) : "another key",
             enrollment_key: same.enrollment ? toHex(raw.enrollment) : "another key" };
  }

  async #open(message, code) {
    try {
      const { owner, address, password, name } = await openEnrollment(message, (await deriveLink(code)).enrollment, this.#keys.identity, this.#keys.hpke);
      return { link: "accepted", account: idText(await idOf(owner)), broker: address, password, name };
    } catch (error) {
      if (!(error instanceof EnrollmentError)) throw error;
      return { link: error.reason };
    }
  }
}
