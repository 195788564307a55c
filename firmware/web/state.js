// SPDX-License-Identifier: Apache-2.0
// Membership of this hub (protocol page, "Roster"), and the state that a camera reports ("State").
import { equal } from "./bytes.js";
import { LIVE_FOR } from "./clock.js";
import { reportedState } from "./messages.js";

const PUBLISH_MS = 30_000;

// What the newest roster of one camera means for this hub. Times are ms of the boot-time clock.
export class Membership {
  version = 0n;          // of the applied roster, 0n before the first one
  member = false;        // the roster lists both keys of this hub, and its integration is not suspended
  suspended = false;
  removed = false;       // an earlier roster listed this hub
  conflict = false;      // two rosters have the same version (R-ROSTER-5)
  maySwitchPrivacy = false;
  hubs = [];             // of the applied roster
  hubsChanged = null;    // time in the roster that brought them, microseconds by the owner's clock
  #hash = null;
  #ahead = null;         // the camera follows a newer roster: { version, hash, since }
  #contradicted = false; // the camera follows another roster with the same version

  // `own`: the hub's { identity, hpke } points (R-ROSTER-7).
  apply(roster, own) {
    const entry = roster.hubs.find((hub) => equal(hub.identity, own.identity) && equal(hub.hpke, own.hpke));
    if (entry !== undefined) this.removed = false;
    else if (this.listed) this.removed = true;
    const same = (a, b) => equal(a.id, b.id) && a.active === b.active && a.privacy === b.privacy;
    if (this.hubsChanged === null || this.hubs.length !== roster.hubs.length || !this.hubs.every((hub, i) => same(hub, roster.hubs[i])))
      this.hubsChanged = roster.issued;
    this.hubs = roster.hubs;
    this.version = roster.version;
    this.#hash = roster.hash;
    this.conflict = false;
    this.#contradicted = this.#ahead?.version === roster.version && !equal(this.#ahead.hash, roster.hash);
    this.member = entry?.active === true;
    this.suspended = entry !== undefined && !this.member;
    this.maySwitchPrivacy = this.member && entry.privacy === true;
    if (this.#ahead !== null && this.#ahead.version <= roster.version) this.#ahead = null;
  }

  get listed() { return this.member || this.suspended; }

  isHash(hash) { return this.#hash !== null && equal(this.#hash, hash); }

  // Grants or a report name the roster that the camera follows (R-CAND-8).
  noteFollowed(version, hash, now) {
    if (version === this.version) this.#contradicted = !this.isHash(hash);
    else if (version > this.version && (this.#ahead === null || version > this.#ahead.version))
      this.#ahead = { version, hash, since: this.#ahead?.since ?? now };
  }

  // The owner publishes a roster before a camera can follow it. So the broker withholds it, or the owner's account has a second copy.
  unpublished(now) { return this.#contradicted || (this.#ahead !== null && now - this.#ahead.since >= PUBLISH_MS); }
}

// What is known of a camera that is not LIVE. Only reports that echo a new challenge of this hub prove it. A status is a hint.
export class ReportedState {
  #online = null;        // of the newest status
  #hint = "none";
  #proof = null;         // { counter, made, state }: of the report with the greatest counter, and of the newest challenge
  #picture = -1;         // greatest counter of an accepted picture of the current epoch
  detectsMotion = null;  // by the newest report, also of an earlier epoch (R-ROLL-8)

  onStatus(status) {
    this.#online = status.online;
    this.#hint = reportedState(status);
  }

  // A report of the current epoch echoes a challenge of this hub, made at `made` (R-STATE-3).
  onReport(counter, made, report) {
    if (counter < this.#picture) return;
    const state = reportedState(report);
    this.#proof ??= { counter, made, state };
    this.#proof.made = Math.max(this.#proof.made, made);
    if (counter < this.#proof.counter) return;
    this.#proof.counter = counter;
    this.#proof.state = state;
    this.detectsMotion = report.noMotion !== true;
  }

  // A picture of the current epoch was accepted.
  onPicture(counter) {
    if (counter < this.#picture) return;
    this.#picture = counter;
    if (this.#proof !== null && this.#proof.counter < counter) this.#proof = null;
  }

  // Another epoch is the current one. `newest` is the greatest counter of its pictures so far, or -1.
  beginEpoch(newest = -1) {
    this.#proof = null;
    this.#picture = newest;
  }

  // The proven state: "none", "privacy", "sensor_fault", ..., or null if nothing is proven now.
  proven(now) { return this.#proof === null || now - this.#proof.made > LIVE_FOR ? null : this.#proof.state; }

  // Until when the state is proven, or null.
  get provenUntil() { return this.#proof === null ? null : this.#proof.made + LIVE_FOR; }

  // What the newest status reports, which may be an old one.
  get hint() { return this.#hint; }

  // The newest status is offline, and no state is proven (R-LIVE-6).
  offline(now) { return this.#online === false && this.proven(now) === null; }

  // Why the camera is not LIVE, or "none" (R-STATE-4).
  reason(now) {
    const proven = this.proven(now);
    if (proven !== null) return proven;
    if (this.#online === false) return "deregistered";
    return this.#hint === "none" ? "none" : "unconfirmed";
  }
}
