// SPDX-License-Identifier: Apache-2.0
// The elements that the page of sealcam-hub and the app have in common. Trusted Types forbid markup in a script, so it makes each element by itself.

const SVG = "http://www.w3.org/2000/svg";
const LID = "M3 13c2.2 3.2 5.3 4.8 9 4.8s6.8-1.6 9-4.8M6.200 16l-1.6 2.300M12 17.800V20.600M17.800 16l1.6 2.300";

// children: elements and texts
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// paths: the outlines, each as text or as attributes
export function icon(paths, attributes = {}) {
  const image = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 24 24", "aria-hidden": "true", ...attributes })) image.setAttribute(name, value);
  for (const path of paths) {
    const outline = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries(typeof path === "string" ? { d: path } : path)) outline.setAttribute(name, value);
    image.append(outline);
  }
  return image;
}

const button = (classes, label, key, ...paths) => make("button", { class: `icon ${classes}`, "aria-label": label, title: `${label} (${key})` }, icon(paths));

// One camera (tile.js).
export function tileElement() {
  const shut = button("shut", "Privacy: close the sensor", "P", { class: "lid", transform: "translate(0 -4.5)", d: LID }, {
    class: "eye", d: "M2.5 12C4.700 8.300 8 6.300 12 6.300s7.300 2 9.5 5.700c-2.200 3.700-5.500 5.700-9.5 5.700S4.700 15.700 2.5 12zM12 9.200a2.800 2.800 0 1 1 0 5.600 2.800 2.800 0 0 1 0-5.600z" });
  shut.hidden = true;
  return make("article", { class: "tile", tabindex: "0", role: "button" },
    make("canvas", { width: "16", height: "9" }),
    make("div", { class: "stale-overlay", "aria-hidden": "true" }),
    make("div", { class: "nothing", "aria-hidden": "true" },
      icon([{ transform: "translate(0 -4.5)", d: LID }], { class: "shield" }),
      icon(["M4 7h10a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM16 11l6-3v8l-6-3M3 3l18 18"], { class: "away" }),
      make("p", { class: "why" })),
    make("div", { class: "top" }, make("span", { class: "name" }), make("button", { class: "members", title: "Who may watch (W)" }), make("span", { class: "badge" })),
    make("p", { class: "note", role: "status" }),
    make("div", { class: "low" }, make("time", { class: "taken" }), make("span", { class: "tools" },
      shut,
      make("a", { class: "icon save", "aria-label": "Save this picture", title: "Save this picture" }, icon(["M12 4v11m0 0l-4-4m4 4l4-4M5 20h14"])),
      button("full", "Full screen", "F", "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5"),
      button("back", "All cameras", "Esc", "M6 6l12 12M18 6L6 18"))));
}

const close = () => make("form", { method: "dialog" }, make("button", { autofocus: "" }, "Close"));

export function dialog(id, title, ...children) {
  return make("dialog", { id, "aria-labelledby": `${id}-title` }, make("h2", { id: `${id}-title` }, title), ...children);
}

const KEYS = [
  ["Enter, tap", "one camera in the whole window"], ["F, double tap", "full screen"], ["Esc, swipe down", "back to all cameras"], ["Arrows, swipe", "next camera"],
  ["1 to 9", "the camera with this number"], ["P", "privacy: close or open the camera's sensor, if the owner allowed it"], ["W", "who may watch the camera"],
  ["R", "rejected messages"], ["D", "dark or light"],
];
const STATES = [
  ["live", "LIVE", (device) => `the camera took this picture after a request of this ${device}, at most five seconds ago.`],
  ["stale", "STALE", () => "the picture is older."], ["offline", "OFFLINE", () => "there is no picture."],
];

// Adds the line below the cameras and the dialogs. device: "hub" or "phone". keys: more rows of the help. help: its last elements.
export function addParts(device, keys = [], ...help) {
  const rows = [...KEYS, ...keys].map(([key, text]) => make("div", {}, make("dt", {}, key), make("dd", {}, text)));
  const meanings = STATES.flatMap(([kind, term, text]) => [make("b", { class: `term ${kind}` }, term), ` ${text(device)} `]);
  const rejected = make("button", { class: "rejected", id: "rejected" },
    icon(["M12 3l7 3v5.5c0 4.4-3 7.9-7 9.5-4-1.6-7-5.1-7-9.5V6zM9 12l2.2 2.2L15.3 10"]), make("span", { id: "rejected-text" }));
  rejected.hidden = true;
  document.body.append(
    make("footer", { class: "bar foot" }, rejected),
    dialog("rejected-dialog", "Rejected messages", make("p", {}, `The ${device} opened none of these messages and showed none of these pictures.`),
           make("div", { id: "rejected-list" }), close()),
    dialog("privacy-dialog", "", make("p", {}, "All hubs on this camera's list can then show its pictures."),
           make("form", { method: "dialog" }, make("button", { class: "plain", value: "", autofocus: "" }, "Keep it closed"), make("button", { value: "open" }, "Open it"))),
    dialog("members-dialog", "", make("p", { id: "members-text" }), make("ul", { id: "members-list" }), make("p", { id: "software-text" }), close()),
    dialog("help-dialog", "Keys and gestures", make("dl", {}, ...rows), make("p", { class: "meanings" }, ...meanings), ...help, close()));
}

// Dark or light: what the person chose, or else what the device prefers.
export function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
}

export function applyTheme() {
  const theme = localStorage.getItem("theme");
  if (theme) document.documentElement.dataset.theme = theme;
}
