// SPDX-License-Identifier: Apache-2.0
// The app: a hub in this browser. It shows one screen at a time: the cameras, or what to do before they can be shown.
import { AppLink } from "./app_link.js";
import { place, showFirst, showInstall, showLinking, takeCode } from "./linking.js";
import { applyTheme, dialog, make, switchTheme } from "./parts.js";
import * as screens from "./screens.js";
import { setDevice } from "./text.js";
import * as texts from "./app_text.js";
import { keepUpdated } from "./updates.js";
import { View, attempt } from "./view.js";

const first = takeCode();  // before anything else
const $ = (id) => document.getElementById(id);
const CODEC = "avc1.42e01f";
let view = null;
let linking = false;
let forgetting = false;
let stored = null;           // { name, broker }
let connectedBefore = false;
let install = null;          // the browser's offer to install the app
let update = null;           // () => changes to the new version, if there is one

// null: what the browser prefers.
const lowData = () => ({ on: true, off: false })[localStorage.getItem("low-data")] ?? null;

async function decodes() {
  try {
    return (await VideoDecoder.isConfigSupported({ codec: CODEC, optimizeForLatency: true })).supported === true;
  } catch {
    return false;
  }
}

// The screen for a browser that cannot be a hub, or null.
async function obstacle() {
  if (!isSecureContext || !globalThis.crypto?.subtle) return ["insecure", texts.INSECURE];
  return await decodes() ? null : ["no-decoder", texts.NO_DECODER];
}

async function start(code) {
  const found = await obstacle();
  if (found) return screens.show(...found);
  try {
    stored = await AppLink.stored();
  } catch (error) {
    console.error(error);
    return screens.show("storage", texts.NO_STORAGE, [["Try again", () => location.reload()]]);
  }
  if (code !== null) return confirmLink(code);
  if (stored === null) return showFirst(confirmLink);
  openCameras();
}

function confirmLink(code) {
  if (linking) return;
  if (place() === "ios") return showInstall(code, link);
  if (stored === null) return link(code);
  screens.show("relink", texts.relink(stored.name), [["Link it again", () => link(code)], ["Keep the link", () => location.reload(), true]]);
}

async function link(code) {
  linking = true;
  view?.link.close();
  const linked = await showLinking(code);
  linking = false;
  if (view !== null) return location.reload();
  if (!linked) return start(null);
  stored = await AppLink.stored();
  openCameras();
}

function openCameras() {
  screens.hide();
  addAbout();
  for (const id of ["low-data", "help", "about"]) $(id).hidden = false;
  view = new View({
    device: "phone",
    connect: (handlers) => new AppLink(handlers),
    linkText: (state, open) => texts.connection({ state, open, online: navigator.onLine, connectedBefore }),
    empty: texts.empty,
    noAnswer: "The phone is not ready. Try again in a moment.",
    covered: () => screens.screenName() !== null,
    keys: { l: switchLowData, i: showAbout },
    help: [[["L", "low data: still pictures only"], ["I", "this phone and its connection"]]],
    changed: () => attempt(onState),
  });
  if (lowData() !== null) view.link.setLowData(lowData());
  // Not earlier: a new version loads the page again, and a code is used only once.
  const { apply } = keepUpdated({ waiting: () => { update = apply; } });
  // At once, and not with the next state.
  for (const event of ["online", "offline"]) addEventListener(event, () => view.showLink());
}

const ACTIONS = {
  forget: () => ["Delete the link", () => $("forget-dialog").showModal(), true],
  reload: () => ["Try again", () => location.reload()],
  here: () => ["Show them here", () => view.link.takeOver()],
  link: () => ["Link this phone", () => location.reload()],
};

function onState() {
  const { state } = view;
  if (state === null) return;
  if (state.connected) connectedBefore = true;
  if (state.low_data !== undefined) $("low-data").ariaPressed = String(state.low_data);
  if ($("about-dialog").open) listAbout();
  const shown = screens.screenName(), screen = texts.access(state.access);
  if (linking || (shown !== null && texts.access(shown) === null)) return;  // a person links the phone again
  if (state.access === "unlinked") return forgetting ? null : location.reload();  // a part of what was stored is missing, or another tab deleted it
  if (screen === null) return screens.hide();
  if (shown !== state.access) screens.show(state.access, screen, screen.actions.map((name) => ACTIONS[name]()));
}

function switchLowData() {
  const on = !view.link.lowData;
  localStorage.setItem("low-data", on ? "on" : "off");
  view.link.setLowData(on);
  view.showLink();
}

// This phone: its name, its connection, and how to remove it.

function addAbout() {
  const button = (text, act, attributes = {}) => Object.assign(make("button", { type: "button", ...attributes }, text), { onclick: act });
  const actions = make("div", { class: "actions" },
    button("Install the app", () => install?.prompt(), { id: "install" }),
    button("Use the new version", () => update?.(), { id: "update" }),
    button("Delete the link …", () => $("forget-dialog").showModal(), { class: "plain" }));
  document.body.append(
    dialog("about-dialog", "This phone", make("p", { id: "about-connection", role: "status" }), make("dl", { id: "about-list" }), actions,
           make("form", { method: "dialog" }, make("button", { autofocus: "" }, "Close"))),
    dialog("forget-dialog", texts.FORGET.title, make("p", {}, ...screens.rich(texts.forget(stored.name))),
           make("form", { method: "dialog" }, make("button", { class: "plain", value: "", autofocus: "" }, texts.FORGET.keep),
                make("button", { value: "forget", class: "danger" }, texts.FORGET.go))));
  $("forget-dialog").onclose = () => { if ($("forget-dialog").returnValue === "forget") forget(); };
}

async function forget() {
  if (forgetting) return;
  forgetting = true;
  await AppLink.forget();
  location.reload();
}

function listAbout() {
  $("about-connection").textContent = texts.connected($("link").textContent);
  $("about-list").replaceChildren(...texts.about({ ...stored, hub: view.state?.hub }).map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
  $("install").hidden = install === null;
  $("update").hidden = update === null;
}

function showAbout() {
  listAbout();
  $("about-dialog").showModal();
}

addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  install = event;
});
addEventListener("appinstalled", () => { install = null; });
addEventListener("hashchange", () => {
  const code = takeCode();
  if (code !== null) start(code);
});
$("theme").onclick = switchTheme;
$("low-data").onclick = switchLowData;
$("about").onclick = showAbout;
screens.onChange(() => view?.choose());  // a covered view requests no pictures
setDevice("phone");
applyTheme();
start(first);
