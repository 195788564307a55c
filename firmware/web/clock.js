// SPDX-License-Identifier: Apache-2.0
// Time in a browser (protocol page, "Clocks"). The page of sealcam-hub contains this file, too. A browser has no clock that surely continues
// while the machine sleeps: performance.now() may stand still, and Date.now() may be set. So the greater difference counts.

export const LIVE_FOR = 5000;  // ms (R-LIVE-4)

const ANCHOR_MS = 1000;        // BrowserClock begins a new stopwatch after this time
const MAX_DIFFERENCE = 1000;   // ms by which the two clocks may differ between two checks

// Time since its creation.
export class Stopwatch {
  #steady = performance.now();
  #wall = Date.now();
  get ms() { return Math.max(0, performance.now() - this.#steady, Date.now() - this.#wall); }
  // By how much the two clocks disagree about the time since its creation.
  get difference() { return Math.abs(performance.now() - this.#steady - (Date.now() - this.#wall)); }
  // One of the clocks cannot be trusted: the machine slept, or a clock was set.
  get differs() { return this.difference > MAX_DIFFERENCE; }
}

// The clocks of a hub.
export class BrowserClock {
  #base = 0;
  #since = new Stopwatch();
  #last = 0;

  // ms since this object was made, which are never too few, except if the wall clock was set back during a sleep by the length of that sleep. If
  // the two clocks differ by more than a second, the time advances by so much that no picture from before is LIVE. The next echo makes pictures
  // LIVE again.
  get boot() {
    const { ms, differs } = this.#since;
    this.#last = Math.max(this.#last, this.#base + ms + (differs ? LIVE_FOR + 1 : 0));
    if (ms >= ANCHOR_MS || differs) {
      this.#base = this.#last;
      this.#since = new Stopwatch();
    }
    return this.#last;
  }

  // ms, for the limits of rates.
  get monotonic() { return performance.now(); }

  // ms since 1970, for display and for the ages of prekeys only.
  get wall() { return Date.now(); }
}

const CLOCK_TOLERANCE_MS = 60_000;

// Seconds by which a camera's clock is ahead, if it is more than a minute apart, else null. A LIVE picture may be 5 s old.
export function clockAhead(captured, wall) {
  const ahead = captured - wall;
  return ahead <= CLOCK_TOLERANCE_MS && ahead >= -CLOCK_TOLERANCE_MS - LIVE_FOR ? null : Math.trunc(ahead / 1000);
}

// The clock of the pictures: that of the hub in this page. Times are ms.
export class PictureClock {
  #clock;
  constructor(clock) { this.#clock = clock; }
  get now() { return this.#clock.boot; }
  age(ageWhenSent, sent) { return ageWhenSent === null ? null : ageWhenSent + Math.max(0, this.now - sent); }
}
