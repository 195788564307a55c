// SPDX-License-Identifier: Apache-2.0
// Tests of the modules of recordings without a browser: node --test recordings_units.mjs
import assert from "node:assert/strict";
import test from "node:test";
import { endRecord, join, record, unitBytes } from "./records.mjs";
import { hubPage } from "./served.mjs";

process.env.TZ = "Europe/Berlin";
const page = hubPage();
const api = await import(new URL("recordings_api.js", page));
const events = await import(new URL("events.js", page));
const line = await import(new URL("timeline.js", page));
const texts = await import(new URL("recordings_text.js", page));

const HOUR = 3_600_000, MINUTE = 60_000;
const noon = new Date(2026, 10, 30, 12).getTime();

test("pictures are read whatever the size of the pieces is", () => {
  const bytes = join([record({ at: noon, key: true, motion: true, continues: false }), record({ at: noon + 33.367, captured: noon - 5000 }), endRecord(3, 2, 1)]);
  for (const size of [1, 7, 48, 60, bytes.length]) {
    const parser = new api.UnitParser(), pictures = [];
    for (let at = 0; at < bytes.length; at += size) pictures.push(...parser.push(bytes.slice(at, at + size)));
    assert.equal(pictures.length, 2);
    assert.deepEqual([pictures[0].at, pictures[0].key, pictures[0].motion, pictures[0].continues], [noon, true, true, false]);
    assert.deepEqual([pictures[1].at, pictures[1].captured, pictures[1].key, pictures[1].motion, pictures[1].continues], [noon + 33.367, noon - 5000, false, false, true]);
    assert.deepEqual([...pictures[0].unit], [...unitBytes(true)]);
    assert.deepEqual([pictures[1].width, pictures[1].height], [320, 240]);
    assert.deepEqual(parser.end, { altered: 3, noKey: 2, undecodable: 1 });
  }
});

test("bytes that do not follow the format are an error", () => {
  const good = record({ at: noon, key: true });
  for (const [at, value] of [[0, 2], [1, 1], [1, 4], [4, 0xff]]) {
    const bytes = good.slice();
    bytes[at] = value;
    assert.throws(() => new api.UnitParser().push(bytes), /unknown format/);
  }
  assert.throws(() => new api.UnitParser().push(record({ at: noon, unit: new Uint8Array(0) })), /unknown format/);
  const parser = new api.UnitParser();
  parser.push(endRecord());
  assert.throws(() => parser.push(good), /unknown format/);
  const half = new api.UnitParser();
  assert.equal(half.push(good.slice(0, 50)).length, 0);
  assert.equal(half.end, null);
});

test("lists and timelines of any form are read without an exception", () => {
  for (const json of [null, 1, "x", [], {}, { cameras: 5, spans: {}, gaps: null, days: "x" }, { cameras: [null, 1, { id: "x" }, { id: {} }], spans: [null, 7, {}, { begin_us: "1", end_us: 2 }], gaps: [[]], days: [{ date: 5 }, { date: "2026-1-1" }] }]) {
    assert.deepEqual(api.readList(json).cameras, []);
    const timeline = api.readTimeline(json);
    assert.deepEqual([timeline.spans, timeline.gaps, timeline.days], [[], [], []]);
  }
  const id = "a".repeat(32);
  const [camera] = api.readList({ enabled: true, cameras: [{ id, name: "", begin_us: 5000, end_us: null, ended: 7 }] }).cameras;
  assert.deepEqual([camera.name, camera.begin, camera.end, camera.ended, camera.suspended], ["Camera aaaaaa", 5, null, "", false]);
  for (const [mode, detects_motion, shown] of [["motion", false, true], ["motion", true, false], ["motion", null, false], ["continuous", false, false]]) {
    const [blind] = api.readList({ enabled: true, cameras: [{ id, mode, detects_motion }] }).cameras;
    assert.equal(texts.undetected(blind).includes("does not detect motion"), shown, `${mode} ${detects_motion}`);
  }
  const { spans } = api.readTimeline({ spans: [{ begin_us: 2000, end_us: 1000 }, { begin_us: 1000, end_us: 2000, openable: false }] });
  assert.deepEqual(spans, [{ begin: 1, end: 2, bytes: 0, openable: false }]);
});

test("a day has the length of its time zone, with 23 and 25 hours", () => {
  assert.equal(line.dayOf(noon).end - line.dayOf(noon).begin, 24 * HOUR);
  const hours = (text) => { const day = line.dayFromText(text); return (day.end - day.begin) / HOUR; };
  assert.equal(hours("2026-03-29"), 23);
  assert.equal(hours("2026-10-25"), 25);
  assert.equal(line.dayText(line.dayFromText("2026-10-25").begin), "2026-10-25");
  for (const bad of ["", "2026", "x", "2026-1-1", null]) assert.equal(line.dayFromText(bad), null);
});

test("the next day with recordings is found in the local time zone", () => {
  const days = [{ date: "2026-11-27", recorded: 5 }, { date: "2026-11-28", recorded: 0 }, { date: "2026-11-30", recorded: 5 }];
  const day = line.dayFromText("2026-11-30");
  assert.equal(line.dayText(line.otherDay(days, day, -1).begin), "2026-11-28");  // the end of the UTC day is on this local day
  assert.equal(line.dayText(line.otherDay(days, line.dayFromText("2026-11-28"), -1).begin), "2026-11-27");
  assert.equal(line.otherDay(days, line.dayFromText("2026-11-27"), -1), null);
  assert.equal(line.dayText(line.otherDay(days, line.dayFromText("2026-11-28"), 1).begin), "2026-11-30");
  assert.equal(line.otherDay([], day, 1), null);
});

test("zoom keeps the fixed time in its place, and stays within the day", () => {
  const day = line.dayOf(noon);
  const view = line.zoomed(day, day, 0.5, noon);
  assert.deepEqual([view.end - view.begin, line.toX(view, 1000, noon)], [12 * HOUR, 500]);
  const early = line.zoomed(view, day, 4, day.begin + HOUR);
  assert.deepEqual([early.begin, early.end], [day.begin, day.end]);
  let small = day;
  for (let i = 0; i < 40; ++i) small = line.zoomed(small, day, 0.5, day.end - 1);
  assert.equal(small.end - small.begin, line.MIN_VIEW);
  assert.ok(small.end <= day.end && small.begin >= day.begin);
  assert.equal(line.follow(view, day, noon), view);
  const moved = line.follow(small, day, noon);
  assert.ok(moved.begin <= noon && noon < moved.end && moved.end - moved.begin === line.MIN_VIEW);
  for (const x of [-50, 0, 333, 1000, 5000]) {
    const time = line.toTime(view, 1000, x);
    assert.ok(time >= view.begin && time <= view.end);
  }
});

test("labels have round times and room", () => {
  const day = line.dayOf(noon);
  for (const width of [320, 390, 800, 1280]) {
    for (let view = day; view.end - view.begin > line.MIN_VIEW; view = line.zoomed(view, day, 0.6, noon)) {
      const { step, times } = line.ticks(view, day, width);
      assert.ok(times.length >= 1 && times.length <= width / 58 + 2, `${times.length} at ${width}`);
      assert.ok(times.every((t) => (t - day.begin) % step === 0 && t >= view.begin && t <= view.end));
    }
  }
});

test("a pointed time without a recording leads to the nearest recording", () => {
  const spans = [{ begin: 100, end: 200 }, { begin: 500, end: 600 }];
  assert.equal(line.nearest(spans, 150), 150);
  assert.equal(line.nearest(spans, 0), 100);
  assert.equal(line.nearest(spans, 340), 199);
  assert.equal(line.nearest(spans, 360), 500);
  assert.equal(line.nearest(spans, 9000), 599);
  assert.equal(line.nearest([], 5), null);
  assert.equal(line.rangeAt(spans, 200), null);
});

test("the event before and after a time, and the event at a time", () => {
  const list = [{ begin: 100, end: 200, peak: 150 }, { begin: 5000, end: 6000, peak: 5500 }];
  assert.equal(events.otherEvent(list, 0, 1), list[0]);
  assert.equal(events.otherEvent(list, 100, 1), list[1]);
  assert.equal(events.otherEvent(list, 5500, 1), null);
  assert.equal(events.otherEvent(list, 5500, -1), list[0]);
  assert.equal(events.otherEvent(list, 200, -1), null);
  assert.equal(events.eventAt(list, 150), list[0]);
  assert.equal(events.eventAt(list, 3000), null);
  assert.equal(events.eventAt(list, null), null);
});

test("a timeline has events with a peak, and wrong members are left out", () => {
  const { events: found } = api.readTimeline({ events: [{ begin_us: 1000, end_us: 5000, peak_us: 2000 }, { begin_us: 7000, end_us: 9000 }, { begin_us: 9, end_us: 1 }, null, { begin_us: "1" }] });
  assert.deepEqual(found, [{ begin: 1, end: 5, peak: 2 }, { begin: 7, end: 9, peak: 7 }]);
  assert.deepEqual(api.readTimeline({ events: {} }).events, []);
});

test("the timeline draws spans, gaps and positions of any value", () => {
  const calls = [];
  const paint = { clearRect() {}, fillRect: (...box) => calls.push(box), fillText() {}, measureText: () => ({ width: 50 }), beginPath() {}, moveTo() {}, lineTo() {}, fill() {} };
  const day = line.dayOf(noon);
  const colors = Object.fromEntries(["recorded", "locked", "gap", "motion", "text", "line", "selection", "playhead", "ground"].map((name) => [name, name]));
  line.draw(paint, { width: 800, height: 84, view: day, day, gaps: [{ begin: noon, end: noon + 1000 }], events: [{ begin: noon, end: noon, peak: noon }], selection: { begin: noon, end: noon },
    spans: [{ begin: -1e15, end: 1e15, openable: true }, { begin: noon, end: noon + 1, openable: false }], position: noon, hover: noon, colors, label: texts.minutes });
  assert.ok(calls.every((box) => box.every(Number.isFinite) && box[2] >= 0 && box[2] <= 810));
  assert.ok(calls.some((box) => box[2] === 3), "a gap of a second is visible");
});

test("a picture has the camera's time, and the hub's time too if they differ by more than a minute", () => {
  const same = texts.pictureTime({ at: noon + 30_000, captured: noon });
  assert.deepEqual([same.time, same.note], ["12:00:00.0", ""]);
  const other = texts.pictureTime({ at: noon, captured: noon - HOUR });
  assert.equal(other.time, "12:00:00.0");
  assert.match(other.note, /this hub's clock.*11:00:00/);
  assert.match(texts.pictureTime({ at: noon, captured: 2 ** 63 / 1000 }).note, /impossible time/);
});

test("each fault of the recorder has a text, and none without a fault", () => {
  for (const fault of ["full", "read_only", "missing", "io", "slow", "index"])
    assert.match(texts.fault({ enabled: true, fault, fault_since: noon }), /^(Not recording|Recording with losses|Recordings are not listed, or not made): .*\. Since /);
  for (const fault of ["none", "", "toString"]) assert.equal(texts.fault({ enabled: true, fault, fault_since: null }), "");
  assert.equal(texts.fault({ enabled: false, fault: "full", fault_since: null }), "");
});

test("the name of a clip has only simple characters", () => {
  assert.equal(texts.clipName("Front door", noon), "Front-door 2026-11-30 12.00.00.mp4");
  assert.equal(texts.clipName("../..\u202e/x\"", noon), "x 2026-11-30 12.00.00.mp4");
  assert.equal(texts.clipName("..", noon), "camera 2026-11-30 12.00.00.mp4");
});

test("texts of sizes, lengths, skipped pictures and summaries", () => {
  assert.deepEqual([texts.size(0), texts.size(999), texts.size(1500), texts.size(123_456_789)], ["0 B", "999 B", "1.5 kB", "123 MB"]);
  assert.deepEqual([texts.length(4400), texts.length(125_000), texts.length(2 * HOUR + 5 * MINUTE)], ["4 s", "2 min 5 s", "2 h 5 min"]);
  assert.equal(texts.skipped({ altered: 0, noKey: 0, undecodable: 0 }), "");
  assert.match(texts.skipped({ altered: 1, noKey: 2, undecodable: 0 }), /^1 picture was changed after recording and is not shown; 2 files have no key on this hub\.$/);
  assert.equal(texts.summary([], []), "No recordings on this day.");
  assert.equal(texts.summary([{ begin: noon, end: noon + HOUR }], [{}]), "1 h 0 min recorded: 12:00 to 13:00; 1 gap; no events.");
  assert.match(texts.summary([{ begin: noon, end: noon + HOUR }], [], [{}, {}]), /no gaps; 2 events\.$/);
  assert.equal(texts.events(1, 300), "1 event");
  assert.equal(texts.events(400, 300), "400 events, the last 300");
});

test("labels of the timeline are whole and do not overlap", () => {
  const day = line.dayOf(noon);
  for (let shift = 0; shift < 30_000; shift += 1000)
    for (const width of [390, 800, 1280]) {
      const labels = [], nothing = () => {};
      const paint = { clearRect: nothing, fillRect: nothing, fillText: (text, left) => labels.push([left, left + 50]), measureText: () => ({ width: 50 }) };
      line.draw(paint, { width, height: 84, view: { begin: noon + shift, end: noon + shift + 120_000 }, day, spans: [], gaps: [], events: [],
                         selection: null, position: null, hover: null, label: () => "12:00:00", colors: {} });
      assert.ok(labels.length >= 3);
      assert.ok(labels.every(([left, right], i) => left >= (labels[i - 1]?.[1] ?? 0) && right <= width), JSON.stringify(labels));
    }
});
