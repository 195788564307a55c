// SPDX-License-Identifier: Apache-2.0
// Joins link, tiles and controls. The address's fragment names the camera that fills the window.
import { arrange } from "./layout.js";
import { Link } from "./link.js";
import { supported } from "./player.js";
import { Tile } from "./tile.js";
import * as words from "./words.js";

const $ = (id) => document.getElementById(id);
const grid = $("grid");
const tiles = new Map();
let state = null;

const link = new Link({
  state: onState,
  picture: (picture) => tiles.get(picture.camera)?.push(picture),
  refused: (json) => { const tile = tiles.get(json.camera); if (tile) tile.refused = words.privacyRefused(json.why); },
  open: () => setLinked(true),
  closed: () => setLinked(false),
});

let lastAgain = -Infinity;
// A decoder gave up: the hub is asked for the whole group again, seldom.
function again() {
  if (performance.now() - lastAgain < 2000) return;
  lastAgain = performance.now();
  setTimeout(() => link.again(), 100);
}

function setLinked(linked) {
  for (const tile of tiles.values()) {
    tile.linked = linked;
    tile.judge();
  }
  sayLink();
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
      const tile = new Tile($("tile"), camera.id, { again });
      tile.linked = true;
      tiles.set(camera.id, tile);
    }
    tiles.get(camera.id).update(camera);
  }
  order();
  sayLink();
  sayRefused();
  choose();
}

// By name, then by id; elements move only when the order changed, so that the focus stays.
function order() {
  const name = (tile) => state.cameras.find((camera) => camera.id === tile.id)?.name ?? "";
  const sorted = [...tiles.values()].sort((a, b) => name(a).localeCompare(name(b)) || a.id.localeCompare(b.id));
  if (sorted.every((tile, i) => grid.children[i] === tile.element)) return;
  grid.append(...sorted.map((tile) => tile.element));
  arrange(grid, tiles.size);
}

function sayLink() {
  const text = !link.open ? "The hub does not answer" : state && !state.connected ? "No connection to the broker" : "";
  if ($("link").textContent !== text) $("link").textContent = text;
  const none = tiles.size === 0;
  $("empty").hidden = !none && supported();
  grid.hidden = none || !supported();
  const [title, detail] = !supported()
    ? ["This browser cannot play the pictures", "The page needs WebCodecs, as in a current Chromium, opened as http://127.0.0.1 or http://localhost. Any player shows /live/CAMERA.ts."]
    : state ? ["No camera yet", "A camera appears here as soon as its owner allows this hub to watch it: sealcam camera enroll, then sealcam sync."]
    : ["Connecting to the hub", ""];
  $("empty-title").textContent = title;
  $("empty-text").textContent = detail;
}

function sayRefused() {
  const sentences = words.refusedSentences(state.refused);
  const control = words.refusedControlSentence(state.refused_control);
  const first = sentences[0] ?? control;
  $("refused").hidden = !first;
  const others = words.total(state.refused) - Math.max(0, ...Object.values(state.refused));
  $("refused-text").textContent = sentences.length > 1 ? `${first} (${words.count(others)} more for other reasons)` : first;
  if ($("refused-dialog").open) listRefused();
}

function listRefused() {
  const entry = (title, counts, control) => {
    const sentences = [...words.refusedSentences(counts), words.refusedControlSentence(control)].filter(Boolean);
    if (sentences.length === 0) return [];
    const heading = Object.assign(document.createElement("h3"), { textContent: title });
    const list = document.createElement("ul");
    list.append(...sentences.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    return [heading, list];
  };
  const rest = { refused: { ...state.refused }, refused_control: { ...state.refused_control } };
  const parts = state.cameras.flatMap((camera) => {
    for (const kind of ["refused", "refused_control"])
      for (const [reason, n] of Object.entries(camera[kind])) rest[kind][reason] -= n;
    return entry(`In the place of ${camera.name || camera.id}`, camera.refused, camera.refused_control);
  });
  $("refused-list").replaceChildren(...parts, ...entry("Elsewhere", rest.refused, rest.refused_control));
}

// One camera, or all.

const chosen = () => tiles.get(location.hash.slice(1));
let wish = "all";

function choose() {
  const tile = chosen();
  document.body.classList.toggle("one", tile !== undefined);
  for (const other of tiles.values()) other.element.classList.toggle("chosen", other === tile);
  const next = document.hidden ? [] : tile ? [tile.id] : "all";
  if (String(next) !== String(wish)) link.watch((wish = next));
  if (!tile) arrange(grid, tiles.size);
}

function show(tile) {
  // Going back with the browser's own button leads to all cameras.
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

// Closing the sensor needs no second thought, opening it does.
let asksAbout = null;
function privacy() {
  const tile = chosen();
  if (!tile?.status?.may_switch_privacy || tile.barred || tile.status.privacy_wish !== null) return;
  if (!tile.status.privacy) return void switchPrivacy(tile, true);
  asksAbout = tile;
  $("privacy-title").textContent = `Open the sensor of ${tile.name}?`;
  $("privacy-dialog").returnValue = "";
  $("privacy-dialog").showModal();
}
$("privacy-dialog").onclose = () => {
  if ($("privacy-dialog").returnValue === "open" && asksAbout) switchPrivacy(asksAbout, false);
  asksAbout = null;
};
function switchPrivacy(tile, on) {
  tile.refused = link.switchPrivacy(tile.id, on) ? "" : "The hub does not answer, so nothing was asked.";
}

// Keyboard, mouse, touch.

const keys = {
  Escape: showAll, Backspace: showAll, f: fullScreen, d: switchTheme, p: privacy,
  r: () => openDialog("refused-dialog"), "?": () => openDialog("help-dialog"),
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), PageDown: () => step(1), PageUp: () => step(-1),
  ArrowDown: () => step(columns()), ArrowUp: () => step(-columns()),
};
const columns = () => (chosen() ? 1 : Number(grid.style.getPropertyValue("--columns")) || 1);

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]")) return;
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
  if (id === "refused-dialog") {
    if (!state) return;
    listRefused();
  }
  $(id).showModal();
}
$("help").onclick = () => openDialog("help-dialog");
$("refused").onclick = () => openDialog("refused-dialog");
$("theme").onclick = switchTheme;

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

addEventListener("hashchange", choose);
// A page that nobody sees asks no camera for pictures.
document.addEventListener("visibilitychange", choose);
new ResizeObserver(() => arrange(grid, tiles.size)).observe(grid);

setInterval(() => {
  for (const tile of tiles.values()) tile.judge();
  const text = words.clock();
  if ($("clock").textContent !== text) $("clock").textContent = text;
}, 200);
sayLink();
