// SPDX-License-Identifier: Apache-2.0
// Tests of the modules of recordings without a browser: node --test recordings_units.mjs
import assert from "node:assert/strict";
import test from "node:test";

process.env.TZ = "Europe/Berlin";
const page = new URL("../../firmware/hub/web/page/", import.meta.url);
const api = await import(new URL("recordings_api.js", page));
const events = await import(new URL("events.js", page));
const line = await import(new URL("timeline.js", page));
const texts = await import(new URL("recordings_text.js", page));
const { UnitDecoder, KeyPreview } = await import(new URL("unit_decoder.js", page));
const { RecordedPlayer } = await import(new URL("recorded_player.js", page));

const HOUR = 3_600_000, MINUTE = 60_000;
const noon = new Date(2026, 10, 30, 12).getTime();

// One record of CAMERA.units (firmware/docs/hub-api.md).
function record({ at, captured = at, key = false, motion = false, continues = true, unit = unitBytes(key), width = 320, height = 240 }) {
  const bytes = new Uint8Array(48 + unit.length), view = new DataView(bytes.buffer);
  bytes.set([1, 2, (key ? 1 : 0) | (motion ? 2 : 0) | (continues ? 4 : 0)]);
  view.setUint32(4, unit.length);
  view.setBigInt64(8, BigInt(Math.round(at * 1000)));
  view.setBigInt64(16, typeof captured === "bigint" ? captured : BigInt(Math.round(captured * 1000)));
  view.setUint16(40, width);
  view.setUint16(42, height);
  bytes.set(unit, 48);
  return bytes;
}
function endRecord(altered = 0, noKey = 0, undecodable = 0) {
  const bytes = new Uint8Array(48), view = new DataView(bytes.buffer);
  bytes.set([1, 3]);
  [altered, noKey, undecodable].forEach((n, i) => view.setBigUint64(8 + 8 * i, BigInt(n)));
  return bytes;
}
const unitBytes = (key) => new Uint8Array(key ? [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 9] : [0, 0, 0, 1, 0x41, 7]);
const join = (parts) => Uint8Array.from(parts.flatMap((part) => [...part]));

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
    assert.match(texts.fault({ enabled: true, fault, fault_since: noon }), /^(Not recording|Recording with losses): .*\. Since /);
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

// A hub with a picture every 100 ms and a key frame every second, and a decoder that shows them at once.
function playerWorld(t, spans) {
  let now = 1000, decoded = 0, fetched = [];
  const frames = new Map();
  t.mock.method(performance, "now", () => now);
  const at = (time) => spans.some((s) => s.begin <= time && time < s.end);
  const pictures = (begin, end, keys) => {
    const out = [];
    for (let time = Math.floor(begin / 1000) * 1000; time < end; time += keys ? 1000 : 100)
      if (at(time)) out.push(record({ at: time, key: time % 1000 === 0 }));
    return out;
  };
  globalThis.fetch = async (address) => {
    const query = new URL(address, "http://hub").searchParams;
    fetched.push(address);
    const list = query.has("at") ? pictures(Math.floor(query.get("at") / 1000), Math.floor(query.get("at") / 1000) + 1, true).slice(0, 1)
      : pictures(query.get("from") / 1000, query.get("to") / 1000, query.get("pictures") === "keys");
    if (list.length === 0) return new Response("no picture", { status: 404 });
    return new Response(join(query.has("at") ? list : [...list, endRecord()]));
  };
  globalThis.EncodedVideoChunk = class { constructor(init) { Object.assign(this, init); } };
  globalThis.VideoDecoder = class {
    state = "unconfigured";
    constructor(callbacks) { this.callbacks = callbacks; }
    configure() { this.state = "configured"; }
    close() { this.state = "closed"; }
    decode({ timestamp }) {
      ++decoded;
      queueMicrotask(() => this.callbacks.output({ timestamp, visibleRect: { width: 320, height: 240 }, close() {} }));
    }
  };
  globalThis.requestAnimationFrame = (run) => { frames.set(frames.size + 1, run); return frames.size; };
  const canvas = { width: 0, height: 0, getContext: () => ({ drawImage() {} }) };
  const shown = [], faults = [];
  const player = new RecordedPlayer(canvas, { shown: (unit) => shown.push(unit.at), state() {}, skipped() {}, fault: (error) => faults.push(error) });
  player.open("a".repeat(32), spans.map((span) => ({ openable: true, ...span })));
  return {
    player, shown, faults, fetched, decoded: () => decoded,
    settle: () => new Promise((done) => { setTimeout(done, 20); }),
    async run(ms) {
      for (let passed = 0; passed < ms; passed += 20) {
        now += 20;
        const due = [...frames.values()];
        frames.clear();
        for (const run of due) run();
        await new Promise((done) => { setImmediate(done); });
      }
    },
  };
}

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

test("a seek shows the picture at or before the time", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]);
  await w.player.seek(150_250);
  await w.settle();
  assert.deepEqual([w.shown, w.faults], [[150_200], []]);
});

test("single steps go on and back, also over a key frame and at both ends", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 102_000 }]);
  await w.player.seek(101_100);
  await w.settle();
  for (const by of [-1, -1, -1, 1, 1, 1, 1]) {
    await w.player.step(by);
    await w.settle();
  }
  assert.deepEqual(w.shown, [101_100, 101_000, 100_900, 100_800, 100_900, 101_000, 101_100, 101_200]);
  await w.player.seek(100_000);
  await w.settle();
  await w.player.step(-1);
  await w.settle();
  assert.equal(w.player.unit.at, 100_000);
  await w.player.seek(101_900);
  await w.settle();
  await w.player.step(1);
  await w.settle();
  assert.equal(w.player.unit.at, 101_900);
  assert.deepEqual(w.faults, []);
});

test("a single step does not wait for the rest of a range that arrives", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]), whole = globalThis.fetch;
  let deliver;
  globalThis.fetch = async (address) => {
    const bytes = new Uint8Array(await (await whole(address)).arrayBuffer()), half = bytes.length >> 1;
    return new Response(new ReadableStream({
      start(stream) {
        stream.enqueue(bytes.subarray(0, half));
        deliver = () => { stream.enqueue(bytes.subarray(half)); stream.close(); };
      },
    }));
  };
  const seek = w.player.seek(150_250);
  await w.settle();
  assert.deepEqual([w.shown, w.player.loading, w.player.waiting], [[150_200], true, false]);
  for (const by of [1, 1, -1]) {
    await w.player.step(by);
    await w.settle();
  }
  assert.deepEqual(w.shown, [150_200, 150_300, 150_400, 150_300]);
  deliver();
  await seek;
  assert.deepEqual([w.player.loading, w.faults], [false, []]);
});

test("a seek without a recording ends", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]);
  const seek = w.player.seek(300_000);
  assert.ok(w.player.waiting);
  await seek;
  assert.deepEqual([w.player.waiting, w.shown, w.faults], [false, [], []]);
});

test("a step back before the loaded range reads the earlier group", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]);
  await w.player.seek(150_000);
  await w.settle();
  await w.player.step(-1);
  await w.settle();
  assert.deepEqual(w.shown, [150_000, 149_900]);
});

test("play shows pictures at their times, at each speed", async (t) => {
  for (const [speed, from, to] of [[0.25, 150_400, 150_600], [1, 151_800, 152_100], [4, 157_500, 158_400], [16, 181_000, 183_600]]) {
    const w = playerWorld(t, [{ begin: 100_000, end: 300_000 }]);
    await w.player.setSpeed(speed);
    await w.player.seek(150_000);
    await w.settle();
    w.player.play();
    await w.run(2100);
    const last = w.shown.at(-1);
    assert.ok(last >= from && last <= to, `${last} at speed ${speed}`);
    assert.deepEqual(w.shown, [...w.shown].sort((a, b) => a - b));
    assert.deepEqual(w.faults, []);
    t.mock.restoreAll();
  }
});

test("play skips a pause of the recording, and stops at the end", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 101_000 }, { begin: 900_000, end: 901_000 }]);
  await w.player.seek(100_000);
  await w.settle();
  w.player.play();
  await w.run(4000);
  assert.equal(w.shown.at(-1), 900_900);
  assert.equal(w.shown.length, 20);
  assert.equal(w.player.playing, false);
});

test("play after a pause continues with the next picture", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]);
  await w.player.seek(150_000);
  await w.settle();
  w.player.play();
  await w.run(500);
  w.player.pause();
  const at = w.player.unit.at;
  await w.run(500);
  assert.equal(w.player.unit.at, at);
  w.player.play();
  await w.run(500);
  assert.ok(w.player.unit.at > at);
  assert.deepEqual(w.shown, [...new Set(w.shown)].sort((a, b) => a - b), "no picture twice, none out of order");
});

test("a long play keeps a bounded number of access units", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 1_000_000 }]);
  await w.player.setSpeed(4);
  await w.player.seek(100_000);
  await w.settle();
  w.player.play();
  await w.run(20_000);
  assert.ok(w.player.unit.at > 170_000, `${w.player.unit.at}`);
  assert.ok(w.player.held < 720, `${w.player.held} units`);
  await w.player.step(-1);
  await w.settle();
  assert.deepEqual(w.faults, []);
});

test("while a person scrubs, the newest time replaces the waiting ones", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 200_000 }]);
  const shown = [];
  const preview = new KeyPreview({ shown: (unit) => shown.push(unit.at), failed() {} });
  for (let at = 110_000; at < 150_000; at += 100) preview.request("a".repeat(32), at);
  await w.settle();
  assert.equal(shown.at(-1), 149_000);
  assert.ok(w.fetched.length <= 3, `${w.fetched.length} requests`);
});

test("a unit that does not start with a key frame is a fault, not an exception", () => {
  const faults = [];
  new UnitDecoder(() => {}, (error) => faults.push(error.message)).decode({ key: true, unit: new Uint8Array([1, 2, 3]) });
  assert.deepEqual(faults, ["the recording does not start with a key frame"]);
});
