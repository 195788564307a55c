// SPDX-License-Identifier: Apache-2.0
// Connects the WebSocket, the tiles and the controls. The fragment of the address names the camera that fills the window.
import { arrange } from "./layout.js";
import { Link } from "./link.js";
import { supported } from "./player.js";
import { Recordings } from "./recordings.js";
import { Tile } from "./tile.js";
import * as texts from "./text.js";

const $ = (id) => document.getElementById(id);
const grid = $("grid");
const tiles = new Map();
let state = null;

const link = new Link({
  state: onState,
  picture: (picture) => tiles.get(picture.camera)?.push(picture),
  rejected: (json) => { const tile = tiles.get(json.camera); if (tile) tile.rejected = texts.privacyRejected(json.why); },
  open: () => setLinked(true),
  closed: () => setLinked(false),
});

// Reads its addresses only while recordings are shown. A page that shows recordings requests no live pictures.
let recordings = null;
if (supported()) attempt(() => { recordings = new Recordings(choose); });

// After a decoder error of one camera.
function resend(camera) {
  setTimeout(() => link.resend(camera, [...tiles.keys()].filter((id) => id !== camera)), 100);
}

// A fault of one part of the page does not stop the others. Tiles do this by themselves.
function attempt(action) {
  try {
    action();
  } catch (error) {
    console.error(error);
  }
}

function setLinked(linked) {
  for (const tile of tiles.values()) {
    tile.linked = linked;
    tile.refresh();
  }
  showLink();
}

function onState(json) {
  state = json;
  const known = new Set(json.cameras.map((camera) => camera.id));
  for (const [id, tile] of tiles) {
    if (known.has(id)) continue;
    tile.remove();
    tiles.delete(id);
  }
  for (const camera of json.cameras) {
    if (!tiles.has(camera.id)) {
      const tile = new Tile($("tile"), camera.id, { resend });
      tile.linked = true;
      tiles.set(camera.id, tile);
    }
    tiles.get(camera.id).update(camera);
  }
  for (const part of [order, showLink, showRejected, choose]) attempt(part);
}

// Sorts by name, then by id. Elements move only if the order changed, because a moved element loses the focus.
function order() {
  const name = (tile) => state.cameras.find((camera) => camera.id === tile.id)?.name ?? "";
  const sorted = [...tiles.values()].sort((a, b) => name(a).localeCompare(name(b)) || a.id.localeCompare(b.id));
  if (sorted.every((tile, i) => grid.children[i] === tile.element)) return;
  grid.append(...sorted.map((tile) => tile.element));
  arrange(grid, tiles.size);
}

function showLink() {
  const text = !link.open ? "The hub does not answer" : state && !state.connected ? "No connection to the broker" : "";
  if ($("link").textContent !== text) $("link").textContent = text;
  const none = tiles.size === 0;
  $("empty").hidden = !none && supported();
  grid.hidden = none || !supported();
  const [title, detail] = !supported()
    ? ["This browser cannot play the pictures", "The page needs a browser with WebCodecs, such as Chromium, and the address http://127.0.0.1 or http://localhost. Media players can open /live/CAMERA.ts."]
    : state ? ["No cameras", "A camera appears here when its owner allows this hub to watch it: run sealcam camera pair, or sealcam hub allow."]
    : ["Connecting to the hub", ""];
  $("empty-title").textContent = title;
  $("empty-text").textContent = detail;
}

function showRejected() {
  const frames = texts.rejectedTexts(state.rejected);
  const control = texts.rejectedControlText(state.rejected_control);
  const first = frames[0] ?? control;
  $("rejected").hidden = !first;
  const others = texts.total(state.rejected) - Math.max(0, ...Object.values(state.rejected));
  $("rejected-text").textContent = frames.length > 1 ? `${first} (${texts.count(others)} more for other reasons)` : first;
  if ($("rejected-dialog").open) listRejected();
}

function listRejected() {
  const entry = (title, counts, control) => {
    const reasons = [...texts.rejectedTexts(counts), texts.rejectedControlText(control)].filter(Boolean);
    if (reasons.length === 0) return [];
    const heading = Object.assign(document.createElement("h3"), { textContent: title });
    const list = document.createElement("ul");
    list.append(...reasons.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    return [heading, list];
  };
  const rest = { rejected: { ...state.rejected }, rejected_control: { ...state.rejected_control } };
  const parts = state.cameras.flatMap((camera) => {
    for (const kind of ["rejected", "rejected_control"])
      for (const [reason, n] of Object.entries(camera[kind])) rest[kind][reason] -= n;
    return entry(`On the topics of ${camera.name || camera.id}`, camera.rejected, camera.rejected_control);
  });
  $("rejected-list").replaceChildren(...parts, ...entry("On other topics", rest.rejected, rest.rejected_control));
}

// One camera or all cameras.

const chosen = () => tiles.get(location.hash.slice(1));
let watched = "all";

function choose() {
  const tile = chosen();
  document.body.classList.toggle("one", tile !== undefined);
  for (const other of tiles.values()) other.element.classList.toggle("chosen", other === tile);
  const next = document.hidden || recordings?.open ? [] : tile ? [tile.id] : "all";
  if (String(next) !== String(watched)) link.watch((watched = next));
  if (!tile) arrange(grid, tiles.size);
}

function show(tile) {
  // One history entry only: the browser's back button leads to all cameras.
  if (chosen()) location.replace(`#${tile.id}`);
  else location.hash = tile.id;
  tile.element.focus({ preventScroll: true });
}

function showAll() {
  const tile = chosen();
  if (!tile) return;
  if (document.fullscreenElement) document.exitFullscreen();
  history.replaceState(null, "", location.pathname);
  choose();
  tile.element.focus({ preventScroll: true });
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen?.().catch(() => {});
}

function step(by) {
  const all = [...grid.children];
  const at = all.findIndex((element) => (chosen() ? element === chosen().element : element === document.activeElement));
  const next = all[(at + by + all.length) % all.length];
  if (!next) return;
  if (chosen()) show(tiles.get(next.dataset.camera));
  else next.focus();
}

// Opening the sensor needs a confirmation, closing it does not.
let confirmTile = null;
function privacy() {
  const tile = chosen();
  if (!tile?.status?.may_switch_privacy || tile.blocked || tile.status.requested_privacy !== null) return;
  if (!tile.closed) return void switchPrivacy(tile, true);
  confirmTile = tile;
  $("privacy-title").textContent = `Open the sensor of ${tile.name}?`;
  $("privacy-dialog").returnValue = "";
  $("privacy-dialog").showModal();
}
$("privacy-dialog").onclose = () => {
  if ($("privacy-dialog").returnValue === "open" && confirmTile) switchPrivacy(confirmTile, false);
  confirmTile = null;
};
function switchPrivacy(tile, on) {
  tile.rejected = link.switchPrivacy(tile.id, on) ? "" : "The hub does not answer. Try again when the page is connected.";
}

// Keyboard, mouse, touch.

const keys = {
  Escape: showAll, Backspace: showAll, f: fullScreen, d: switchTheme, p: privacy,
  t: () => recordings?.available && recordings.show(chosen()?.id), r: () => openDialog("rejected-dialog"), "?": () => openDialog("help-dialog"),
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), PageDown: () => step(1), PageUp: () => step(-1),
  ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
};
const columns = () => (chosen() ? 1 : Number(grid.style.getPropertyValue("--columns")) || 1);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
  if (recordings?.open) {
    if (recordings.key(event)) event.preventDefault();
    return;
  }
  const tile = event.target.closest?.(".tile");
  if ((event.key === "Enter" || event.key === " ") && tile && event.target === tile && !chosen()) {
    event.preventDefault();
    return show(tiles.get(tile.dataset.camera));
  }
  const digit = /^[1-9]$/.test(event.key) ? grid.children[event.key - 1] : null;
  if (digit) return show(tiles.get(digit.dataset.camera));
  const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

grid.addEventListener("click", (event) => {
  if (event.target.closest(".save")) return;
  if (event.target.closest(".shut")) return privacy();
  if (event.target.closest(".back")) return showAll();
  if (event.target.closest(".full")) return fullScreen();
  const tile = event.target.closest(".tile");
  if (tile && !chosen()) show(tiles.get(tile.dataset.camera));
});
grid.addEventListener("dblclick", (event) => {
  if (chosen() && !event.target.closest(".tools")) fullScreen();
});

let touch = null;
grid.addEventListener("pointerdown", (event) => {
  touch = event.pointerType !== "mouse" && event.isPrimary && chosen() ? { x: event.clientX, y: event.clientY } : null;
});
grid.addEventListener("pointerup", (event) => {
  if (!touch || !event.isPrimary) return;
  const x = event.clientX - touch.x, y = event.clientY - touch.y;
  touch = null;
  if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) step(x < 0 ? 1 : -1);
  else if (y > 80 && y > 2 * Math.abs(x)) showAll();
});

function openDialog(id) {
  if (id === "rejected-dialog") {
    if (!state) return;
    listRejected();
  }
  $(id).showModal();
}
$("help").onclick = () => openDialog("help-dialog");
$("rejected").onclick = () => openDialog("rejected-dialog");
$("theme").onclick = switchTheme;

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

addEventListener("hashchange", route);
function route() {
  recordings?.route();
  choose();
}
// A hidden page requests no pictures.
document.addEventListener("visibilitychange", choose);
new ResizeObserver(() => arrange(grid, tiles.size)).observe(grid);

setInterval(() => {
  attempt(() => link.keepTime());
  for (const tile of tiles.values()) tile.refresh();
  attempt(() => {
    const text = texts.clock();
    if ($("clock").textContent !== text) $("clock").textContent = text;
  });
}, 200);
showLink();
route();
