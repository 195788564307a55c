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
  #parts = {};

  constructor(template, id, { again }) {
    this.id = id;
    this.element = document.importNode(template.content.firstElementChild, true);
    this.element.dataset.camera = id;
    this.element.dataset.pictures = "none";
    for (const part of ["canvas", ".veil", ".why", ".name", ".badge", ".taken", ".save", ".full", ".back"])
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

  update(status) {
    this.#status = status;
    this.judge();
  }

  // Milliseconds, an upper bound; null when only the camera's clock tells.
  get age() {
    if (!this.#newest || this.#newest.age === null) return null;
    return this.#newest.age + this.#sinceShown.ms;
  }

  get state() {
    const age = this.age;
    if (this.#newest?.live && age !== null && age <= LIVE_FOR) return "LIVE";
    if (!this.#newest || (this.#linked && this.#status?.state === "OFFLINE")) return "OFFLINE";
    return "STALE";
  }

  // The words follow the state; to be called several times a second.
  judge() {
    const state = this.state, age = this.age, parts = this.#parts;
    const name = this.#status?.name || `Camera ${this.id.slice(0, 6)}`;
    const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };
    if (this.element.dataset.state !== state) this.element.dataset.state = state;
    write(parts.name, name);
    write(parts.badge, state === "STALE" && age !== null ? `STALE ${words.age(age)}` : state);
    write(parts.taken, this.#newest ? this.#takenText(state, age) : "");
    write(parts.why, this.#why(state));
    const label = `${name}, ${state}`;
    if (this.element.ariaLabel !== label) this.element.ariaLabel = label;
  }

  #takenText(state, age) {
    const when = words.moment(this.#newest.captured);
    return state !== "LIVE" && age === null ? `taken at ${when}, by the camera's clock` : when;
  }

  #why(state) {
    if (this.#status?.roster_conflict) return "The list of hubs of this camera contradicts itself. Ask its owner.";
    if (state !== "OFFLINE") return "";
    if (this.#status?.state !== "OFFLINE") return "Waiting for a picture";
    return this.#status.says_online === false ? "The camera was switched off or lost its connection" : "The camera does not answer";
  }

  #onShown(picture) {
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
    picture.stopwatch = new Stopwatch();
    this.player.push(picture);
  }

  remove() {
    this.player.stop();
    this.element.remove();
  }
}
