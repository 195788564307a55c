// SPDX-License-Identifier: Apache-2.0
// The epochs of one camera at a hub (protocol page, "Epochs at a hub" and "Two devices with one identity"). Epoch numbers are BigInt of 64 bits.
import { StreamOrder } from "./order.js";

const MAX_CANDIDATES = 2, MAX_CLOSED = 16, MAX_REPLACED = 2;
const MAX_HELD = 4 << 20;  // bytes of the pictures of a candidate

const counterOf = (number) => Number(number >> 32n);
const newestOf = (epochs) => epochs.reduce((a, b) => (b.number > a.number ? b : a));

// The newest group of pictures of a candidate that is not shown yet (R-CAND-4).
class HeldGroup {
  #pictures = [];
  #bytes = 0;

  // A picture that does not fit ends the group, because later ones depend on it.
  add(picture) {
    const size = picture.content.length;
    if (picture.kind !== "delta") this.clear();
    else if (this.#pictures.length === 0) return;
    this.#bytes += size;
    if (this.#bytes <= MAX_HELD) this.#pictures.push(picture);
    else this.#pictures.length = Math.min(this.#pictures.length, 1);
  }

  // The pictures in their order. Afterwards the group is empty.
  take() {
    const all = this.#pictures;
    this.clear();
    return all;
  }

  clear() {
    this.#pictures = [];
    this.#bytes = 0;
  }
}

// What a hub knows of an epoch that it can open.
export class Epoch {
  constructor({ number, key, name, knownSince }) {
    this.number = number;
    this.key = key;                 // OpeningKey
    this.name = name;               // of the camera
    this.knownSince = knownSince;   // serial of the hub's next challenge when the grants arrived
    this.order = new StreamOrder();
    this.held = new HeldGroup();
    this.shown = false;
    this.newestPicture = -1;        // greatest counter of an accepted picture
    this.lastStill = -1;            // counter of the newest accepted still
    this.nextRequest = -Infinity;   // ms of the boot-time clock
    this.requests = 0;              // without an answer
    this.video = null;              // the receiver report: { counter, arrival, received, zero }
  }

  // A key frame or delta of this epoch arrived at `now` ms (field 7 of requests).
  noteVideo(counter, now) {
    const { zero = now, counter: newest = -1, arrival = 0, received = 0 } = this.video ?? {};
    this.video = counter > newest ? { zero, counter, arrival: Math.round(now - zero), received: received + 1 }
      : { zero, counter: newest, arrival, received: received + 1 };
  }
}

// The current epoch, its candidates and its predecessors.
export class Epochs {
  current = null;
  candidates = [];      // the oldest first
  #closed = [];         // numbers
  #replaced = [];       // for the proof of a clone: { number, key, seen, active }
  #old = null;          // the same, of an epoch with a smaller counter than one that was current (R-CAND-5)
  #maxCounter;          // of epochs that became current, also before a restart

  constructor(maxCounter = 0) { this.#maxCounter = maxCounter; }

  get maxCounter() { return this.#maxCounter; }

  // The hub forgets its keys. What was closed stays closed.
  clear() {
    this.current = this.#old = null;
    this.candidates = [];
    this.#replaced = [];
  }

  known() { return this.current === null ? this.candidates : [this.current, ...this.candidates]; }

  find(number) { return this.known().find((epoch) => epoch.number === number) ?? null; }

  // Before the first echo a hub shows the candidate with the highest number only (R-CAND-4).
  shownBy(epoch) {
    if (this.current !== null) return epoch === this.current;
    return epoch === newestOf(this.candidates);
  }

  belowMax(number) { return counterOf(number) < this.#maxCounter; }

  isClosed(number) { return this.belowMax(number) || this.#closed.includes(number); }

  // The oldest candidate makes room, but not the one with the highest number: a broker that offered its grants again would reset the record
  // of its counters (R-CAND-1).
  add(epoch) {
    if (this.candidates.length >= MAX_CANDIDATES) {
      const kept = newestOf(this.candidates);
      this.candidates.splice(this.candidates.findIndex((candidate) => candidate !== kept), 1);
    }
    this.candidates.push(epoch);
  }

  // A candidate becomes the current epoch (R-CAND-2, R-CAND-3). `echoed` is the serial of the challenge, `next` that of the hub's next one.
  promote(epoch, echoed, next) {
    const before = this.current;
    if (before !== null) {
      // If `before` was not known when the hub made the challenge, it is not known that it began first (event 1 of the proof).
      if (echoed >= before.knownSince) {
        this.#replaced.push({ number: before.number, key: before.key, seen: next, active: false });
        if (this.#replaced.length > MAX_REPLACED) this.#replaced.shift();
      }
      this.#closed.push(before.number);
      if (this.#closed.length > MAX_CLOSED) this.#closed.shift();
    }
    if (this.#old !== null) this.#old.seen = next;
    this.current = epoch;
    this.candidates = this.candidates.filter((candidate) => candidate !== epoch);
    this.#maxCounter = Math.max(this.#maxCounter, counterOf(epoch.number));
    this.candidates = this.candidates.filter((candidate) => !this.belowMax(candidate.number));
  }

  // -- closed epochs whose keys are kept

  #kept() { return this.#old === null ? this.#replaced : [...this.#replaced, this.#old]; }

  // The key of a closed epoch, or null.
  closedKey(number) { return this.#kept().find((kept) => kept.number === number)?.key ?? null; }

  // An epoch with a smaller counter, whose grant this hub opened.
  setOld(number, key, next) { this.#old = { number, key, seen: next, active: true }; }

  // What a valid frame of a closed epoch proves if it echoes the challenge with this serial: "cloned", "restored" or null.
  proof(number, echoed) {
    const kept = this.#kept().find((other) => other.number === number);
    if (kept === undefined || echoed < kept.seen) return null;
    return kept === this.#old ? "restored" : "cloned";
  }

  // A reason to send one request for this closed epoch, or for all of them (R-CLONE-2).
  noteActivity(number = null) {
    for (const kept of this.#kept()) if (number === null || kept.number === number) kept.active = true;
  }

  // The number of an epoch for which a request is due, or null.
  takeActive() {
    const found = this.#kept().find((kept) => kept.active);
    if (found === undefined) return null;
    found.active = false;
    return found.number;
  }
}
