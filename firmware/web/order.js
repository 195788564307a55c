// SPDX-License-Identifier: Apache-2.0
// Which verified frames of one epoch may be shown (protocol page, "Order"), and how old the shown picture is ("LIVE").
import { LIVE_FOR } from "./clock.js";

const WINDOW = 1024;      // counters
const HALF = 2 ** 31;     // of the frame numbers

// Frame numbers wrap at 2^32 and are compared as serial numbers (RFC 1982).
export const before = (a, b) => a !== b && ((b - a) >>> 0) < HALF;
export const atOrBefore = (a, b) => ((b - a) >>> 0) < HALF;

// The newest 1024 counters of an epoch. An older one counts as received (R-ORDER-1).
class ReceivedCounters {
  #next = 0;
  #ring = new Uint8Array(WINDOW);

  // Whether the counter, a Number of 32 bits, arrived before. It counts as received afterwards.
  seen(counter) {
    if (counter < this.#next) {
      if (this.#next - counter > WINDOW || this.#ring[counter % WINDOW] === 1) return true;
    } else {
      if (counter - this.#next >= WINDOW) this.#ring.fill(0);
      else for (let c = this.#next; c < counter; ++c) this.#ring[c % WINDOW] = 0;
      this.#next = counter + 1;
    }
    this.#ring[counter % WINDOW] = 1;
    return false;
  }
}

// The order of one epoch. It uses counters, frame numbers and `depends` only, and no clock.
export class StreamOrder {
  #received = new ReceivedCounters();
  #shown = -1;            // the greatest counter of a shown picture
  #shownNumber = null;    // number of the newest shown picture
  #video = -1;            // counter and number of the newest shown key frame or delta
  #videoNumber = null;
  #continues = false;     // a delta may follow #video: no still was shown after it

  // "show", "nothing_new", "wait_for_key", "replayed" or "out_of_order" for a valid frame. The last two mean that the frame is rejected.
  accept(kind, counter, header) {
    if (this.#received.seen(counter)) return "replayed";
    if (kind === "report") return counter < this.#shown ? "out_of_order" : "nothing_new";
    return kind === "still" ? this.#still(counter, header.number) : this.#picture(kind, counter, header);
  }

  #still(counter, number) {
    if (counter < this.#shown) return "out_of_order";
    if (this.#shownNumber !== null && atOrBefore(number, this.#shownNumber)) return "nothing_new";
    this.#shown = counter;
    this.#shownNumber = number;
    this.#continues = false;
    return "show";
  }

  #picture(kind, counter, { number, depends }) {
    const late = this.#videoNumber !== null && (counter < this.#video || !before(this.#videoNumber, number));
    if (late || (this.#shownNumber !== null && !atOrBefore(this.#shownNumber, number))) return "out_of_order";
    if (kind === "delta" && !(this.#continues && depends === this.#video)) return "wait_for_key";
    this.#continues = true;
    this.#video = counter;
    this.#videoNumber = this.#shownNumber = number;
    this.#shown = Math.max(this.#shown, counter);
    return "show";
  }
}

// The age of the shown picture of one camera. An echo in a picture bounds the time of this picture and of each later one (R-LIVE-3). Times
// are milliseconds of the hub's boot-time clock.
export class Freshness {
  #made = null;           // when the hub made the newest challenge that bounds the shown picture
  #shown = null;          // number of the shown picture of this epoch
  #ahead = null;          // the newest echo in a picture that is newer than the shown one

  // The next shown picture belongs to another epoch. Until then, the shown picture keeps its age.
  beginEpoch() { this.#shown = this.#ahead = null; }

  // An accepted picture with this number echoes a challenge that was made at `made`.
  onEcho(number, made) {
    if (this.#shown !== null && atOrBefore(number, this.#shown)) this.#made = Math.max(made, this.#made ?? made);
    else if (this.#ahead === null || this.#ahead.made < made) this.#ahead = { number, made };
  }

  onShown(number) {
    if (this.#shown === null) this.#made = null;
    this.#shown = number;
    if (this.#ahead === null || !atOrBefore(this.#ahead.number, number)) return;
    this.#made = Math.max(this.#ahead.made, this.#made ?? this.#ahead.made);
    this.#ahead = null;
  }

  // An upper bound of the age in ms, or null if there is none.
  age(now) { return this.#made === null ? null : now - this.#made; }

  live(now) { return this.#made !== null && now - this.#made <= LIVE_FOR; }
}

// The pictures that a hub hands out for one camera.
export class ShownPictures {
  newest = null;          // without its content
  #freshness = new Freshness();
  #epoch = null;          // of the newest picture (BigInt)

  forget() {
    this.newest = this.#epoch = null;
    this.#freshness = new Freshness();
  }

  // Another epoch is the current one.
  beginEpoch(epoch) { if (this.#epoch !== epoch) this.#freshness.beginEpoch(); }

  onEcho(number, made) { this.#freshness.onEcho(number, made); }

  live(now) { return this.#freshness.live(now); }

  // The picture with its state and age at this moment, `at` (R-CLOCK-2). `current`: it belongs to the current epoch (R-LIVE-5).
  handOut(picture, current, now) {
    if (this.#epoch !== picture.epoch) {
      if (!current) this.#freshness.beginEpoch();  // beginEpoch() did it for a current one, and an echo may wait for this picture
      this.#epoch = picture.epoch;
    }
    this.#freshness.onShown(picture.header.number);
    this.newest = { ...picture, content: null };
    return { ...picture, state: current && this.live(now) ? "LIVE" : "STALE", age: this.#freshness.age(now), at: now };
  }
}
