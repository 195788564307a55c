// SPDX-License-Identifier: Apache-2.0
// One camera on the page. The tile itself decides whether the picture on the canvas is LIVE: its link may be gone.
import { LIVE_FOR } from "./clock.js";
import { make, tileElement } from "./parts.js";
import { Player } from "./player.js";
import * as texts from "./text.js";

const RESEND = { first: 2000, max: 60_000 };  // ms between two requests for the current group after decoder errors
const POSTPONE_STEP = 250;  // ms; each change of the animation costs the compositor a frame

export class Tile {
  #status = null;       // from the hub's last state
  #linked = false;
  #newest = null;       // picture on the canvas
  #staleOverlay;        // animation: transparent while a picture is LIVE, then opaque
  #overlayStart = -Infinity;
  #rejected = "";       // why the page could not request a change of privacy
  #fault = false;       // a value of the camera caused an exception; until the next state
  #undecodable = false; // since the last shown picture
  #resend;              // requests the current group of this camera again
  #resendPause = 0;
  #resendAfter = -Infinity;
  #parts = {};

  // snapshot(id): the address of the picture as a file; absent: save() makes the file.
  constructor(id, { resend, snapshot }) {
    this.id = id;
    this.#resend = resend;
    this.element = tileElement();
    this.element.dataset.camera = id;
    this.element.dataset.pictures = "none";
    for (const part of ["canvas", ".stale-overlay", ".why", ".name", ".members", ".badge", ".taken", ".note", ".shut", ".save", ".full", ".back"])
      this.#parts[part.replace(".", "")] = this.element.querySelector(part);
    if (snapshot) this.#parts.save.href = snapshot(id);
    else this.#parts.save.setAttribute("role", "button");
    this.#parts.save.tabIndex = 0;
    this.#parts.save.download = "";
    this.#parts.full.hidden = !document.fullscreenEnabled;  // for example on an iPhone
    this.#staleOverlay = this.#parts["stale-overlay"].animate(
      [{ opacity: 0, offset: 0 }, { opacity: 0, offset: 0.98 }, { opacity: 1, offset: 1 }],
      { duration: LIVE_FOR * 1.02, fill: "both" });
    this.player = new Player(this.#parts.canvas, {
      shown: (picture) => this.#guard(() => this.#onShown(picture)),
      fault: () => this.#guard(() => this.#onUndecodable()),
    });
    this.refresh();
  }

  set linked(linked) { this.#linked = linked; }

  get status() { return this.#status; }
  get name() { return this.#status?.name || `Camera ${this.id.slice(0, 6)}`; }
  get closed() { return this.#reason === "privacy"; }
  get blocked() { return texts.BLOCKED.has(this.#status?.reason); }

  set rejected(text) {
    this.#rejected = text;
    this.refresh();
  }

  // A fault stays in this tile. It then shows no picture and is not LIVE.
  #guard(action) {
    try {
      action();
    } catch (error) {
      if (!this.#fault) console.error(this.id, error);
      this.#showFault();
    }
  }

  // Uses no value of the camera.
  #showFault() {
    this.#fault = true;
    this.#newest = null;
    this.element.dataset.state = "FAULT";
    this.element.dataset.pictures = "none";
    this.element.dataset.hidden = "no";
    this.element.dataset.reason = "";
    const { name, badge, why, taken, note, shut } = this.#parts;
    name.textContent = `Camera ${this.id.slice(0, 6)}`;
    badge.textContent = "FAULT";
    why.textContent = texts.FAULT;
    taken.textContent = note.textContent = "";
    shut.hidden = true;
    this.element.ariaLabel = `${name.textContent}, FAULT`;
    this.player.clear();
  }

  update(status) {
    this.#guard(() => this.#update(status));
  }

  #update(status) {
    this.#fault = false;
    this.#status = status;
    if (this.blocked && this.#newest) {
      this.#newest = null;
      this.player.clear();
      this.element.dataset.pictures = "none";
    }
    if (status.requested_privacy !== null) this.#rejected = "";
    this.#refresh();
  }

  // Upper bound in milliseconds; null if it is unknown.
  get age() {
    return this.#newest ? this.#newest.clock.age(this.#newest.age, this.#newest.sent) : null;
  }

  get state() {
    const age = this.age;
    if (this.#fault) return "FAULT";
    if (this.blocked) return "OFFLINE";
    if (this.#newest?.live && age !== null && age <= LIVE_FOR) return "LIVE";
    if (!this.#newest || (this.#linked && this.#status?.state === "OFFLINE")) return "OFFLINE";
    return "STALE";
  }

  // The reason of the newest state. The link may be gone, so the page itself decides until when a reason is proven.
  get #reason() {
    const { reason = null, clock, proven_until_us } = this.#status ?? {};
    if (!texts.PROVEN.has(reason)) return reason;
    const now = clock?.now ?? null;
    return now !== null && proven_until_us !== null && now <= proven_until_us / 1000 ? reason : null;
  }

  // Updates texts and attributes. Call this several times a second, because the state changes with time.
  refresh() {
    if (!this.#fault) this.#guard(() => this.#refresh());
  }

  #refresh() {
    const state = this.state, age = this.age, parts = this.#parts;
    const status = this.#status, name = this.name;
    // A LIVE picture outweighs what the hub last knew about the sensor.
    const why = state === "LIVE" && ["privacy", "unconfirmed"].includes(status?.reason) ? null : this.#reason;
    const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
    if (this.element.dataset.state !== state) this.element.dataset.state = state;
    write(parts.name, name);
    write(parts.members, texts.members(status));
    const hidden = why === "privacy" || this.blocked ? "yes" : "no";
    if (this.element.dataset.hidden !== hidden) this.element.dataset.hidden = hidden;
    if (this.element.dataset.reason !== (why ?? "")) this.element.dataset.reason = why ?? "";
    const badge = texts.badge(why === "privacy" ? "OFFLINE" : state, why, age);
    write(parts.badge, badge);
    write(parts.taken, this.#newest && hidden === "no" ? this.#takenText(state, age) : "");
    const instead = this.#whyText(state, hidden, why);
    write(parts.why, instead);
    write(parts.note, this.#noteText(state, why));
    parts.shut.hidden = status?.may_switch_privacy !== true || this.blocked;
    parts.shut.disabled = status?.requested_privacy !== null;
    parts.shut.ariaPressed = String(this.closed);
    const label = [name, badge, instead].filter(Boolean).join(", ");  // for screen readers, which do not read the parts of a button
    if (this.element.ariaLabel !== label) this.element.ariaLabel = label;
  }

  #takenText(state, age) {
    const when = texts.moment(this.#newest.captured);
    const unproven = this.#status?.reason === "clock" || (state !== "LIVE" && age === null);
    return unproven ? `taken at ${when}, by the camera's clock` : when;
  }

  // In place of the picture.
  #whyText(state, hidden, why) {
    if (hidden !== "yes" && state !== "OFFLINE") return "";
    if (why !== (this.#status?.reason ?? null)) return texts.NO_STATE;
    return texts.reason(this.#status) || "Waiting for the first picture of this camera.";
  }

  // Over the picture.
  #noteText(state, why) {
    const progress = texts.privacyProgress(this.#status) || this.#rejected;
    if (progress) return progress;
    if (this.#undecodable && !this.blocked) return texts.UNDECODABLE;
    return state !== "OFFLINE" && ["clock", "roster_conflict", "restored", "unpublished_roster", "unconfirmed"].includes(why) ? texts.reason(this.#status) : "";
  }

  #onShown(picture) {
    if (this.blocked || this.#fault) return this.player.clear();
    this.#newest = picture;
    this.#undecodable = false;
    this.#resendPause = 0;
    const { canvas } = this.#parts;
    canvas.dataset.number = picture.number;
    canvas.dataset.epoch = picture.epoch;
    canvas.dataset.age = this.age === null ? "" : Math.ceil(this.age);
    this.element.dataset.pictures = "some";
    if (this.state === "LIVE") this.#postponeOverlay();
    this.#refresh();
  }

  // Decoding continues with the next key frame. The pauses grow while no picture is shown, because the pictures of a camera may never decode.
  #onUndecodable() {
    this.#undecodable = true;
    const now = performance.now();
    if (now < this.#resendAfter) return;
    this.#resendPause = Math.min(Math.max(RESEND.first, 2 * this.#resendPause), RESEND.max);
    this.#resendAfter = now + this.#resendPause;
    this.#resend(this.id);
  }

  // Starts the overlay's animation at the time when the sensor took the picture, so that it ends with LIVE. The start is an absolute
  // time: after a hang of the script the animation's own time is old until the next frame.
  #postponeOverlay() {
    const taken = performance.now() - this.age;
    if (taken >= this.#overlayStart && taken - this.#overlayStart < POSTPONE_STEP) return;
    this.#staleOverlay.startTime = this.#overlayStart = taken;
  }

  push(picture) {
    if (this.blocked || this.#fault) return;
    this.#guard(() => this.player.push(picture));
  }

  // Saves the shown picture. Its name has the capture time.
  save() {
    const picture = this.#newest;
    if (!picture) return;
    this.#parts.canvas.toBlob((blob) => {
      if (!blob) return;
      const address = URL.createObjectURL(blob);
      make("a", { href: address, download: texts.fileName(this.name, picture.captured, "jpg") }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    }, "image/jpeg", 0.92);
  }

  remove() {
    this.player.stop();
    this.element.remove();
  }
}
