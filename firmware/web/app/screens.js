// SPDX-License-Identifier: Apache-2.0
// The screens of the app that cover the cameras: first start, linking, and what ends a link.
import { make, icon } from "./parts.js";
import * as texts from "./app_text.js";

const $ = (id) => document.getElementById(id);
const CHECK = ["M5 12.500l4.500 4.500L19 7.500"], CROSS = ["M6 6l12 12M18 6L6 18"];
const STATES = { done: "done", now: "in progress", next: "not yet", failed: "failed" };

// Text with commands between backquotes.
export function rich(text) {
  return text.split("`").map((part, i) => (i % 2 === 0 ? part : make("code", {}, part)));
}

const paragraphs = (lines, classes = "") => lines.filter(Boolean).map((line) => make("p", { class: classes }, ...rich(line)));
const list = (tag, lines) => (lines?.length ? [make(tag, {}, ...lines.map((line) => make("li", {}, make("span", {}, ...rich(line)))))] : []);

// An action: [text, function, plain]
function buttons(actions) {
  if (actions.length === 0) return [];
  return [make("div", { class: "actions" }, ...actions.map(([text, act, plain]) => {
    const button = make("button", { type: "button", class: plain ? "plain" : "" }, text);
    button.onclick = act;
    return button;
  }))];
}

let shown = "start";  // the name of the screen: that of index.html, until the app shows another one; null: the cameras
export const screenName = () => shown;
let changed = () => {};
export const onChange = (action) => { changed = action; };  // after the cameras were covered, or are visible again

// Shows a screen, and moves the focus to its title. A screen that is already shown keeps the focus.
export function show(name, { title, text = [], steps, list: items, note = "" }, actions = [], ...more) {
  const again = shown === name;
  shown = name;
  document.body.dataset.screen = name;
  const heading = make("h2", { tabindex: "-1" }, title);
  $("screen").replaceChildren(make("div", { class: "page" }, heading, ...paragraphs(text), ...list("ol", steps), ...list("ul", items), ...more,
                                   ...paragraphs([note], "aside"), ...buttons(actions)));
  if (again) return;
  $("screen").scrollTop = 0;
  heading.focus({ preventScroll: true });
  changed();
}

// Shows the cameras.
export function hide() {
  if (shown === null) return;
  shown = null;
  delete document.body.dataset.screen;
  $("screen").replaceChildren();
  changed();
}

// The field for an address or a code. go(text) returns an error, or "" if the text has a code.
export function codeForm(label, go) {
  const input = make("input", { id: "code", type: "text", inputmode: "url", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-describedby": "code-error",
                                placeholder: "https://…#link/…" });
  const error = make("p", { id: "code-error", class: "error", role: "alert" });
  const form = make("form", { class: "code" }, make("label", { for: "code" }, label),
                    make("div", {}, input, make("button", { type: "submit" }, "Link")), error);
  form.onsubmit = (event) => {
    event.preventDefault();
    error.textContent = go(input.value);
    input.setAttribute("aria-invalid", String(error.textContent !== ""));
    if (error.textContent) input.focus();
  };
  return form;
}

// The steps of a link. `status` is for screen readers: it has the step that began.
export class StepList {
  element;
  status = make("p", { class: "visually-hidden", role: "status" });
  #items = new Map();
  #at = null;

  constructor() {
    for (const [name, text] of texts.STEPS) {
      const state = make("span", { class: "visually-hidden" });
      const item = make("li", {}, make("span", { class: "mark", "aria-hidden": "true" }, icon(CHECK, { class: "check" }), icon(CROSS, { class: "cross" })), make("span", {}, text), state);
      this.#items.set(name, { item, state });
    }
    this.element = make("ol", { class: "steps" }, ...[...this.#items.values()].map(({ item }) => item));
    this.#mark(null);
  }

  // The step that runs now; "done" is complete at once.
  reach(name) {
    this.#mark((this.#at = name));
    this.status.textContent = texts.step(name);
  }

  fail() { this.#mark(this.#at ?? "keys", "failed"); }

  #mark(at, now = "now") {
    const names = [...this.#items.keys()], index = at === null ? -1 : names.indexOf(at);
    names.forEach((name, i) => {
      const { item, state } = this.#items.get(name), done = i < index || at === "done";
      const mark = done ? "done" : i === index ? now : "next";
      item.dataset.state = mark;
      if (mark === "now") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
      state.textContent = ` (${STATES[mark]})`;
    });
  }
}
