// SPDX-License-Identifier: Apache-2.0
// The prekeys of a hub (protocol page, "Prekeys"). The private keys are not extractable and stay in the store.
import { AgreementKey, generateAgreement } from "./keys.js";

const HOUR = 3_600_000, DAY = 24 * HOUR;
const KEEP = 8 * DAY, IN_USE = 25 * HOUR, SETTLE = 600_000, RETRY = 60_000;
const MAX_KEPT = 9;

// store: ../web/store.js, kind "prekey", with { number, made, pair } under the number as a text. report(text, error) receives failures of
// the store.
export class Prekeys {
  #own;
  #clock;
  #store;
  #report;
  #keys = [];                    // { number (BigInt), made (ms, wall clock), key (AgreementKey) }, the oldest first
  #used = new Map();             // number: when it last opened a grant or stopped to be the newest one, ms of the boot-time clock
  #started;
  #newestSince;
  #retry = -Infinity;

  // `own` is the AgreementKey in the roster, with the number 0. open() makes an object that works.
  constructor(own, { clock, store, report }) {
    this.#own = own;
    this.#clock = clock;
    this.#store = store;
    this.#report = report;
    this.#started = this.#newestSince = clock.boot;
  }

  static async open(own, dependencies) {
    const prekeys = new Prekeys(own, dependencies);
    for (const { number, made, pair } of (await dependencies.store.load("prekey")).values())
      prekeys.#keys.push({ number, made, key: new AgreementKey(pair) });
    prekeys.#keys.sort((a, b) => (a.number < b.number ? -1 : 1));
    // The wall clock is behind: the age of the newest key is not known.
    if (prekeys.#keys.length > 0 && dependencies.clock.wall < prekeys.#keys.at(-1).made) await prekeys.#make();
    await prekeys.tick();
    return prekeys;
  }

  // The AgreementKey with this number (BigInt), or null. The caller calls noteUsed() if it opened a grant.
  find(number) { return number === 0n ? this.#own : this.#keys.find((key) => key.number === number)?.key ?? null; }

  noteUsed(number) { this.#used.set(number, this.#clock.boot); }

  // { number, point } for view requests, or null if the store failed.
  newest() {
    const newest = this.#keys.at(-1);
    return newest === undefined ? null : { number: newest.number, point: newest.key.point };
  }

  // Makes a key if one is due, and deletes old ones. Call it each second or so.
  async tick() {
    if (this.#clock.boot < this.#retry) return;
    if (this.#due()) await this.#make();
    await this.#forgetExpired();
  }

  #due() {
    const newest = this.#keys.at(-1);
    return newest === undefined || this.#clock.boot - this.#newestSince >= DAY || this.#clock.wall - newest.made >= DAY;
  }

  async #make() {
    const before = this.#keys.at(-1), number = (before?.number ?? 0n) + 1n, made = this.#clock.wall;
    const pair = await generateAgreement();
    try {
      await this.#store.save("prekey", String(number), { number, made, pair });
    } catch (error) {
      this.#retry = this.#clock.boot + RETRY;
      return this.#report("cannot store a prekey", error);
    }
    if (before !== undefined) this.noteUsed(before.number);  // cameras seal to it until they received this one
    this.#keys.push({ number, made, key: new AgreementKey(pair) });
    this.#newestSince = this.#clock.boot;
  }

  #expired({ number, made }) {
    const now = this.#clock.boot;
    if (now - this.#started < SETTLE || this.#clock.wall - made < KEEP) return false;
    const used = this.#used.get(number);
    return used === undefined || now - used >= IN_USE;
  }

  async #forgetExpired() {
    for (const key of this.#keys.slice(0, -1)) {
      if (this.#keys.length <= MAX_KEPT && !this.#expired(key)) continue;
      try {
        await this.#store.remove("prekey", String(key.number));
      } catch (error) {
        this.#retry = this.#clock.boot + RETRY;
        return this.#report("cannot delete a prekey", error);
      }
      this.#used.delete(key.number);
      this.#keys = this.#keys.filter((other) => other !== key);
    }
  }
}
