// SPDX-License-Identifier: Apache-2.0
// The list of the day's events: one button for each, in the order of time. Motion is what the camera reported in its signed pictures.
import * as texts from "./recordings_text.js";

const MAX_SHOWN = 300;  // buttons; a camera can report motion without end
const $ = (id) => document.getElementById(id);

// The event before or after `time`; null if there is none. An event that contains `time` is neither.
export function otherEvent(events, time, direction) {
  if (direction > 0) return events.find((e) => e.begin > time) ?? null;
  return events.findLast((e) => e.end < time) ?? null;
}

export const eventAt = (events, time) => (time === null ? null : events.findLast((e) => e.begin <= time && time <= e.end + 1000) ?? null);

export class EventList {
  #handlers;
  #events = [];
  #current = undefined;  // event at the position; undefined: not known

  // choose(event); point(event or null): the pointer or the focus is on its button
  constructor(handlers) {
    this.#handlers = handlers;
    $("event-before").onclick = () => this.step(-1);
    $("event-after").onclick = () => this.step(1);
  }

  // Keeps the buttons of events that are still there, so that focus and scrolling stay.
  show(events) {
    if (events === this.#events) return;
    this.#events = events;
    this.#current = undefined;
    const shown = events.slice(-MAX_SHOWN), list = $("event-list");
    const known = new Map([...list.children].map((item) => [item.dataset.begin, item]));
    const items = shown.map((event) => {
      const item = known.get(String(event.begin)) ?? this.#makeItem(event);
      const text = texts.time(event.begin), length = texts.length(event.end - event.begin);
      const button = item.firstChild;
      if (button.dataset.length !== length) {
        button.dataset.length = length;
        button.replaceChildren(text, Object.assign(document.createElement("small"), { textContent: length }));
        button.ariaLabel = `Motion at ${text}, ${length}`;
      }
      return item;
    });
    if (items.length !== list.children.length || items.some((item, i) => item !== list.children[i])) list.replaceChildren(...items);
    $("events").hidden = events.length === 0;
    $("event-count").textContent = texts.events(events.length, MAX_SHOWN);
  }

  #makeItem(event) {
    const item = document.createElement("li"), button = document.createElement("button");
    item.dataset.begin = event.begin;
    const now = () => this.#events.find((e) => e.begin === event.begin) ?? event;
    button.onclick = () => this.#handlers.choose(now());
    button.onpointerenter = button.onfocus = () => this.#handlers.point(now());
    button.onpointerleave = button.onblur = () => this.#handlers.point(null);
    item.append(button);
    return item;
  }

  // The position of the picture in ms, or null.
  setPosition(position) {
    $("event-before").disabled = position === null || otherEvent(this.#events, position, -1) === null;
    $("event-after").disabled = position === null || otherEvent(this.#events, position, 1) === null;
    const current = eventAt(this.#events, position);
    if (current === this.#current) return;
    this.#current = current;
    for (const item of $("event-list").children) {
      if (Number(item.dataset.begin) === current?.begin) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    }
    const button = $("event-list").querySelector("[aria-current]");
    if (!button) return;
    const list = $("event-list"), box = button.getBoundingClientRect(), room = list.getBoundingClientRect();
    if (box.left < room.left || box.right > room.right) list.scrollLeft += box.left - room.left - (room.width - box.width) / 2;
  }

  // The earlier or later event.
  step(direction) {
    const event = otherEvent(this.#events, this.#handlers.position() ?? 0, direction);
    if (event) this.#handlers.choose(event);
  }
}
