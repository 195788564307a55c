// SPDX-License-Identifier: Apache-2.0
// The clocks of a hub in a browser (protocol page, "Clocks"). A browser has no clock that surely continues while the machine sleeps:
// performance.now() may stand still, and Date.now() may be set. So the greater difference counts.
import { LIVE_FOR, Stopwatch } from "../hub/web/page/age.js";

const ANCHOR_MS = 1000;      // the clocks are compared at least this often, if somebody reads them
const MAX_DIFFERENCE = 1000;

export class BrowserClock {
  #base = 0;
  #since = new Stopwatch();
  #last = 0;

  // ms since this object was made, which are never too few, except if the wall clock was set back during a sleep by the length of that sleep.
  // If the two clocks differ by more than a second, one of them cannot be trusted: the time then advances by so much that no picture from
  // before is LIVE. The next echo makes pictures LIVE again.
  get boot() {
    const passed = this.#since.ms;
    if (passed >= ANCHOR_MS || this.#since.difference > MAX_DIFFERENCE) {
      const suspicious = this.#since.difference > MAX_DIFFERENCE;
      this.#base += passed + (suspicious ? LIVE_FOR + 1 : 0);
      this.#since = new Stopwatch();
      this.#last = Math.max(this.#last, this.#base);
      return this.#last;
    }
    this.#last = Math.max(this.#last, this.#base + passed);
    return this.#last;
  }

  // ms, for the limits of rates.
  get monotonic() { return performance.now(); }

  // ms since 1970, for display and for the ages of prekeys only.
  get wall() { return Date.now(); }
}
