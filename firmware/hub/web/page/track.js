// SPDX-License-Identifier: Apache-2.0
// The element of the timeline: its canvas, the pointer, and the thumbnail above the pointer.
import * as line from "./timeline.js";
import { minutes, time as seconds } from "./recordings_text.js";

const COLORS = { recorded: "--recorded", locked: "--offline", gap: "--lost", motion: "--motion", text: "--dim", line: "--line",
                 selection: "--focus", playhead: "--ink", ground: "--raised" };
const SHORT_VIEW = 20 * 60_000;  // ms; a shorter view has labels with seconds

export class Track {
  #element;
  #canvas;
  #thumbnail;
  #content = null;
  #hover = null;
  #requested = false;

  // moved(time), left(), scrub(time), released(), zoom(factor, time)
  constructor(element, handlers) {
    this.#element = element;
    this.#canvas = element.querySelector("canvas");
    this.#thumbnail = element.querySelector(".thumbnail");
    let held = false;
    const leave = () => {
      this.#hover = null;
      this.#thumbnail.hidden = true;
      handlers.left();
      this.redraw();
    };
    const move = (event) => {
      this.#showThumbnail(event);
      handlers.moved(this.#hover);
      if (held) handlers.scrub(this.#hover);
      this.redraw();
    };
    element.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary || !this.#content) return;
      element.setPointerCapture(event.pointerId);
      held = true;
      this.#showThumbnail(event);
      handlers.moved(this.#hover);
      handlers.scrub(this.#hover);
    });
    element.addEventListener("pointermove", (event) => { if (this.#content && event.isPrimary) move(event); });
    const release = (event) => {
      if (!held || !event.isPrimary) return;
      held = false;
      handlers.released();
      if (event.pointerType !== "mouse") leave();
    };
    element.addEventListener("pointerup", release);
    element.addEventListener("pointercancel", release);
    element.addEventListener("pointerleave", () => { if (!held) leave(); });
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (this.#content) handlers.zoom(event.deltaY < 0 ? 0.7 : 1 / 0.7, this.#timeAt(event));
    }, { passive: false });
    new ResizeObserver(() => this.redraw()).observe(element);
  }

  // { view, day, spans, gaps, events, selection, position }
  show(content) {
    this.#content = content;
    this.redraw();
  }

  #timeAt(event) {
    const box = this.#element.getBoundingClientRect();
    return line.toTime(this.#content.view, box.width, event.clientX - box.left);
  }

  // Shows the thumbnail at a time, as if the pointer were there; null hides it.
  point(time) {
    if (!this.#content) return;
    this.#hover = time;
    if (time === null) this.#thumbnail.hidden = true;
    else this.#placeThumbnail(line.toX(this.#content.view, this.#element.getBoundingClientRect().width, time));
    this.redraw();
  }

  #showThumbnail(event) {
    this.#hover = this.#timeAt(event);
    this.#placeThumbnail(event.clientX - this.#element.getBoundingClientRect().left);
  }

  #placeThumbnail(x) {
    this.#thumbnail.hidden = false;
    const { width } = this.#element.getBoundingClientRect(), half = this.#thumbnail.offsetWidth / 2;
    this.#thumbnail.style.left = `${Math.min(Math.max(x, half), width - half) - half}px`;
  }

  redraw() {
    if (this.#requested || !this.#content) return;
    this.#requested = true;
    requestAnimationFrame(() => {
      this.#requested = false;
      this.#draw();
    });
  }

  #draw() {
    const { width, height } = this.#element.getBoundingClientRect(), canvas = this.#canvas;
    if (width === 0) return;
    const scale = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const paint = canvas.getContext("2d");
    paint.scale(scale, scale);
    const style = getComputedStyle(document.documentElement);
    const colors = Object.fromEntries(Object.entries(COLORS).map(([name, variable]) => [name, style.getPropertyValue(variable).trim()]));
    const { view } = this.#content, short = view.end - view.begin < SHORT_VIEW;
    line.draw(paint, { ...this.#content, width, height, hover: this.#hover, colors, label: short ? seconds : minutes });
  }
}
