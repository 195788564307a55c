// SPDX-License-Identifier: Apache-2.0
// How old something is. Never too young: where two clocks disagree, the one that says older is believed.

export const LIVE_FOR = 5000;

// Time since it was made. The monotonic clock stands still while the machine sleeps, the wall clock does not.
export class Stopwatch {
  #steady = performance.now();
  #wall = Date.now();
  get ms() { return Math.max(0, performance.now() - this.#steady, Date.now() - this.#wall); }
}

// How much longer than the quickest one a message was under way. The sender's clock may be set to anything; the
// quickest of the last half minute counts as no time at all, so that a clock that is put right is soon forgotten.
export class Transit {
  static WINDOW = 15000;
  #since = -Infinity;
  #before = Infinity;
  #now = Infinity;

  late(sent, received = performance.now()) {
    if (received - this.#since > Transit.WINDOW) {
      this.#before = this.#now;
      this.#now = Infinity;
      this.#since = received;
    }
    const offset = received - sent;
    this.#now = Math.min(this.#now, offset);
    return offset - Math.min(this.#now, this.#before);
  }
}
