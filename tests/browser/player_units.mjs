// SPDX-License-Identifier: Apache-2.0
// Tests of the player of recordings without a browser: node --test player_units.mjs
import assert from "node:assert/strict";
import test from "node:test";
import { endRecord, join, record } from "./records.mjs";
import { hubPage } from "./served.mjs";

const page = hubPage();
const { UnitDecoder, KeyPreview } = await import(new URL("unit_decoder.js", page));
const { RecordedPlayer } = await import(new URL("recorded_player.js", page));

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

test("a camera that sends no second key frame does not fill the memory", async (t) => {
  const w = playerWorld(t, [{ begin: 100_000, end: 1_000_000 }]);
  let sent = 0;
  globalThis.fetch = async (address, { signal }) => new Response(new ReadableStream({
    pull(stream) {
      if (signal.aborted || sent === 100) return stream.close();
      const unit = new Uint8Array(4 << 20);
      unit.set(sent === 0 ? [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 9] : [0, 0, 0, 1, 0x41, 7]);
      stream.enqueue(record({ at: 100_000 + sent, key: sent++ === 0, unit }));
    },
  }));
  await w.player.seek(100_500);
  await w.settle();
  assert.equal(w.player.held, 0);
  assert.ok(sent > 30 && sent < 40, `${sent} units`);
  assert.deepEqual(w.faults.map((error) => error.message), ["This recording has too much content without a key frame."]);
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
