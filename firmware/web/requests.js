// SPDX-License-Identifier: Apache-2.0
// The view requests of a hub to one camera: challenges, intervals, privacy (protocol page, R-CAND-7, R-CLONE-2, R-LIVE-1, R-PREKEY-4, R-PRIV-7).
// Times are ms of the boot-time clock.
import { viewOf } from "./bytes.js";

const MAX_CHALLENGES = 64;
const INTERVAL = 1000, FIRST_INTERVAL = 600, SLOW_INTERVAL = 10_000, REPLACED_INTERVAL = 2000;
const STILL_INTERVAL = 5000;     // a camera makes one still for each request
const MAX_FREQUENT = 10;         // requests without an answer, before the interval becomes SLOW_INTERVAL
const PRIVACY_MS = 10_000;

// The newest challenges of this hub for one camera.
export class Challenges {
  #made = new Map();             // value: { value, at, serial }, the oldest first
  next = 0;                      // serial of the next one

  make(at) {
    const random = new Uint8Array(8);
    let value = 0n;
    while (value === 0n) value = viewOf(crypto.getRandomValues(random)).getBigUint64(0);
    this.#made.set(value, { value, at, serial: this.next++ });
    if (this.#made.size > MAX_CHALLENGES) this.#made.delete(this.#made.keys().next().value);
    return value;
  }

  // The newest one among these echoes that this hub made, or null (R-LIVE-2).
  newest(echoes) {
    let newest = null;
    for (const value of echoes) {
      const made = this.#made.get(value);
      if (made !== undefined && (newest === null || newest.serial < made.serial)) newest = made;
    }
    return newest;
  }
}

// Decides which requests are due. send(request) signs and publishes one: { kind, epoch, challenge, nonce, prekey, receiver, cannotOpen }.
export class Requester {
  challenges = new Challenges();
  #send;
  #newestPrekey;
  #unopened = null;              // { epoch, next, requests }
  #privacy = null;               // { on, since, until, next, nonceChallenges }
  #nextReplaced = -Infinity;

  // newestPrekey(): { number (BigInt), point }, or null.
  constructor(send, newestPrekey) {
    this.#send = send;
    this.#newestPrekey = newestPrekey;
  }

  #request(now, request) {
    const challenge = this.challenges.make(now);
    this.#send({ challenge, ...request });
    return challenge;
  }

  // Makes requests for all epochs due at once.
  makeDue(epochs) {
    for (const epoch of epochs.known()) {
      epoch.requests = 0;
      epoch.nextRequest = -Infinity;
    }
  }

  // Sends the requests for pictures that are due. `kind`: live, still, record or motion.
  requestDue(epochs, kind, now) {
    for (const epoch of epochs.known()) {
      if (now < epoch.nextRequest) continue;
      const slow = epoch !== epochs.current && ++epoch.requests > MAX_FREQUENT;
      epoch.nextRequest = now + (slow ? SLOW_INTERVAL : epochs.current === null ? FIRST_INTERVAL : kind === "still" ? STILL_INTERVAL : INTERVAL);
      this.#request(now, { kind, epoch: epoch.number, prekey: this.#newestPrekey(), receiver: epoch.video });
    }
    this.#requestUnopened(now);
    this.#requestReplaced(epochs, now);
  }

  // -- an epoch whose grant this hub cannot open

  setUnopened(epoch) {
    if (this.#unopened?.epoch !== epoch) this.#unopened = { epoch, next: -Infinity, requests: 0 };
  }

  clearUnopened() { this.#unopened = null; }

  #requestUnopened(now) {
    const unopened = this.#unopened;
    if (unopened === null || now < unopened.next) return;
    unopened.next = now + (++unopened.requests > MAX_FREQUENT ? SLOW_INTERVAL : FIRST_INTERVAL);
    this.#request(now, { kind: "live", epoch: unopened.epoch, prekey: this.#newestPrekey(), cannotOpen: true });
  }

  // A camera has one epoch. So an answer for a replaced one proves a second device.
  #requestReplaced(epochs, now) {
    if (now < this.#nextReplaced) return;
    const epoch = epochs.takeActive();
    if (epoch === null) return;
    this.#nextReplaced = now + REPLACED_INTERVAL;
    this.#request(now, { kind: "live", epoch });
  }

  // -- privacy

  // The value that this hub requests now, or null.
  get requestedPrivacy() { return this.#privacy?.on ?? null; }

  beginPrivacy(on, epochs, now) {
    this.#privacy = { on, since: this.challenges.next, until: now + PRIVACY_MS, next: now, nonceChallenges: new Set() };
    this.requestPrivacy(epochs, now);
  }

  clearPrivacy() { this.#privacy = null; }

  // Sends the requests for privacy that are due. Opening the sensor needs a nonce first. True if the change failed now, after 10 s.
  requestPrivacy(epochs, now) {
    const privacy = this.#privacy;
    if (privacy === null) return false;
    if (now >= privacy.until) {
      this.#privacy = null;
      return true;
    }
    if (now < privacy.next) return false;
    privacy.next = now + INTERVAL;
    for (const epoch of epochs.known()) {
      const challenge = this.#request(now, { kind: privacy.on ? "privacy-on" : "nonce", epoch: epoch.number });
      // A camera accepts two requests a second.
      epoch.nextRequest = Math.max(epoch.nextRequest, now + (privacy.on ? INTERVAL / 2 : INTERVAL));
      if (!privacy.on) privacy.nonceChallenges.add(challenge);
    }
    return false;
  }

  // A report carries a nonce. It is for this hub if the report echoes the challenge of a request of the kind nonce. It is valid once.
  onNonce(epoch, echoes, nonce, now) {
    const privacy = this.#privacy;
    if (privacy === null || privacy.on || now >= privacy.until) return;
    if (![...privacy.nonceChallenges].some((challenge) => echoes.has(challenge))) return;
    privacy.nonceChallenges.clear();
    this.#request(now, { kind: "privacy-off", epoch, nonce });
  }

  // The state is proven by an echo of the challenge with this serial. Before the request, the camera may have had the same value.
  onProvenPrivacy(echoed, on) {
    if (this.#privacy !== null && echoed >= this.#privacy.since && on === this.#privacy.on) this.#privacy = null;
  }
}
