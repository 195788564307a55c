// SPDX-License-Identifier: Apache-2.0
// Plays recordings of one camera on a canvas with WebCodecs.
//
// A <video> element with MP4 would be a second way to decode. It cannot step back a picture, and each scrub would wait for a new file, its
// header and a group of pictures. Here a scrub is one request for one key frame and one decoding.
import { fetchKey, fetchRange } from "./recordings_api.js";
import { UnitDecoder, drawOn } from "./unit_decoder.js";

const WINDOW = { all: 8000, keys: 120_000 };  // ms of a recording for each request
const AHEAD = 8;             // decoded pictures that wait; each one has several MB
const KEEP = 300;            // access units before the shown one
const MAX_BYTES = 128 << 20;  // of the units in memory; more only if a camera sends no key frames
const MAX_PAUSE = { all: 2500, keys: 10_000 };  // ms of a recording without pictures; play skips a longer pause
export const SPEEDS = [0.25, 0.5, 1, 2, 4, 8, 16];
export const keysOnly = (speed) => speed >= 8;

export class RecordedPlayer {
  #canvas;
  #handlers;
  #camera = null;
  #units = [];            // of the current range, in order; the first one is a key frame
  #bytes = 0;             // of the units
  #fed = 0;               // units given to the decoder
  #index = -1;            // of the shown unit
  #target = null;         // index of the first unit to show; earlier ones are only decoded
  #ready = [];            // decoded pictures that wait for their time
  #decoder = new UnitDecoder((picture) => this.#onPicture(picture), (error) => this.#onFault(error));
  #abort = null;
  #loading = null;
  #loadedTo = null;       // end of the loaded range
  #seekTime = null;       // of a seek whose picture has not arrived
  #spans = [];            // the recordings that this hub can open
  #playing = false;
  #speed = 1;
  #clock = null;          // { wall, media }: media time now = media + (wall now - wall) * speed
  #frameRequest = 0;

  // shown(unit), state(): playing or loading changed, skipped(counts), fault(error)
  constructor(canvas, handlers) {
    this.#canvas = canvas;
    this.#handlers = handlers;
  }

  get playing() { return this.#playing; }
  get speed() { return this.#speed; }
  get unit() { return this.#units[this.#index] ?? null; }
  get held() { return this.#units.length; }
  get loading() { return this.#loading !== null; }
  // A picture was requested that is not shown yet.
  get waiting() { return this.#seekTime !== null || this.#target !== null; }

  // `spans`: the recordings of the timeline. Play stops after the last one.
  open(camera, spans) {
    if (camera !== this.#camera) {
      this.#playing = false;
      this.#reset();
    }
    this.#camera = camera;
    this.#spans = spans.filter((span) => span.openable);
  }

  close() {
    this.#playing = false;
    this.#camera = null;
    this.#reset();
  }

  // Ends loading and decoding until the next seek.
  stop() {
    this.#playing = false;
    this.#reset();
  }

  #reset() {
    this.#abort?.abort();
    this.#abort = this.#loading = null;
    this.#decoder.reset();
    this.#dropReady();
    this.#units = [];
    this.#bytes = 0;
    this.#fed = 0;
    this.#index = -1;
    this.#target = null;
    this.#loadedTo = this.#seekTime = null;
    this.#clock = null;
  }

  #dropReady() {
    for (const { frame } of this.#ready) frame.close();
    this.#ready = [];
  }

  // Shows the picture at `time`, or the first one after it, as soon as it arrives.
  async seek(time) {
    this.#playing = false;
    this.#reset();
    this.#seekTime = time;
    await this.#load(time, time + WINDOW[this.#mode]);
  }

  // `all`: no more pictures follow.
  #trySeek(all) {
    const time = this.#seekTime;
    if (time === null || (!all && !(this.#units.at(-1)?.at > time))) return;
    this.#seekTime = null;
    if (this.#units.length === 0) return;
    this.#show(Math.max(0, this.#units.findLastIndex((unit) => unit.at <= time)));
  }

  get #mode() { return keysOnly(this.#speed) ? "keys" : "all"; }

  // Reads a range and appends its new pictures. Later calls wait for an earlier one.
  async #load(begin, end) {
    const abort = new AbortController();
    this.#abort = abort;
    const last = this.#units.at(-1)?.at ?? -Infinity;
    const done = fetchRange(this.#camera, begin, end, { keys: this.#mode === "keys", signal: abort.signal }, (pictures) => {
      if (abort !== this.#abort) return;
      for (const unit of pictures) {
        if (unit.at <= last) continue;
        this.#bytes += unit.unit.length;
        this.#units.push(unit);
      }
      if (this.#bytes > MAX_BYTES) return this.#onTooMuch();
      this.#trySeek(false);
      this.#feed();
    });
    this.#loading = done;
    this.#handlers.state();
    try {
      const skipped = await done;
      if (abort === this.#abort) this.#handlers.skipped(skipped);
    } catch (error) {
      // 404: no recording in this range.
      if (abort === this.#abort && error.status !== 404) this.#onFault(error);
    }
    if (abort !== this.#abort) return;
    this.#loading = null;
    this.#loadedTo = end;
    this.#trySeek(true);
    this.#handlers.state();
  }

  // Decodes up to `index` and shows this picture.
  #show(index) {
    if (index < this.#fed || this.#ready.length > 0 || this.#decoder.waiting > 0) this.#rewind(index);
    this.#target = index;
    this.#feed();
  }

  // Decodes again from the key frame at or before `index`.
  #rewind(index) {
    this.#decoder.reset();
    this.#dropReady();
    this.#fed = this.#units.findLastIndex((unit, i) => i <= index && unit.key);
    if (this.#fed < 0) this.#fed = 0;
  }

  #feed() {
    if (this.#seekTime !== null) return;
    const goal = this.#target ?? (this.#playing ? Infinity : this.#index);
    while (this.#fed < this.#units.length && this.#fed <= goal) {
      if (this.#target === null && this.#ready.length + this.#decoder.waiting >= AHEAD) break;
      this.#decoder.decode(this.#units[this.#fed++]);
    }
  }

  #onPicture(picture) {
    const index = this.#units.indexOf(picture.unit);
    if (this.#target !== null) {
      if (index < this.#target) return picture.frame.close();
      this.#target = null;
      this.#clock = null;
      this.#paint(picture);
      return this.#feed();
    }
    if (index <= this.#index) {
      picture.frame.close();  // decoded again, because play continues from here
      return this.#feed();
    }
    this.#ready.push(picture);
    this.#requestFrame();
  }

  #paint(picture) {
    this.#index = this.#units.indexOf(picture.unit);
    try {
      drawOn(this.#canvas, picture);
    } finally {
      picture.frame.close();
    }
    this.#handlers.shown(picture.unit);
    this.#trim();
  }

  // A long play does not keep the units that it showed.
  #trim() {
    if (this.#index < 2 * KEEP) return;
    const cut = this.#units.findLastIndex((unit, i) => i <= this.#index - KEEP && unit.key);
    if (cut <= 0) return;
    for (const unit of this.#units.splice(0, cut)) this.#bytes -= unit.unit.length;
    this.#index -= cut;
    this.#fed -= cut;
  }

  // Single steps. Backward, the group of pictures is decoded again.
  async step(by) {
    this.pause();
    const unit = this.unit;
    if (!unit || this.#target !== null) return;
    if (by > 0) {
      if (this.#index + 1 >= this.#units.length) await (this.#loading?.catch(() => null) ?? this.#more());
      if (this.unit === unit && this.#index + 1 < this.#units.length) this.#show(this.#index + 1);
      return;
    }
    if (this.#index > 0) return this.#show(this.#index - 1);
    const key = await fetchKey(this.#camera, unit.at - 0.001).catch(() => null);
    if (!key || this.unit !== unit || key.at >= unit.at) return;
    this.#reset();
    await this.#load(key.at, unit.at);
    if (this.#units.length > 0) this.#show(this.#units.length - 1);
  }

  // The range after the loaded one, without pauses of the recording. Null after the last recording.
  #nextRange() {
    const span = this.#loadedTo === null ? undefined : this.#spans.find(({ end }) => end > this.#loadedTo);
    if (!span) return null;
    const begin = Math.max(this.#loadedTo, span.begin);
    return { begin, end: begin + WINDOW[this.#mode] };
  }

  // Reads until there is a new picture.
  async #more() {
    const count = this.#units.length;
    for (let range = this.#nextRange(); range && !this.loading && this.#units.length === count; range = this.#nextRange())
      await this.#load(range.begin, range.end);
  }

  play() {
    if (this.#playing || this.#units.length === 0) return;
    this.#playing = true;
    this.#clock = null;
    this.#feed();
    this.#requestFrame();
    this.#handlers.state();
  }

  pause() {
    if (!this.#playing) return;
    this.#playing = false;
    // Pictures after the shown one are decoded again when play continues.
    if (this.#index + 1 < this.#fed) this.#rewind(this.#index + 1);
    this.#target = null;
    this.#handlers.state();
  }

  // A change between all pictures and key frames reads again.
  async setSpeed(speed) {
    const before = this.#mode, playing = this.#playing, unit = this.unit;
    this.#speed = speed;
    this.#clock = null;
    this.#handlers.state();
    if (before === this.#mode || !unit) return;
    await this.seek(unit.at);
    if (playing && this.#speed === speed) this.play();
  }

  #requestFrame() {
    if (this.#playing && !this.#frameRequest) this.#frameRequest = requestAnimationFrame(() => this.#tick());
  }

  // Draws the newest picture whose time has come.
  #tick() {
    this.#frameRequest = 0;
    if (!this.#playing) return;
    if (!this.unit) return this.#requestFrame();
    const now = performance.now();
    this.#clock ??= { wall: now, media: this.unit.at };
    let media = this.#clock.media + (now - this.#clock.wall) * this.#speed;
    const next = this.#ready[0];
    if (next && next.unit.at - media > MAX_PAUSE[this.#mode]) {
      media = next.unit.at;
      this.#clock = { wall: now, media };
    }
    let due = null;
    while (this.#ready[0]?.unit.at <= media) {
      due?.frame.close();
      due = this.#ready.shift();
    }
    if (due) this.#paint(due);
    // The clock does not run ahead of pictures that are not decoded yet.
    if (this.#ready.length === 0) this.#clock = { wall: now, media: Math.min(media, this.unit.at + 40 * this.#speed) };
    this.#advance();
    this.#requestFrame();
  }

  // Keeps units and decoded pictures ahead of the shown one. Ends play at the end of the recordings.
  #advance() {
    const left = this.#units.length - this.#index - 1;
    const ahead = left > 0 ? this.#units.at(-1).at - this.unit.at : 0;
    const more = this.#nextRange() !== null;
    if (!this.loading && more && ahead < WINDOW[this.#mode] / 2) this.#more();
    this.#feed();
    if (left === 0 && !more && !this.loading) this.pause();
  }

  // A decoder can begin again only with a key frame, so that the units since the newest one cannot be dropped.
  #onTooMuch() {
    this.stop();
    this.#onFault(new Error("This recording has too much content without a key frame."));
  }

  #onFault(error) {
    this.#dropReady();
    this.#target = null;
    if (this.#playing) this.pause();
    this.#handlers.fault(error);
  }
}
