// SPDX-License-Identifier: Apache-2.0
// One camera on the page. LIVE only while the picture on the canvas is at most 5 s old, whatever the hub said last.
import { LIVE_FOR, Stopwatch } from "./age.js";
import { Player } from "./player.js";
import * as words from "./words.js";

const VEIL_EVERY = 250;  // ms between two puts-off of the veil

export class Tile {
  #status = null;       // of the hub's last state
  #linked = false;
  #newest = null;       // picture on the canvas
  #sinceShown = null;   // Stopwatch
  #veil;
  #veilPut = -Infinity;
  #refused = "";        // why a wish to switch privacy was not even sent
  #parts = {};

  constructor(template, id, { again }) {
    this.id = id;
    this.element = document.importNode(template.content.firstElementChild, true);
    this.element.dataset.camera = id;
    this.element.dataset.pictures = "none";
    for (const part of ["canvas", ".veil", ".why", ".name", ".badge", ".taken", ".note", ".shut", ".save", ".full", ".back"])
      this.#parts[part.replace(".", "")] = this.element.querySelector(part);
    this.#parts.save.href = `/snapshot/${id}.jpg?stale=allow`;
    this.#parts.save.download = "";
    this.#veil = this.#parts.veil.animate(
      [{ opacity: 0, offset: 0 }, { opacity: 0, offset: 0.98 }, { opacity: 1, offset: 1 }],
      { duration: LIVE_FOR * 1.02, fill: "both" });
    this.player = new Player(this.#parts.canvas, {
      shown: (picture) => this.#onShown(picture),
      trouble: () => again(),
    });
    this.judge();
  }

  set linked(linked) { this.#linked = linked; }

  get status() { return this.#status; }
  get name() { return this.#status?.name || `Camera ${this.id.slice(0, 6)}`; }
  get barred() { return words.BARRED.has(this.#status?.reason); }

  set refused(text) {
    this.#refused = text;
    this.judge();
  }

  update(status) {
    this.#status = status;
    if (this.barred && this.#newest) {
      this.#newest = this.#sinceShown = null;
      this.player.clear();
      this.element.dataset.pictures = "none";
    }
    if (status.privacy_wish !== null) this.#refused = "";
    this.judge();
  }

  // Milliseconds, an upper bound; null when only the camera's clock tells.
  get age() {
    if (!this.#newest || this.#newest.age === null) return null;
    return this.#newest.age + this.#sinceShown.ms;
  }

  get state() {
    const age = this.age;
    if (this.barred) return "OFFLINE";
    if (this.#newest?.live && age !== null && age <= LIVE_FOR) return "LIVE";
    if (!this.#newest || (this.#linked && this.#status?.state === "OFFLINE")) return "OFFLINE";
    return "STALE";
  }

  // The words follow the state; to be called several times a second.
  judge() {
    const state = this.state, age = this.age, parts = this.#parts;
    const status = this.#status, name = this.name;
    // A fresh picture outweighs what the camera said about its privacy.
    const why = state === "LIVE" && status?.reason === "privacy" ? null : status?.reason ?? null;
    const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
    if (this.element.dataset.state !== state) this.element.dataset.state = state;
    write(parts.name, name);
    const hidden = why === "privacy" || this.barred ? "yes" : "no";
    if (this.element.dataset.hidden !== hidden) this.element.dataset.hidden = hidden;
    if (this.element.dataset.reason !== (why ?? "")) this.element.dataset.reason = why ?? "";
    const badge = words.badge(why === "privacy" ? "OFFLINE" : state, why, age);
    write(parts.badge, badge);
    write(parts.taken, this.#newest && hidden === "no" ? this.#takenText(state, age) : "");
    write(parts.why, this.#why(state, hidden));
    write(parts.note, this.#note(state, why));
    const shut = status?.may_switch_privacy === true && !this.barred;
    parts.shut.hidden = !shut;
    parts.shut.disabled = status?.privacy_wish !== null;
    parts.shut.ariaPressed = String(status?.privacy === true);
    const label = `${name}, ${badge}`;
    if (this.element.ariaLabel !== label) this.element.ariaLabel = label;
  }

  #takenText(state, age) {
    const when = words.moment(this.#newest.captured);
    const foreign = this.#status?.reason === "clock" || (state !== "LIVE" && age === null);
    return foreign ? `taken at ${when}, by the camera's clock` : when;
  }

  // In the place of the picture.
  #why(state, hidden) {
    if (hidden !== "yes" && state !== "OFFLINE") return "";
    return words.reason(this.#status) || "Waiting for the camera's first picture.";
  }

  // Over the picture.
  #note(state, why) {
    const wish = words.wish(this.#status) || this.#refused;
    if (wish) return wish;
    return state !== "OFFLINE" && (why === "clock" || why === "roster_conflict") ? words.reason(this.#status) : "";
  }

  #onShown(picture) {
    if (this.barred) return this.player.clear();
    this.#newest = picture;
    this.#sinceShown = picture.stopwatch;
    const { canvas } = this.#parts;
    canvas.dataset.number = picture.number;
    canvas.dataset.epoch = picture.epoch;
    this.element.dataset.pictures = "some";
    const now = performance.now();
    if (this.state === "LIVE" && now - this.#veilPut >= VEIL_EVERY) {
      this.#veilPut = now;
      this.#veil.currentTime = this.age;
      this.#veil.play();
    }
    this.judge();
  }

  push(picture) {
    if (this.barred) return;
    picture.stopwatch = new Stopwatch();
    this.player.push(picture);
  }

  remove() {
    this.player.stop();
    this.element.remove();
  }
}
