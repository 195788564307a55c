// SPDX-License-Identifier: Apache-2.0
// One camera as this hub receives it. The hub calls all methods in the order of the messages, and awaits each one before the next.
import { Reject, RejectCounts, equal, idBytes, reject, require } from "./bytes.js";
import { externalAad } from "./envelope.js";
import { Epoch, Epochs } from "./epochs.js";
import { WaitingFrames, checkFrame, parseFrame } from "./frame.js";
import { Verifier } from "./keys.js";
import { openGrant, openGrants, openStatus } from "./messages.js";
import { ShownPictures } from "./order.js";
import { Requester } from "./requests.js";
import { OpeningKey } from "./sframe.js";
import { openSoftware } from "./software.js";
import { Membership, ReportedState } from "./state.js";

const ANSWER_MS = 20_000, STATUS_MS = 1000;

export class Camera {
  membership = new Membership();
  rejected = new RejectCounts();
  rejectedControl = new RejectCounts();
  name = "";
  software = null;          // of the epoch with the greatest counter that this hub opened (R-UPDATE-4)
  #softwareCounter = 0n;
  #hub;
  #idBytes;
  #aad;
  #verifier = null;
  #epochs;
  #requester;
  #kind = null;             // of the requests for pictures: live, still, record, motion, or null
  #cloned = false;
  #restored = null;         // serial of the first challenge after the proof that the camera uses an old copy of its storage
  #waiting = new WaitingFrames();
  #shown = new ShownPictures();
  #reported = new ReportedState();
  #newestEcho = null;       // when the hub made the newest challenge that came back
  #answered = null;         // when the newest echo arrived, or since when the hub has sent requests
  #statusRequest = -Infinity;
  #hintSince = null;        // when the first status with this hint arrived, ms of the wall clock
  #privacyFailed = null;    // the value of a change of privacy that the camera did not make in time

  // hub: { account, identity, own, clock, prekeys, checkPicture, connected, send(), saveCounter(), reject(), notShown(), show() } of hub.js.
  constructor(hub, id, maxCounter) {
    this.#hub = hub;
    this.id = id;
    this.#idBytes = idBytes(id);
    this.#aad = externalAad("frame", hub.account, this.#idBytes);
    this.#epochs = new Epochs(maxCounter);
    this.#requester = new Requester((request) => hub.send(this.#idBytes, request), () => hub.prekeys.newest());
  }

  get #now() { return this.#hub.clock.boot; }

  #blocked() {
    if (this.#cloned) return "cloned";
    return this.membership.member ? null : "not_member";
  }

  #rejectIfBlocked() {
    const blocked = this.#blocked();
    if (blocked !== null) reject(blocked);
  }

  // The hub deletes the keys and the pictures of the camera (R-ROSTER-7, R-CLONE-3).
  #forget() {
    this.#epochs.clear();
    this.#waiting.clear();
    this.#shown.forget();
    this.#reported.beginEpoch();
    this.#newestEcho = this.#answered = this.#restored = null;
    this.#requester.clearPrivacy();
    this.#requester.clearUnopened();
  }

  // -- control messages

  // A verified roster that is newer than the applied one.
  async onRoster(roster) {
    this.#verifier ??= await Verifier.open(roster.identity);
    const wasMember = this.membership.member;
    this.membership.apply(roster, this.#hub.own);
    if (wasMember && !this.membership.member) this.#forget();
    if (!this.membership.maySwitchPrivacy) this.#requester.clearPrivacy();
  }

  // Throws Reject.
  async onGrants(message) {
    this.#rejectIfBlocked();
    const { account, identity } = this.#hub;
    const grants = await openGrants(message, account, this.#idBytes, this.#verifier, identity.id);
    this.membership.noteFollowed(grants.version, grants.hash, this.#now);
    if (this.#epochs.find(grants.epoch) !== null) return;  // a broker sends them after each connection
    if (this.#epochs.isClosed(grants.epoch)) return this.#onClosedGrants(grants);
    // The camera made them before it received the roster that lists this hub.
    if (grants.own === null && grants.version < this.membership.version) return;
    const opened = await this.#open(grants);
    if (opened instanceof Reject) {
      if (opened.reason === "not_decryptable" && grants.own !== null) this.#requester.setUnopened(grants.epoch);
      this.#requestDue();
      throw opened;
    }
    this.#requester.clearUnopened();
    this.#epochs.add(new Epoch({ ...opened, number: grants.epoch, knownSince: this.#requester.challenges.next }));
    this.name ||= opened.name;
    this.#takeSoftware(grants.epoch >> 32n, opened.software);
    this.#requestDue();
    await this.#checkAll(this.#waiting.take(grants.epoch));
  }

  #takeSoftware(counter, software) {
    if (counter < this.#softwareCounter) return;
    this.#softwareCounter = counter;
    this.software = software;
  }

  // { key, name, software }, or the Reject.
  async #open(grants) {
    const { account, identity, prekeys } = this.#hub;
    try {
      const { baseKey, name } = await openGrant(grants, account, this.#idBytes, identity.id, (number) => prekeys.find(number));
      const key = await OpeningKey.derive(grants.suite, grants.epoch, baseKey);
      const software = await openSoftware(grants, account, this.#idBytes, baseKey);
      baseKey.fill(0);
      prekeys.noteUsed(grants.own.key);
      return { key, name, software };
    } catch (error) {
      if (!(error instanceof Reject)) throw error;
      return error;
    }
  }

  // A broker may offer such grants at any time. They prove something only if the camera uses the epoch now.
  async #onClosedGrants(grants) {
    if (this.#epochs.belowMax(grants.epoch) && this.#epochs.closedKey(grants.epoch) === null) {
      const opened = await this.#open(grants);
      if (!(opened instanceof Reject)) this.#epochs.setOld(grants.epoch, opened.key, this.#requester.challenges.next);
    }
    this.#epochs.noteActivity(grants.epoch);
    this.#requestDue();
    reject("closed_epoch");
  }

  // Throws Reject.
  async onStatus(message) {
    this.#rejectIfBlocked();
    const status = await openStatus(message, this.#hub.account, this.#idBytes, this.#verifier);
    const { hint } = this.#reported;
    this.#reported.onStatus(status);
    if (this.#reported.hint !== hint) this.#hintSince = this.#hub.clock.wall;
    if (!status.online || this.#now - this.#statusRequest < STATUS_MS) return;
    this.#statusRequest = this.#now;  // the camera did not receive requests from before its connection (R-STATUS-3)
    this.#epochs.noteActivity();
    this.#requester.makeDue(this.#epochs);
    this.#requestDue();
  }

  // -- frames

  // Begins the check of a frame when it arrives, so that WebCrypto verifies several frames at once. onFrame() decides later, in order. If the
  // keys have changed by then, it checks again. arrival: { message, retained, at (ms) }.
  prepare(arrival) {
    if (this.#blocked() !== null) return;
    try {
      arrival.frame = parseFrame(arrival.message);
    } catch (error) {
      if (!(error instanceof Reject)) throw error;
      return;
    }
    if (this.#isKnown(arrival.frame.epoch) && equal(arrival.frame.signer, this.#idBytes)) this.#beginCheck(arrival);
  }

  #beginCheck(arrival) {
    const { frame } = arrival, camera = this.#verifier, key = this.#keyOf(frame.epoch);
    const result = checkFrame(frame, this.#aad, camera, key, this.#hub.checkPicture);
    result.catch(() => {});  // a fault of the program, which onFrame() throws
    arrival.check = { key, result };
  }

  #isKnown(epoch) { return this.#epochs.find(epoch) !== null || this.#epochs.isClosed(epoch); }

  #keyOf(epoch) { return this.#epochs.find(epoch)?.key ?? this.#epochs.closedKey(epoch); }

  // Only a hub that records accepts frames that the camera kept (R-PAST-7). Throws Reject.
  rejectPast() { reject(this.#blocked() ?? "closed_epoch"); }

  // Throws Reject.
  async onFrame(arrival) {
    require(this.membership.member, "not_member");
    require(!this.#cloned, "cloned");
    arrival.frame ??= parseFrame(arrival.message);
    require(equal(arrival.frame.signer, this.#idBytes), "wrong_account");
    if (this.#isKnown(arrival.frame.epoch)) return this.#checkAll([arrival]);
    this.#waiting.add(arrival);
    await this.#dropWaiting();
  }

  // They are checked without a key, so that forged ones and ones for other hubs are counted apart.
  #dropWaiting() { return this.#checkAll(this.#waiting.takeExcess(this.#now)); }

  async #checkAll(arrivals) {
    for (const arrival of arrivals) if (arrival.check === undefined) this.#beginCheck(arrival);
    for (const arrival of arrivals) {
      if (arrival.check.key !== this.#keyOf(arrival.frame.epoch)) this.#beginCheck(arrival);
      const rejected = this.#judge(arrival, await arrival.check.result);
      if (rejected !== null) this.#hub.reject(this.id, rejected);
    }
  }

  // The reject reason of a checked frame, or null.
  #judge({ frame, retained, at }, { reason, header, content, report }) {
    const epoch = this.#epochs.find(frame.epoch), closed = epoch === null && this.#epochs.isClosed(frame.epoch);
    if (reason !== null) return reason === "not_decryptable" && closed ? "closed_epoch" : reason;
    const blocked = this.#blocked();
    if (blocked !== null) return blocked;
    const made = this.#requester.challenges.newest(header.echoes);
    if (closed) return this.#judgeClosed(frame, made);
    if (epoch === null) return "not_decryptable";
    const { kind, counter } = frame;
    const verdict = epoch.order.accept(kind, counter, header);
    if (verdict === "replayed") {
      // A broker sends the retained still again after each subscription.
      const again = retained && kind === "still" && epoch.lastStill === counter && epoch === this.#epochs.current;
      return again ? null : verdict;
    }
    if (kind === "key" || kind === "delta") epoch.noteVideo(counter, at);
    if (verdict === "out_of_order") return verdict;
    this.#accept(epoch, verdict, { camera: this.id, kind, epoch: frame.epoch, counter, header, content, received: at }, made, report);
    return null;
  }

  // A frame of a closed epoch is rejected. It may prove that two devices use the identity, or that the camera uses an old copy of its storage.
  #judgeClosed(frame, made) {
    const proof = made === null ? null : this.#epochs.proof(frame.epoch, made.serial);
    if (proof === "cloned") {
      this.#becomeCloned();
    } else {
      if (proof === "restored") this.#restored ??= this.#requester.challenges.next;
      this.#epochs.noteActivity(frame.epoch);
      this.#requestDue();
    }
    return "closed_epoch";
  }

  #becomeCloned() {
    this.#cloned = true;
    this.#forget();
  }

  #accept(epoch, verdict, picture, made, report) {
    const { kind, counter, header } = picture;
    if (made !== null) this.#acceptEcho(epoch, kind, header, made);
    if (this.#cloned) return;
    if (report !== null) {
      this.#acceptReport(epoch, counter, report, header.echoes, made);
    } else {
      epoch.newestPicture = Math.max(epoch.newestPicture, counter);
      if (epoch === this.#epochs.current) this.#reported.onPicture(counter);
    }
    if (kind === "still") epoch.lastStill = counter;
    if (verdict !== "show") return this.#hub.notShown(verdict);
    if (this.#epochs.shownBy(epoch)) return this.#show(epoch, picture);
    epoch.held.add(picture);
    this.#hub.notShown("held");
  }

  #acceptEcho(epoch, kind, header, made) {
    if (epoch !== this.#epochs.current) {
      // An epoch with an older echo than the newest one ended before the current one began (R-CAND-2).
      if (this.#newestEcho !== null && made.at < this.#newestEcho) return;
      this.#promote(epoch, made);
    } else if (this.#restored !== null && made.serial >= this.#restored) {
      return this.#becomeCloned();  // a device used a smaller counter between two uses of this epoch (R-CAND-5)
    }
    this.#answered = this.#now;
    this.#newestEcho = Math.max(made.at, this.#newestEcho ?? made.at);
    if (kind !== "report") this.#shown.onEcho(header.number, made.at);  // a report is not a picture (R-ECHO-4)
  }

  #acceptReport(epoch, counter, report, echoes, made) {
    this.membership.noteFollowed(report.version, report.hash, this.#now);
    if (made !== null && epoch === this.#epochs.current) {
      this.#reported.onReport(counter, made.at, report);
      const proven = this.#reported.proven(this.#now);
      if (proven !== null) this.#requester.onProvenPrivacy(made.serial, proven === "privacy");
    }
    if (report.nonce !== undefined && this.#hub.connected) this.#requester.onNonce(epoch.number, echoes, report.nonce, this.#now);
  }

  #promote(epoch, made) {
    const { maxCounter } = this.#epochs;
    this.#epochs.promote(epoch, made.serial, this.#requester.challenges.next);
    if (this.#epochs.maxCounter > maxCounter) this.#hub.saveCounter(this.id, this.#epochs.maxCounter);
    this.#shown.beginEpoch(epoch.number);
    this.#reported.beginEpoch(epoch.newestPicture);
    this.#restored = null;
    this.#requester.clearUnopened();
    this.name = epoch.name;
    const held = epoch.held.take();
    if (!epoch.shown) for (const picture of held) this.#show(epoch, picture);
  }

  #show(epoch, picture) {
    epoch.shown = true;
    this.#hub.show(this.#shown.handOut(picture, epoch === this.#epochs.current, this.#now));
  }

  // -- requests

  // The kind of the requests for pictures, or null.
  setKind(kind) {
    if (kind === this.#kind) return;
    if (kind === null || this.#kind === null) this.#answered = null;
    if (this.#kind === null || kind === "live") this.#requester.makeDue(this.#epochs);
    this.#kind = kind;
    this.#requestDue();
  }

  onConnected() {
    this.#requester.makeDue(this.#epochs);
    this.#requestDue();
  }

  // False if this hub may not switch the camera's privacy, or is not connected.
  switchPrivacy(on) {
    if (!this.membership.maySwitchPrivacy || this.#cloned || !this.#hub.connected) return false;
    this.#privacyFailed = null;
    this.#requester.beginPrivacy(on, this.#epochs, this.#now);
    return true;
  }

  #requestDue() {
    if (this.#kind === null || this.#blocked() !== null || !this.#hub.connected) return;
    this.#answered ??= this.#now;
    this.#requester.requestDue(this.#epochs, this.#kind, this.#now);
  }

  async tick() {
    await this.#dropWaiting();
    const requested = this.#requester.requestedPrivacy;
    if (this.#hub.connected && this.#requester.requestPrivacy(this.#epochs, this.#now)) this.#privacyFailed = requested;
    this.#requestDue();
  }

  // -- the state now

  get currentEpoch() { return this.#epochs.current?.number ?? null; }
  get newest() { return this.#shown.newest; }

  #unanswered(now) { return this.#kind !== null && this.#answered !== null && now - this.#answered > ANSWER_MS; }

  // LIVE, STALE or OFFLINE at this moment (R-LIVE-4, R-LIVE-6).
  get state() {
    const now = this.#now;
    if (this.#blocked() !== null || this.#shown.newest === null) return "OFFLINE";
    if (this.#epochs.current !== null && this.#shown.live(now)) return "LIVE";
    return this.#reported.offline(now) || this.#unanswered(now) ? "OFFLINE" : "STALE";
  }

  get provenUntil() { return this.#reported.provenUntil; }

  // { state, since (ms of the wall clock) } of the newest status, which proves nothing; or null.
  get hint() { return this.#reported.hint === "none" ? null : { state: this.#reported.hint, since: this.#hintSince }; }

  // The value of a change of privacy that is requested now, and of one that failed; or null.
  get requestedPrivacy() { return this.#requester.requestedPrivacy; }
  get privacyFailed() { return this.#privacyFailed; }

  // By the newest report, or null (R-ROLL-8).
  get detectsMotion() { return this.#reported.detectsMotion; }

  // The first reason that applies, or "none": tests/conformance/README.md has the list.
  get reason() {
    const { membership } = this, now = this.#now;
    if (this.#cloned) return "cloned";
    if (membership.suspended) return "suspended";
    if (membership.removed) return "removed";
    if (membership.conflict) return "roster_conflict";
    if (!membership.member) return "none";
    if (this.#restored !== null) return "restored";
    if (membership.unpublished(now)) return "unpublished_roster";
    if (this.state === "LIVE") return "none";
    const reported = this.#reported.reason(now);
    if (reported !== "none") return reported;
    if (this.#unanswered(now)) return "no_answer";
    return this.#shown.newest === null ? "waiting" : "none";
  }
}
