// SPDX-License-Identifier: Apache-2.0
// The age of a picture by the hub's clock, which continues while the machine sleeps (../README.md).

import { Stopwatch } from "./clock.js";

const MAX_PINGS = 8;  // without an answer

// Upper bound of the hub's boot-time clock, in ms. The page sends a ping; the hub answers with its time. The hub read its clock after
// the page sent the ping, so its time now is at most the answer plus the time since the ping. One object for each connection.
export class HubClock {
  #next = 1;
  #pings = new Map();         // number: Stopwatch, started before the ping was sent
  #answer = null;             // { boot, since }
  #checked = new Stopwatch();
  #pinged = null;

  // The number of a ping, which the caller sends now.
  ping() {
    this.#pinged = new Stopwatch();
    this.#pings.set(this.#next, this.#pinged);
    if (this.#pings.size > MAX_PINGS) this.#pings.delete(this.#pings.keys().next().value);
    return this.#next++;
  }

  pong(number, boot) {
    const since = this.#pings.get(number);
    if (!since || !Number.isFinite(boot)) return;
    for (const older of this.#pings.keys()) if (older <= number) this.#pings.delete(older);
    this.#answer = { boot, since };
  }

  // Null without an answer. A difference of the page's clocks makes all answers invalid: the machine slept, or a clock was set.
  get now() {
    const { differs } = this.#checked;
    this.#checked = new Stopwatch();
    if (differs) {
      this.#answer = this.#pinged = null;
      this.#pings.clear();
    }
    return this.#answer && this.#answer.boot + this.#answer.since.ms;
  }

  // A ping is due each second, and while there is no answer.
  get due() { return this.now === null || this.#pinged === null || this.#pinged.ms >= 1000; }

  // Upper bound of the age of a picture that had this age when the hub sent it. Null if it is unknown.
  age(ageWhenSent, sent) {
    const now = this.now;
    return ageWhenSent === null || now === null ? null : ageWhenSent + Math.max(0, now - sent);
  }
}
