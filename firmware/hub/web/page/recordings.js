// SPDX-License-Identifier: Apache-2.0
// The view of recordings: a day of one camera as a timeline, its pictures, clips and deletion. The fragment of the address names the
// camera: #recordings/<id>.
import { Clip } from "./clip.js";
import { EventList } from "./events.js";
import * as api from "./recordings_api.js";
import * as picture from "./recorded_picture.js";
import { RecordedPlayer, SPEEDS } from "./recorded_player.js";
import * as texts from "./recordings_text.js";
import * as line from "./timeline.js";
import { Track } from "./track.js";
import { KeyPreview } from "./unit_decoder.js";

const HASH = "#recordings/";
const POLL = 10_000;
const SETTLE = 150;  // ms without movement after which a scrub reads the exact picture
const $ = (id) => document.getElementById(id);

export class Recordings {
  #onChange;
  #list = { enabled: false, cameras: [], fault: "" };
  #camera = null;       // of the list
  #day = line.dayOf(Date.now());
  #view = this.#day;
  #data = { days: [], spans: [], gaps: [], events: [] };
  #position = null;     // ms
  #clip = new Clip({
    target: () => ({ camera: this.#camera, position: this.#position, day: this.#day }),
    changed: () => this.#showControls(),
    note: (text, bad) => this.#note(text, bad),
    deletes: () => this.#player.close(),
    deleted: () => this.#setDay(this.#day, this.#position),
  });
  #events = new EventList({
    choose: (event) => this.seek(event.begin),
    point: (event) => this.#pointAt(event),
    position: () => this.#position,
  });
  #scrubbing = false;
  #gapNoted = false;    // the note is about a gap
  #settle = 0;
  #track = new Track($("track"), {
    moved: (time) => this.#onHover(time),
    left: () => {
      this.#preview.cancel();
      this.#noteGap(null);
    },
    scrub: (time) => this.#scrub(time),
    released: () => this.#release(),
    zoom: (factor, time) => this.#zoom(factor, time),
  });
  #refresh = null;      // AbortController of the timeline's request
  #player;
  #preview;
  #polled = 0;

  // onChange(): the view was opened or closed.
  constructor(onChange) {
    this.#onChange = onChange;
    this.#player = new RecordedPlayer($("recorded-picture"), {
      shown: (unit) => this.#onShown(unit),
      state: () => this.#showControls(),
      skipped: (counts) => this.#note(texts.skipped(counts), true),
      fault: (error) => {
        this.#note(error.message || "This browser cannot decode this recording.", true);
        this.#showControls();
      },
    });
    this.#preview = new KeyPreview({
      shown: (unit, at, draw) => this.#onPreview(unit, at, draw),
      failed: () => { $("thumbnail").dataset.picture = "none"; },
    });
    this.#bind();
    this.poll();
    setInterval(() => { if (!document.hidden && performance.now() - this.#polled >= POLL) this.poll(); }, 1000);
  }

  get open() { return !$("recordings").hidden; }
  get available() { return this.#list.enabled || this.#list.cameras.some((camera) => camera.bytes > 0); }

  // Reads the list. If the hub has no recordings, the page requests the list once for each connection.
  async poll(always = false) {
    const first = this.#polled === 0;
    this.#polled = performance.now();
    if (!first && !always && !this.available && !this.open) return;
    try {
      this.#list = await api.fetchList();
    } catch { return; }  // the link reports that the hub does not answer
    $("open-recordings").hidden = !this.available;
    const fault = texts.fault(this.#list);
    if ($("recorder-fault").textContent !== fault) $("recorder-fault").textContent = fault;
    $("recorder-fault").title = this.#list.fault_text;
    if (this.open) {
      this.#showCameras();
      if (this.#refresh === null && this.#camera) await this.#followRecorder();
    }
  }

  // Today's timeline grows. After a fault, the next poll shows the picture.
  async #followRecorder() {
    const day = this.#day;
    if (this.#position !== null && Date.now() >= day.end + POLL) return;
    await this.#loadTimeline();
    const spans = this.#openable();
    if (day === this.#day && this.#position === null && spans.length > 0) this.seek(line.nearest(spans, day.end - 1) - 5000);
  }

  // Follows the fragment of the address.
  async route() {
    const id = location.hash.startsWith(HASH) ? location.hash.slice(HASH.length) : null;
    if (id === null) return this.#close();
    const opens = !this.open;
    $("recordings").hidden = false;
    document.body.classList.add("past");
    if (opens) this.#onChange();
    if (opens) await this.poll(true);
    if (!this.open) return;
    const camera = this.#list.cameras.find((c) => c.id === id) ?? this.#list.cameras[0] ?? null;
    this.#showCameras();
    if (camera && (opens || camera.id !== this.#camera?.id)) this.#choose(camera);
    if (opens) $("track").focus({ preventScroll: true });
    if (!camera) picture.message(texts.OFF);
  }

  show(id) { location.hash = HASH + (id ?? this.#list.cameras[0]?.id ?? ""); }

  #close() {
    if (!this.open) return;
    this.#player.close();
    this.#preview.cancel();
    $("recordings").hidden = true;
    document.body.classList.remove("past");
    document.title = "Sealcam";
    this.#onChange();
  }

  back() { location.hash = this.#camera ? this.#camera.id : ""; }

  #showCameras() {
    const select = $("recorded-camera");
    const options = this.#list.cameras.map((camera) => {
      const option = document.createElement("option");
      option.value = camera.id;
      option.textContent = camera.name;
      return option;
    });
    const same = options.length === select.options.length && options.every((o, i) => o.value === select.options[i].value && o.textContent === select.options[i].textContent);
    if (!same && document.activeElement !== select) select.replaceChildren(...options);
    this.#camera = this.#list.cameras.find((c) => c.id === this.#camera?.id) ?? this.#camera;
    if (this.#camera && document.activeElement !== select) select.value = this.#camera.id;
    $("recorder-note").textContent = [texts.fault(this.#list), this.#camera ? texts.ended(this.#camera) : "", this.#camera ? texts.undetected(this.#camera) : ""].filter(Boolean).join(" ");
  }

  // Opens the newest recording of a camera.
  #choose(camera) {
    this.#camera = camera;
    this.#player.close();
    this.#clip.clear();
    picture.hide();
    $("recorded-camera").value = camera.id;
    $("recorded-name").textContent = camera.name;
    this.#showCameras();
    this.#setDay(line.dayOf(camera.end ?? Date.now()), camera.end);
  }

  // `time`: shown if there is a recording near it; null: the first recording of the day.
  async #setDay(day, time) {
    this.#day = this.#view = day;
    this.#data = { ...this.#data, spans: [], gaps: [], events: [] };
    this.#position = null;
    $("recorded-date").value = line.dayText(day.begin);
    picture.message(texts.WAITING);
    const loaded = await this.#loadTimeline();
    if (!loaded || day !== this.#day || this.#position !== null) return;
    const spans = this.#openable();
    const at = line.nearest(spans, time ?? day.begin);
    if (at === null) {
      this.#position = null;
      picture.hide();
      picture.message(this.#data.spans.length > 0 ? texts.NO_KEY : texts.NOTHING);
      return this.#showControls();
    }
    // Five seconds before the end, so that play has something to show.
    this.seek(time === null || time === undefined ? at : line.nearest(spans, at - 5000));
  }

  #openable() { return this.#data.spans.filter((span) => span.openable); }

  // False after an error, whose message is shown, and if a later call replaced this one.
  async #loadTimeline() {
    this.#refresh?.abort();
    const refresh = (this.#refresh = new AbortController()), day = this.#day;
    try {
      const data = await api.fetchTimeline(this.#camera.id, day.begin, day.end, refresh.signal);
      if (refresh !== this.#refresh || day !== this.#day) return false;
      this.#data = data;
    } catch (error) {
      if (refresh !== this.#refresh) return false;
      this.#refresh = null;
      picture.message(error instanceof api.RecordingsError ? error.message : "The hub does not answer.");
      return false;
    }
    this.#refresh = null;
    this.#player.open(this.#camera.id, this.#data.spans);
    $("track-summary").textContent = texts.summary(this.#data.spans, this.#data.gaps, this.#data.events);
    $("motion-legend").hidden = this.#data.events.length === 0;
    $("gap-legend").hidden = this.#data.gaps.length === 0;
    this.#showControls();
    return true;
  }

  // Position and pictures.

  seek(time) {
    const spans = this.#openable();
    if (spans.length === 0) return;
    this.#position = line.nearest(spans, time);
    this.#view = line.follow(this.#view, this.#day, this.#position);
    this.#note("");
    this.#player.seek(this.#position);
    this.#showControls();
  }

  #step(by) {
    this.#player.step(by);
    this.#showControls();
  }

  #onHover(time) {
    if (!this.#camera) return;
    const gap = line.rangeAt(this.#data.gaps, time), span = line.rangeAt(this.#data.spans, time);
    $("thumbnail-text").textContent = `${texts.time(time)}${gap ? " · gap" : !span ? " · no recording" : span.openable ? "" : " · no key"}`;
    if (span?.openable) this.#preview.request(this.#camera.id, time);
    else $("thumbnail").dataset.picture = "none";
    this.#noteGap(gap);
  }

  // The note about lost frames ends when the pointer leaves them. Other notes stay.
  #noteGap(gap) {
    if (!gap && !this.#gapNoted) return;
    this.#note(gap ? texts.gap(gap) : "");
    this.#gapNoted = Boolean(gap);
  }

  // The thumbnail of an event, without a change of the position.
  #pointAt(event) {
    this.#track.point(event && event.peak >= this.#view.begin && event.peak < this.#view.end ? event.peak : null);
    if (event) this.#onHover(event.peak);
    else {
      this.#preview.cancel();
      this.#noteGap(null);
    }
  }

  // Key frames while a person moves the pointer; the exact picture when it rests.
  #scrub(time) {
    const at = line.nearest(this.#openable(), time);
    if (at === null) return;
    this.#player.stop();  // the key frames come sooner
    this.#scrubbing = true;
    this.#position = at;
    this.#preview.request(this.#camera.id, at);
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#player.seek(this.#position), SETTLE);
    this.#showControls();
  }

  #release() {
    if (!this.#scrubbing) return;
    this.#scrubbing = false;
    clearTimeout(this.#settle);
    this.#player.seek(this.#position);
  }

  #onShown(unit) {
    this.#position = unit.at;
    this.#view = this.#scrubbing ? this.#view : line.follow(this.#view, this.#day, unit.at);
    this.#showPicture(unit);
  }

  #showPicture(unit) {
    picture.show(unit, this.#camera.name);
    this.#showControls();
  }

  #onPreview(unit, at, draw) {
    // A key frame may be from an earlier recording than the pointed time.
    if (!line.rangeAt(this.#data.spans, unit.at)) return void ($("thumbnail").dataset.picture = "none");
    draw($("thumbnail-picture"));
    $("thumbnail").dataset.picture = "some";
    if (!this.#scrubbing) return;
    draw($("recorded-picture"));
    this.#showPicture(unit);
  }

  #note(text, bad = false) {
    this.#gapNoted = false;
    $("recordings-note").textContent = text;
    $("recordings-note").classList.toggle("bad", bad && text !== "");
  }

  // Controls.

  #showControls() {
    const any = this.#openable().length > 0, playing = this.#player.playing;
    for (const id of ["step-back", "play", "step-on", "clip-begin", "clip-end"]) $(id).disabled = !any;
    $("play").ariaLabel = playing ? "Pause" : "Play";
    $("play").dataset.playing = playing;
    $("stage").ariaBusy = this.#scrubbing || this.#player.waiting;
    $("delete").disabled = this.#data.spans.length === 0;
    this.#clip.showControls();
    this.#events.show(this.#data.events);
    this.#events.setPosition(this.#position);
    for (const [id, by] of [["day-before", -1], ["day-after", 1]]) $(id).disabled = line.otherDay(this.#data.days, this.#day, by) === null;
    $("zoom-out").disabled = this.#view.end - this.#view.begin >= this.#day.end - this.#day.begin;
    $("zoom-in").disabled = this.#view.end - this.#view.begin <= line.MIN_VIEW;
    const track = $("track");
    track.ariaValueMin = 0;
    track.ariaValueMax = Math.round((this.#day.end - this.#day.begin) / 1000);
    track.ariaValueNow = this.#position === null ? 0 : Math.round((this.#position - this.#day.begin) / 1000);
    track.ariaValueText = this.#position === null ? "no recording" : `${texts.date(this.#position)}, ${texts.time(this.#position)}`;
    this.#track.show({ view: this.#view, day: this.#day, ...this.#data, selection: this.#clip.range, position: this.#position });
  }

  // With the wheel, the time under the pointer keeps its place. With keys and buttons, the position moves to the middle: early or late
  // in a day it is near an edge, and most of a short view would not show its surroundings.
  #zoom(factor, at = null) {
    const { begin, end } = this.#view, center = this.#position ?? (begin + end) / 2;
    this.#view = at === null ? line.viewAround(this.#day, center, (end - begin) * factor) : line.zoomed(this.#view, this.#day, factor, at);
    this.#showControls();
  }

  #otherDay(by) {
    const day = line.otherDay(this.#data.days, this.#day, by);
    if (day) this.#setDay(day, null);
  }

  #bind() {
    new MutationObserver(() => this.#track.redraw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });

    const click = (id, action) => { $(id).onclick = action; };
    click("open-recordings", () => this.show());
    click("recordings-back", () => this.back());
    click("step-back", () => this.#step(-1));
    click("step-on", () => this.#step(1));
    click("play", () => this.#togglePlay());
    click("day-before", () => this.#otherDay(-1));
    click("day-after", () => this.#otherDay(1));
    click("zoom-in", () => this.#zoom(0.5));
    click("zoom-out", () => this.#zoom(2));
    $("recorded-camera").onchange = (event) => location.replace(HASH + event.target.value);
    $("recorded-date").onchange = (event) => {
      const day = line.dayFromText(event.target.value);
      if (day) this.#setDay(day, null);
    };
    const speeds = $("speed");
    speeds.replaceChildren(...SPEEDS.map((value) => new Option(`${texts.speed(value)} ×`, String(value), value === 1, value === 1)));
    speeds.onchange = () => this.#player.setSpeed(Number(speeds.value));
  }

  #togglePlay() {
    if (this.#player.playing) this.#player.pause();
    else this.#player.play();
    this.#showControls();
  }

  #changeSpeed(by) {
    const at = SPEEDS.indexOf(this.#player.speed) + by;
    if (!SPEEDS[at]) return;
    $("speed").value = String(SPEEDS[at]);
    this.#player.setSpeed(SPEEDS[at]);
  }

  // True if the view used the key.
  key(event) {
    const field = event.target.closest?.("select, input, button");
    if (event.key === "Escape") this.back();
    else if (field && event.key !== "," && event.key !== ".") return false;
    else if (event.key === " " || event.key === "k") this.#togglePlay();
    else if (event.key === ",") this.#step(-1);
    else if (event.key === ".") this.#step(1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight")
      this.seek((this.#position ?? 0) + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 60_000 : 5000));
    else if (event.key === "Home" || event.key === "End") this.seek(event.key === "Home" ? this.#day.begin : this.#day.end - 1);
    else if (event.key === "PageUp" || event.key === "PageDown") this.#otherDay(event.key === "PageUp" ? -1 : 1);
    else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "+" ? 0.5 : 2);
    else if (event.key === "<" || event.key === ">") this.#changeSpeed(event.key === "<" ? -1 : 1);
    else if (event.key === "n" || event.key === "N") this.#events.step(event.key === "n" ? 1 : -1);
    else if (event.key === "[" || event.key === "]") this.#clip.mark(event.key === "[" ? "begin" : "end");
    else return false;
    return true;
  }
}
