// SPDX-License-Identifier: Apache-2.0
// The marked part of a recording: its buttons, saving as MP4, and deletion.
import { checkClip, clipAddress, remove } from "./recordings_api.js";
import * as texts from "./recordings_text.js";

const $ = (id) => document.getElementById(id);

export class Clip {
  #handlers;
  #range = null;  // { begin, end }

  // target(): { camera, position, day }; changed(); note(text, bad); deletes(): before a deletion; deleted(): afterwards
  constructor(handlers) {
    this.#handlers = handlers;
    const click = (id, action) => { $(id).onclick = action; };
    click("clip-begin", () => this.mark("begin"));
    click("clip-end", () => this.mark("end"));
    click("clip-save", () => this.#save());
    click("clip-clear", () => {
      this.clear();
      handlers.changed();
    });
    click("delete", () => this.#confirmDeletion());
  }

  get range() { return this.#range; }
  clear() { this.#range = null; }

  // edge: "begin" or "end"
  mark(edge) {
    const { position } = this.#handlers.target();
    if (position === null) return;
    const next = { begin: position, end: position, ...this.#range, [edge]: position };
    if (next.end < next.begin) next.begin = next.end = position;
    this.#range = next;
    this.#handlers.changed();
  }

  showControls() {
    const range = this.#range;
    $("clip-save").disabled = !this.#marked;
    $("clip-clear").hidden = !range;
    $("selected").textContent = range ? `Clip: ${texts.time(range.begin)} to ${texts.time(range.end)} (${texts.length(range.end - range.begin)})` : "";
  }

  get #marked() { return this.#range !== null && this.#range.end > this.#range.begin; }

  async #save() {
    const { begin, end } = this.#range, { camera } = this.#handlers.target();
    this.#handlers.note("Preparing the clip …", false);
    try {
      await checkClip(camera.id, begin, end);
    } catch (error) {
      return this.#handlers.note(error.message, true);
    }
    const link = document.createElement("a");
    link.href = clipAddress(camera.id, begin, end);
    link.download = texts.clipName(camera.name, begin);
    link.click();
    this.#handlers.note("The browser saves the clip.", false);
  }

  // Deletes the marked clip, or else the day.
  #confirmDeletion() {
    const { camera, day } = this.#handlers.target(), dialog = $("delete-dialog");
    const range = this.#marked ? this.#range : day;
    $("delete-range").textContent = texts.deletion(camera.name, range);
    dialog.returnValue = "";
    dialog.onclose = () => { if (dialog.returnValue === "delete") this.#delete(camera, range); };
    dialog.showModal();
  }

  async #delete(camera, { begin, end }) {
    this.#handlers.deletes();
    let result = ["", false];
    try {
      result = [texts.deleted(await remove(camera.id, begin, end)), false];
    } catch (error) {
      result = [error.message, true];
    }
    this.clear();
    await this.#handlers.deleted();
    this.#handlers.note(...result);
  }
}
