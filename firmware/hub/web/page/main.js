// SPDX-License-Identifier: Apache-2.0
// The page of sealcam-hub: the view of the cameras with the hub's WebSocket, and the recordings.
import { Link } from "./link.js";
import { applyTheme, make, switchTheme } from "./parts.js";
import { supported } from "./player.js";
import { Recordings } from "./recordings.js";
import { View, attempt } from "./view.js";

const $ = (id) => document.getElementById(id);

// Reads its addresses only while recordings are shown. A page that shows recordings requests no live pictures.
let recordings = null;

function linkText(state, open) {
  if (!open) return "The hub does not answer";
  return state && !state.connected ? "No connection to the broker" : "";
}

function empty(state) {
  if (!supported())
    return ["This browser cannot play the pictures", "The page needs a browser with WebCodecs, such as Chromium, and the address http://127.0.0.1 or http://localhost. Media players can open /live/CAMERA.ts."];
  if (!state) return ["Connecting to the hub", ""];
  return ["No cameras", "A camera appears here when its owner allows this hub to watch it: run sealcam camera pair, or sealcam hub allow."];
}

const recorded = make("p", {}, make("b", { class: "term recorded" }, "RECORDED"), " an earlier picture, in a violet frame with its time.");
const recordingKeys = make("p", {}, "In recordings: Space plays, comma and period step, arrows move 5 s (with Shift a minute), < and > change the speed, + and - the scale, N and Shift+N show the next and the earlier event, [ and ] mark a clip, Page Up and Page Down change the day.");

const view = new View({
  device: "hub",
  connect: (handlers) => new Link(handlers),
  linkText, empty,
  noAnswer: "The hub does not answer. Try again when the page is connected.",
  snapshot: (id) => `/snapshot/${id}.jpg?stale=allow`,
  covered: () => recordings?.open ?? false,
  key: (event) => recordings.key(event),
  keys: { t: () => { if (recordings?.available) recordings.show(view.chosen?.id); } },
  route: () => recordings?.route(),
  help: [[["T", "recordings, if the hub records"]], recorded, recordingKeys],
});

if (supported()) attempt(() => { recordings = new Recordings(() => view.choose()); });
$("theme").onclick = switchTheme;
applyTheme();
view.route();
