// SPDX-License-Identifier: Apache-2.0
// The view of the cameras: all of them, or the one that the fragment of the address names. The page of sealcam-hub and the app use it, each with its
// own link.
import { arrange } from "./layout.js";
import { addParts, make, switchTheme } from "./parts.js";
import { supported } from "./player.js";
import { Tile } from "./tile.js";
import * as texts from "./text.js";

const $ = (id) => document.getElementById(id);
const write = (element, text) => { if (element.textContent !== text) element.textContent = text; };

// A fault of one part of the page does not stop the others. Tiles do this by themselves.
export function attempt(action) {
  try {
    action();
  } catch (error) {
    console.error(error);
  }
}

export class View {
  link;
  state = null;          // the newest one
  #page;
  #tiles = new Map();
  #grid = $("grid");
  #watched = "all";
  #confirm = null;       // the tile that the dialog about privacy means
  #touch = null;

  // page:
  //   device         "hub" or "phone", for texts
  //   connect(handlers)   makes the link: { open, watch(cameras), switchPrivacy(id, on), resend(id, others), keepTime() }
  //   linkText(state, open)   what does not work in the connection; empty if all works
  //   empty(state)   the title and the text without a camera
  //   noAnswer       why privacy cannot be switched while the link is closed
  //   snapshot(id)   the address of a camera's picture as a file; absent: the page makes the file itself
  //   covered()      another view covers the cameras, so they request no pictures; key(event) gets its keys, and returns whether it used one
  //   keys           more actions, by key; help: [rows, elements] of the help
  //   route()        the address changed
  //   changed()      the state, or which cameras are shown, changed
  constructor(page) {
    this.#page = { covered: () => false, key: () => false, keys: {}, help: [], route: () => {}, changed: () => {}, ...page };
    const [rows = [], ...elements] = this.#page.help;
    addParts(page.device, rows, ...elements);
    this.#listen();
    this.link = page.connect({
      state: (json) => this.#onState(json),
      picture: (picture) => this.#tiles.get(picture.camera)?.push(picture),
      rejected: (json) => { const tile = this.#tiles.get(json.camera); if (tile) tile.rejected = texts.privacyRejected(json.why); },
      open: () => this.#setLinked(true),
      closed: () => this.#setLinked(false),
    });
    setInterval(() => {
      attempt(() => this.link.keepTime());
      for (const tile of this.#tiles.values()) tile.refresh();
      attempt(() => this.showLink());
      attempt(() => { if ($("clock")) write($("clock"), texts.clock()); });
    }, 200);
    this.showLink();
  }

  get chosen() { return this.#tiles.get(location.hash.slice(1)); }

  // After a decoder error of one camera.
  #resend(camera) {
    setTimeout(() => this.link.resend(camera, [...this.#tiles.keys()].filter((id) => id !== camera)), 100);
  }

  #setLinked(linked) {
    for (const tile of this.#tiles.values()) {
      tile.linked = linked;
      tile.refresh();
    }
    this.showLink();
  }

  #onState(json) {
    this.state = json;
    const known = new Set(json.cameras.map((camera) => camera.id));
    for (const [id, tile] of this.#tiles) {
      if (known.has(id)) continue;
      tile.remove();
      this.#tiles.delete(id);
    }
    for (const camera of json.cameras) {
      if (!this.#tiles.has(camera.id)) {
        const tile = new Tile(camera.id, { resend: (id) => this.#resend(id), snapshot: this.#page.snapshot });
        tile.linked = this.link?.open ?? false;
        this.#tiles.set(camera.id, tile);
      }
      this.#tiles.get(camera.id).update(camera);
    }
    for (const part of [() => this.#order(), () => this.showLink(), () => this.#showRejected(), () => this.#listMembers(), () => this.choose()]) attempt(part);
  }

  // Sorts by name, then by id. Elements move only if the order changed, because a moved element loses the focus.
  #order() {
    const name = (tile) => this.state.cameras.find((camera) => camera.id === tile.id)?.name ?? "";
    const sorted = [...this.#tiles.values()].sort((a, b) => name(a).localeCompare(name(b)) || a.id.localeCompare(b.id));
    if (sorted.every((tile, i) => this.#grid.children[i] === tile.element)) return;
    this.#grid.append(...sorted.map((tile) => tile.element));
    arrange(this.#grid, this.#tiles.size);
  }

  showLink() {
    write($("link"), this.#page.linkText(this.state, this.link?.open ?? false));
    const none = this.#tiles.size === 0;
    $("empty").hidden = !none && supported();
    this.#grid.hidden = none || !supported();
    const [title, detail] = this.#page.empty(this.state);
    write($("empty-title"), title);
    write($("empty-text"), detail);
  }

  #showRejected() {
    const { rejected, rejected_control } = this.state;
    const frames = texts.rejectedTexts(rejected);
    const first = frames[0] ?? texts.rejectedControlText(rejected_control);
    $("rejected").hidden = !first;
    const others = texts.total(rejected) - Math.max(0, ...Object.values(rejected));
    $("rejected-text").textContent = frames.length > 1 ? `${first} (${texts.count(others)} more for other reasons)` : first;
    if ($("rejected-dialog").open) this.#listRejected();
  }

  #listRejected() {
    const entry = (title, counts, control) => {
      const reasons = [...texts.rejectedTexts(counts), texts.rejectedControlText(control)].filter(Boolean);
      return reasons.length === 0 ? [] : [make("h3", {}, title), make("ul", {}, ...reasons.map((text) => make("li", {}, text)))];
    };
    const rest = { rejected: { ...this.state.rejected }, rejected_control: { ...this.state.rejected_control } };
    const parts = this.state.cameras.flatMap((camera) => {
      for (const kind of ["rejected", "rejected_control"])
        for (const [reason, n] of Object.entries(camera[kind])) rest[kind][reason] -= n;
      return entry(`On the topics of ${camera.name || camera.id}`, camera.rejected, camera.rejected_control);
    });
    const all = [...parts, ...entry("On other topics", rest.rejected, rest.rejected_control)];
    $("rejected-list").replaceChildren(...all.length > 0 ? all : [make("p", {}, "No message was rejected so far.")]);
  }

  // Who may watch one camera.

  #showMembers(tile) {
    if (!tile?.status?.members?.length) return;
    $("members-dialog").dataset.camera = tile.id;
    this.#listMembers();
    $("members-dialog").showModal();
  }

  #listMembers() {
    const status = this.#tiles.get($("members-dialog").dataset.camera)?.status;
    if (!status) return;
    write($("members-dialog-title"), `Who may watch ${status.name || "this camera"}`);
    write($("members-text"), `${texts.membersSince(status)} This is the newest list that the camera's owner signed.`);
    write($("software-text"), texts.software(status));
    const rows = texts.memberRows(status, this.state.hub);
    const list = $("members-list");
    if (rows.length === list.children.length && rows.every(({ title, detail }, i) => list.children[i].textContent === title + detail)) return;
    list.replaceChildren(...rows.map(({ title, detail }) => make("li", {}, make("b", {}, title), make("span", {}, detail))));
  }

  // One camera or all cameras.

  route() {
    this.#page.route();
    this.choose();
  }

  choose() {
    const tile = this.chosen;
    document.body.classList.toggle("one", tile !== undefined);
    for (const other of this.#tiles.values()) other.element.classList.toggle("chosen", other === tile);
    const next = document.hidden || this.#page.covered() ? [] : tile ? [tile.id] : "all";
    if (String(next) !== String(this.#watched)) this.link.watch((this.#watched = next));
    if (!tile) arrange(this.#grid, this.#tiles.size);
    this.#page.changed();
  }

  #show(tile) {
    // One history entry only: the browser's back button leads to all cameras.
    if (this.chosen) location.replace(`#${tile.id}`);
    else location.hash = tile.id;
    tile.element.focus({ preventScroll: true });
  }

  #showAll() {
    const tile = this.chosen;
    if (!tile) return;
    if (document.fullscreenElement) document.exitFullscreen();
    history.replaceState(null, "", location.pathname);
    this.choose();
    tile.element.focus({ preventScroll: true });
  }

  #fullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => {});
  }

  #step(by) {
    const all = [...this.#grid.children], chosen = this.chosen;
    const at = all.findIndex((element) => (chosen ? element === chosen.element : element === document.activeElement));
    const next = all[(at + by + all.length) % all.length];
    if (!next) return;
    if (chosen) this.#show(this.#tiles.get(next.dataset.camera));
    else next.focus();
  }

  // Opening the sensor needs a confirmation, closing it does not.
  #privacy() {
    const tile = this.chosen;
    if (!tile?.status?.may_switch_privacy || tile.blocked || tile.status.requested_privacy !== null) return;
    if (!tile.closed) return void this.#switchPrivacy(tile, true);
    this.#confirm = tile;
    $("privacy-dialog-title").textContent = `Open the sensor of ${tile.name}?`;
    $("privacy-dialog").returnValue = "";
    $("privacy-dialog").showModal();
  }

  #switchPrivacy(tile, on) {
    tile.rejected = this.link.switchPrivacy(tile.id, on) ? "" : this.#page.noAnswer;
  }

  // Keyboard, mouse, touch.

  #listen() {
    const grid = this.#grid, columns = () => (this.chosen ? 1 : Number(grid.style.getPropertyValue("--columns")) || 1);
    const back = () => this.#showAll(), full = () => this.#fullScreen();
    const keys = {
      Escape: back, Backspace: back, f: full, d: switchTheme, p: () => this.#privacy(), w: () => this.#showMembers(this.chosen),
      r: () => this.#openRejected(), "?": () => $("help-dialog").showModal(),
      ArrowRight: () => this.#step(1), ArrowLeft: () => this.#step(-1), PageDown: () => this.#step(1), PageUp: () => this.#step(-1),
      ArrowDown: () => this.#step(columns()), ArrowUp: () => this.#step(-columns()), ...this.#page.keys,
    };
    addEventListener("keydown", (event) => this.#onKey(event, keys));
    grid.addEventListener("click", (event) => {
      const on = (selector) => event.target.closest(selector);
      if (on(".save")) return this.#page.snapshot ? undefined : this.chosen?.save();
      for (const [selector, action] of [[".members", keys.w], [".shut", keys.p], [".back", back], [".full", full]]) if (on(selector)) return action();
      if (on(".tile") && !this.chosen) this.#show(this.#tiles.get(on(".tile").dataset.camera));
    });
    grid.addEventListener("dblclick", (event) => {
      if (this.chosen && !event.target.closest("button, a")) full();
    });
    grid.addEventListener("pointerdown", (event) => {
      this.#touch = event.pointerType !== "mouse" && event.isPrimary && this.chosen ? { x: event.clientX, y: event.clientY } : null;
    });
    grid.addEventListener("pointerup", (event) => this.#onSwipe(event));
    $("privacy-dialog").onclose = () => {
      if ($("privacy-dialog").returnValue === "open" && this.#confirm) this.#switchPrivacy(this.#confirm, false);
      this.#confirm = null;
    };
    $("help").onclick = keys["?"];
    $("rejected").onclick = keys.r;
    addEventListener("hashchange", () => this.route());
    // A hidden page requests no pictures.
    document.addEventListener("visibilitychange", () => this.choose());
    new ResizeObserver(() => arrange(grid, this.#tiles.size)).observe(grid);
  }

  #openRejected() {
    if (!this.state) return;
    this.#listRejected();
    $("rejected-dialog").showModal();
  }

  #onKey(event, keys) {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (this.#page.covered()) {
      if (this.#page.key(event)) event.preventDefault();
      return;
    }
    if (event.target.closest?.("input")) return;
    const tile = event.target.closest?.(".tile");
    if ((event.key === "Enter" || event.key === " ") && tile && event.target === tile && !this.chosen) {
      event.preventDefault();
      return this.#show(this.#tiles.get(tile.dataset.camera));
    }
    const digit = /^[1-9]$/.test(event.key) ? this.#grid.children[event.key - 1] : null;
    if (digit) return this.#show(this.#tiles.get(digit.dataset.camera));
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  #onSwipe(event) {
    if (!this.#touch || !event.isPrimary) return;
    const x = event.clientX - this.#touch.x, y = event.clientY - this.#touch.y;
    this.#touch = null;
    if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) this.#step(x < 0 ? 1 : -1);
    else if (y > 80 && y > 2 * Math.abs(x)) this.#showAll();
  }
}
