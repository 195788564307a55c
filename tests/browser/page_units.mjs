// SPDX-License-Identifier: Apache-2.0
// The page's parts that need no browser: node --test page_units.mjs
import assert from "node:assert/strict";
import test from "node:test";

const page = new URL("../../firmware/hub/web/page/", import.meta.url);
const { Stopwatch, Transit } = await import(new URL("age.js", page));
const { readPicture } = await import(new URL("link.js", page));
const { codecOf } = await import(new URL("player.js", page));
const words = await import(new URL("words.js", page));

test("a stopwatch believes the clock that says older", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const watch = new Stopwatch();
  assert.ok(watch.ms < 1000);
  t.mock.timers.setTime(1_000_000 + 7000);  // the machine slept: only the wall clock went on
  assert.ok(watch.ms >= 7000);
  t.mock.timers.setTime(1_000_000 - 7000);  // the wall clock was put back
  assert.ok(watch.ms >= 0 && watch.ms < 1000);
});

test("what lay in a queue is late, whatever the sender's clock says", () => {
  for (const skew of [0, 3e9, -3e9]) {
    const transit = new Transit();
    assert.equal(transit.late(skew + 0, 10), 0);
    assert.equal(transit.late(skew + 33, 43), 0);
    assert.equal(transit.late(skew + 66, 9076), 9000);
    assert.equal(transit.late(skew + 9100, 9110), 0);
  }
});

test("a clock that was put back is forgotten after half a minute", () => {
  const transit = new Transit();
  assert.equal(transit.late(0, 5), 0);
  let late = 0;
  for (let now = 100; now < 40_000; now += 100) late = transit.late(now - 60_000, now + 5);
  assert.equal(late, 0);
});

test("a picture's header is read as the hub wrote it", () => {
  const bytes = Buffer.alloc(73);
  bytes.set([1, 1, 1, 1 | 4]);
  bytes[23] = 7;
  bytes.writeUInt32BE(99, 24);
  bytes.writeBigUInt64BE(1_790_000_000_123_456n, 28);
  bytes.writeUInt32BE(340, 36);
  bytes.writeBigUInt64BE(0x0000000700c0ffeen, 40);
  bytes.writeUInt16BE(1920, 64);
  const picture = readPicture(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 73));
  assert.deepEqual([picture.live, picture.key, picture.still, picture.number, picture.age, picture.width, picture.epoch],
                   [true, true, false, 99, 340, 1920, "0000000700c0ffee"]);
  assert.equal(picture.captured, 1_790_000_000_123.456);
  assert.equal(picture.camera, "a".repeat(31) + "h");
  assert.equal(picture.unit.length, 1);
});

test("what this page does not know is no picture", () => {
  const bytes = new Uint8Array(80);
  for (const [version, type] of [[2, 1], [1, 2], [0, 0]]) {
    bytes.set([version, type]);
    assert.equal(readPicture(bytes.buffer), null);
  }
  bytes.set([1, 1]);
  assert.notEqual(readPicture(bytes.buffer), null);
  assert.equal(readPicture(bytes.buffer.slice(0, 72)), null);
});

test("the codec is read from the sequence parameter set", () => {
  assert.equal(codecOf(new Uint8Array([0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 1, 2, 3])), "avc1.42c028");
  assert.equal(codecOf(new Uint8Array([0, 0, 0, 1, 0x65, 0x42, 0xc0, 0x28, 1, 2, 3])), null);
  assert.equal(codecOf(new Uint8Array([0, 0, 1, 0x67])), null);
});

test("refusals read as sentences, the commonest first", () => {
  assert.deepEqual(words.refusedSentences({ wrong_account: 2310, replayed: 1, malformed: 0 }), [
    "2,310 pictures of another account's camera arrived here and could not be opened.",
    "1 picture that had been here before came again and was not shown.",
  ]);
  assert.deepEqual(words.refusedSentences({ wrong_account: 0, some_new_reason: 3 }), []);
  assert.match(words.refusedControlSentence({ wrong_account: 2, replayed: 1 }), /^3 messages .* \(wrong account: 2, replayed: 1\)\.$/);
  assert.equal(words.refusedControlSentence({ wrong_account: 0 }), "");
});

test("every reason of the hub has its sentence", async () => {
  const { readFile } = await import("node:fs/promises");
  const header = await readFile(new URL("../../firmware/watch/refusal.hpp", import.meta.url), "utf8");
  const reasons = [...header.matchAll(/^ {2}(\w+), +\/\/\/</gm)].map((match) => match[1]);
  assert.equal(reasons.length, 9);
  for (const reason of reasons) assert.equal(words.refusedSentences({ [reason]: 1 }).length, 1, reason);
});

test("every reason of a camera's state has its sentence with what to do, and no other has one", async () => {
  const { readFile } = await import("node:fs/promises");
  const source = await readFile(new URL("../../firmware/watch/camera_state.cpp", import.meta.url), "utf8");
  const reasons = [...source.matchAll(/case Reason::\w+: return "(\w+)";/g)].map((match) => match[1]);
  assert.equal(reasons.length, 9);
  const sentences = reasons.map((reason) => words.reason({ reason, clock_ahead_s: 90, privacy_heard_us: 1_790_000_000_000_000 }));
  assert.equal(new Set(sentences).size, reasons.length);
  for (const sentence of sentences) assert.match(sentence, /^[A-Z].*\.$/, sentence);
  for (const barred of words.BARRED) assert.ok(reasons.includes(barred), barred);
  assert.equal(words.reason({ reason: "some_new_reason" }), "");
  assert.equal(words.reason({ reason: null }), "");
  assert.equal(words.reason(null), "");
});

test("a clock that is off is said with how much, and which way", () => {
  assert.match(words.reason({ reason: "clock", clock_ahead_s: 3 * 3600 }), /3 h ahead of this hub's/);
  assert.match(words.reason({ reason: "clock", clock_ahead_s: -90 }), /90 s behind this hub's/);
  assert.deepEqual([61, 600, 86_400, 10 * 86_400, 56 * 31_557_600].map(words.span), ["61 s", "10 min", "24 h", "10 days", "56 years"]);
});

test("privacy says when the hub heard so, and who can end it", () => {
  const camera = { reason: "privacy", privacy_heard_us: Date.now() * 1000, may_switch_privacy: true };
  assert.match(words.reason(camera), /sensor is closed\. This hub heard so at \d\d:\d\d:\d\d .*You can open it here\.$/);
  assert.match(words.reason({ ...camera, may_switch_privacy: false }), /Its owner can open it\.$/);
});

test("a wish for privacy is said while it is under way and when it failed", () => {
  assert.equal(words.wish({ privacy_wish: null, privacy_failed: null }), "");
  assert.equal(words.wish({ privacy_wish: true, privacy_failed: null }), "Closing the sensor …");
  assert.equal(words.wish({ privacy_wish: false, privacy_failed: null }), "Opening the sensor …");
  assert.match(words.wish({ privacy_wish: null, privacy_failed: true }), /did not close/);
  assert.match(words.wish({ privacy_wish: null, privacy_failed: false }), /did not open/);
  for (const why of ["not_allowed", "no_broker", "no_such_camera"]) assert.match(words.privacyRefused(why), /\.$/);
});

test("badges: LIVE is never replaced by another word", () => {
  assert.equal(words.badge("LIVE", "clock", 100), "LIVE");
  assert.equal(words.badge("LIVE", "roster_conflict", 100), "LIVE");
  assert.equal(words.badge("STALE", null, 7000), "STALE 7 s");
  assert.equal(words.badge("STALE", null, null), "STALE");
  assert.equal(words.badge("OFFLINE", "privacy", null), "PRIVACY");
  assert.equal(words.badge("OFFLINE", "cloned", null), "NOT SHOWN");
  assert.equal(words.badge("OFFLINE", "no_answer", null), "OFFLINE");
});

test("ages", () => {
  assert.deepEqual([0, 5999, 60_000, 3_599_999, 3_600_000, 172_800_000].map(words.age), ["0 s", "5 s", "1 min", "59 min", "1 h", "2 d"]);
});
