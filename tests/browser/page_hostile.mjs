// SPDX-License-Identifier: Apache-2.0
// A camera that sends absurd values, and a fuzzer of the page: node --test page_hostile.mjs. SEALCAM_FUZZ_STEPS: messages of the
// fuzzer, SEALCAM_FUZZ_SEED: start of its random numbers. No message of one camera changes the tile of another camera, no exception escapes, and LIVE
// always has a LIVE picture of at most five seconds.
import assert from "node:assert/strict";
import test from "node:test";
import * as page from "./fake_page.mjs";
import { hubPage } from "./served.mjs";

const texts = await import(new URL("text.js", hubPage()));
const { readPicture, readText } = await import(new URL("link.js", hubPage()));
const { sizeMatches } = await import(new URL("player.js", hubPage()));

const hostile = new Uint8Array(20);
const honest = new Uint8Array(20).fill(255);
const A = "a".repeat(32), B = "7".repeat(32);

const camera = (id, fields = {}) => ({
  id, name: id === A ? "Yard" : "Door", state: "STALE", reason: null, clock_ahead_s: null, proven_until_us: null, hint: null, hint_since_us: null, privacy: false,
  may_switch_privacy: false, requested_privacy: null, privacy_failed: null, rejected: {}, rejected_control: {}, ...fields,
});
const state = (a = {}, b = {}, more = {}) => page.receive(JSON.stringify({
  type: "state", connected: true, rejected: {}, rejected_control: {}, cameras: [camera(A, a), camera(B, b)], ...more }));
const shown = (id) => [page.tile(id).dataset.state, page.part(id, ".badge").textContent, page.part(id, ".name").textContent, page.part(id, ".note").textContent];

test("times, ages and durations of any size have a text", () => {
  assert.throws(() => new Intl.DateTimeFormat("en").format(new Date(9e15)), RangeError);  // control
  for (const ms of [9e15, -9e15, 2 ** 53, -(2 ** 53), 2 ** 63 / 1000, NaN, Infinity, 1e308]) {
    assert.equal(texts.moment(ms), "an impossible time");
    for (const text of [texts.age(ms), texts.span(ms), texts.reason({ reason: "clock", clock_ahead_s: ms }), texts.reason({ reason: "unconfirmed", hint: "privacy", hint_since_us: ms })])
      assert.equal(typeof text, "string");
  }
  assert.notEqual(texts.moment(253_402_300_799_999), "an impossible time");
});

test("a capture time is a signed number of 64 bits", () => {
  assert.equal(readPicture(page.picture(hostile, { captured: -1000n })).captured, -1);
  assert.equal(readPicture(page.picture(hostile, { captured: -(2n ** 63n) })).captured, -(2 ** 63) / 1000);
});

test("reasons and counters with the names of an object's own functions have no text", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    assert.equal(texts.reason({ reason: name }), "");
    assert.equal(texts.badge("OFFLINE", name, null), "OFFLINE");
    assert.deepEqual(texts.rejectedTexts(JSON.parse(`{"${name}": 3}`)), []);
    assert.equal(texts.privacyRejected(name), "This hub no longer has this camera.");
  }
});

test("a state has typed members only, and no camera without an id", () => {
  for (const bad of ["", "{", "null", "[]", "3", '"x"', '{"type":"state"}', '{"type":"state","cameras":{}}', '{"type":"other"}'])
    assert.equal(readText(bad), null);
  const read = readText(JSON.stringify({ type: "state", rejected: { replayed: "7", malformed: 2 }, cameras: [
    null, 7, [], { id: "x" }, { id: A.toUpperCase() }, { id: A, name: { toString: 1 }, clock_ahead_s: "9", requested_privacy: 1, rejected: null }] }));
  assert.deepEqual(read.rejected, { malformed: 2 });
  assert.equal(read.cameras.length, 1);
  assert.deepEqual([read.cameras[0].name, read.cameras[0].clock_ahead_s, read.cameras[0].requested_privacy, read.cameras[0].rejected], ["", null, null, {}]);
});

test("a decoded picture has the size of its header, or whole macroblocks of it", () => {
  assert.ok(sizeMatches({ width: 1920, height: 1080 }, { width: 1920, height: 1080 }));
  assert.ok(sizeMatches({ width: 1920, height: 1088 }, { width: 1920, height: 1080 }));
  for (const rect of [{ width: 1280, height: 720 }, { width: 1920, height: 1072 }, { width: 1936, height: 1080 }])
    assert.ok(!sizeMatches(rect, { width: 1920, height: 1080 }));
});

test("a camera with an impossible time does not keep its neighbor LIVE", () => {
  state();
  page.receive(page.picture(honest));
  page.receive(page.picture(hostile, { captured: 2n ** 63n - 1n }));
  page.advance(200);
  assert.equal(shown(B)[0], "LIVE");  // control
  assert.equal(page.part(A, ".taken").textContent, "an impossible time");
  for (let i = 0; i < 30; ++i) page.advance(200);
  assert.deepEqual(shown(B).slice(0, 2), ["STALE", "STALE 6 s"]);
});

test("privacy is shown as a fact until the hub's proof ends, also if no other state arrives", () => {
  const closed = { state: "OFFLINE", reason: "privacy", privacy: true };
  state({ ...closed, proven_until_us: 1000 * (page.time() + 3000) });
  assert.equal(shown(A)[1], "PRIVACY");
  for (let i = 0; i < 14; ++i) page.advance(200);
  assert.equal(shown(A)[1], "PRIVACY");
  for (let i = 0; i < 2; ++i) page.advance(200);
  assert.equal(shown(A)[1], "OFFLINE");
  assert.match(page.part(A, ".why").textContent, /no new state/);
  state(closed);
  assert.equal(shown(A)[1], "OFFLINE");
  state({ state: "OFFLINE", reason: "unconfirmed", hint: "privacy", hint_since_us: 1e15 });
  assert.equal(shown(A)[1], "OFFLINE");
  assert.match(page.part(A, ".why").textContent, /received a message that the camera's sensor is closed\. This is not confirmed/);
  state();
});

test("a tile with a fault shows FAULT and no picture, and the others continue", () => {
  state();
  for (const id of [hostile, honest]) page.receive(page.picture(id));
  page.advance(200);
  assert.deepEqual([shown(A)[0], shown(B)[0]], ["LIVE", "LIVE"]);  // control
  const note = page.part(A, ".note");
  Object.defineProperty(note, "textContent", { get: () => "", set: (text) => { if (text) throw new RangeError("fault"); }, configurable: true });
  assert.throws(() => { note.textContent = "x"; });  // control
  state({ reason: "roster_conflict" });
  Object.defineProperty(note, "textContent", { value: "", writable: true, configurable: true });
  assert.deepEqual(shown(A).slice(0, 3), ["FAULT", "FAULT", "Camera aaaaaa"]);
  assert.equal(page.tile(A).dataset.pictures, "none");
  for (let i = 0; i < 28; ++i) page.advance(200);
  assert.deepEqual([shown(A)[0], shown(B)[0]], ["FAULT", "STALE"]);
  state();  // the next state is valid: the fault ends, but an earlier picture does not return
  assert.equal(shown(A)[0], "OFFLINE");
  page.receive(page.picture(hostile));
  page.advance(200);
  assert.equal(shown(A)[0], "LIVE");
});

test("a picture that contradicts its header, or does not decode, is not shown", () => {
  for (let i = 0; i < 40; ++i) page.advance(200);
  state();
  const before = page.part(A, "canvas").dataset.number;
  const wrong = [{ width: 1280, height: 720, content: page.unit(320, 240) }, { width: 0, height: 0, content: page.unit(0, 0) }, { width: 65535, height: 65535, content: page.unit(65535, 65535) },
                 ...[1, 2, 3].map((mode) => ({ content: page.unit(320, 240, mode) })), { content: page.unit(320, 240, 0, 0xff) }];
  for (const fields of wrong) {
    page.receive(page.picture(hostile, { number: 99, ...fields }));
    page.receive(page.picture(honest));
    page.advance(200);
    assert.equal(page.part(A, "canvas").dataset.number, before);
    assert.notEqual(shown(A)[0], "LIVE");
    assert.match(shown(A)[3], /cannot decode/);
    assert.deepEqual(shown(B).slice(0, 2), ["LIVE", "LIVE"]);
  }
  page.receive(page.picture(hostile, { number: 100, content: page.unit(320, 240, 4) }));  // control, with an impossible aspect ratio
  page.advance(200);
  assert.deepEqual([shown(A)[0], page.part(A, "canvas").width], ["LIVE", 320]);
});

// ---- fuzzer ----

// xorshift32
function randomFrom(seed) {
  let x = seed >>> 0 || 1;
  const next = () => { x ^= x << 13; x >>>= 0; x ^= x >>> 17; x ^= x << 5; return (x >>>= 0); };
  return { below: (n) => next() % n, pick: (list) => list[next() % list.length], bytes: (n) => Uint8Array.from({ length: n }, () => next() & 255), big: () => (BigInt(next()) << 32n) | BigInt(next()) };
}

const odd = [null, true, false, 0, -0, 1, -1, 5000, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 2 ** 63, 1e308, -1e308, "", "LIVE", "cloned", "clock", "privacy",
             "__proto__", "constructor", "\u202eevil", "a".repeat(5000), "\u0000\u001b[2J", "<b>", [], [[]], {}, { toString: null }, { __proto__: null }];
const fields = Object.keys(camera(A)).filter((name) => name !== "id");

function hostileState(random) {
  const a = {};
  for (const name of fields) if (random.below(2)) a[name] = random.pick(odd);
  if (random.below(8) === 0) a.rejected = { replayed: random.pick(odd), constructor: random.pick(odd) };
  const more = random.below(6) === 0 ? { rejected: random.pick(odd), rejected_control: random.pick(odd), connected: random.pick(odd) } : {};
  state(a, {}, more);
}

// Returns whether the picture may make its tile LIVE.
function hostilePicture(random) {
  const live = random.below(2) === 1, flags = random.below(16), mode = random.below(6);
  const size = random.pick([[320, 240], [320, 240], [0, 0], [65535, 65535], [4096, 2304], [1, 4096]]);
  const content = random.below(4) ? page.unit(...random.pick([size, size, [640, 480]]), mode, random.pick([0x28, 0x28, 0xff])) : random.bytes(random.below(60));
  const age = random.pick([0, 40, 4999, 5001, 0xffffffff]);
  page.receive(page.picture(hostile, { live, flags, captured: random.pick([0n, random.big(), 2n ** 63n - 1n]), age, width: size[0], height: size[1], content, number: random.below(2 ** 31) }));
  return live && (flags & 4) !== 0 && age <= 5000;
}

function garbage(random) {
  const bytes = random.bytes(random.below(200));
  if (random.below(2)) bytes.set([1, 1].slice(0, bytes.length));
  return page.receive(random.below(2) ? bytes.buffer : random.pick([String.fromCharCode(...bytes), '{"type":"state","cameras":null}', '{"type":"pong","ping":1e9,"boot_us":null}',
    JSON.stringify({ type: "privacy_rejected", camera: A, why: random.pick(odd) }), JSON.stringify({ type: "privacy_rejected", camera: random.pick(odd) })]));
}

test("fuzzer: no message of a camera changes the tile of another one", () => {
  const seed = Number(process.env.SEALCAM_FUZZ_SEED ?? 1);
  const random = randomFrom(seed);
  const steps = Number(process.env.SEALCAM_FUZZ_STEPS ?? 2000);
  let honestAt = -Infinity, hostileLiveAt = -Infinity;
  const seen = { A: new Set(), B: new Set() };
  for (let i = 0; i < 40; ++i) page.advance(200);
  state();
  for (let step = 0; step < steps; ++step) {
    const where = `seed ${seed}, step ${step}`;
    if (random.below(20) === 0) {
      page.receive(page.picture(honest));
      honestAt = page.time() - 40;
    }
    [hostileState, (r) => { if (hostilePicture(r)) hostileLiveAt = page.time(); }, garbage][random.below(3)](random);
    page.advance(random.below(300));
    const age = page.time() - honestAt;
    const expected = age <= 5000 ? "LIVE" : "STALE";
    const badge = expected === "LIVE" ? "LIVE" : `STALE ${texts.age(age)}`;
    const [stateB, badgeB, nameB, noteB] = shown(B);
    if (honestAt > 0) assert.deepEqual([stateB, badgeB, nameB, noteB], [expected, badge, "Door", ""], where);
    const stateA = shown(A)[0];
    assert.ok(["LIVE", "STALE", "OFFLINE", "FAULT"].includes(stateA), where);
    assert.ok(stateA !== "LIVE" || page.time() - hostileLiveAt <= 5000, `${where}: LIVE without a picture`);
    seen.A.add(stateA);
    seen.B.add(stateB);
  }
  for (const state of ["LIVE", "STALE", "OFFLINE"]) assert.ok(seen.A.has(state), `the hostile camera was never ${state}`);
  for (const state of ["LIVE", "STALE"]) assert.ok(seen.B.has(state), `the honest camera was never ${state}`);
});
