// SPDX-License-Identifier: Apache-2.0
// Tests of the page's modules without a browser: node --test page_units.mjs
import assert from "node:assert/strict";
import test from "node:test";
import { hubPage } from "./served.mjs";

const page = hubPage();
const { HubClock } = await import(new URL("age.js", page));
const { Stopwatch } = await import(new URL("clock.js", page));
const { readPicture, readText } = await import(new URL("link.js", page));
const { codecOf } = await import(new URL("player.js", page));
const texts = await import(new URL("text.js", page));

test("CMake embeds each file of the page", async () => {
  const { readFile, readdir } = await import("node:fs/promises");
  const list = await readFile(new URL("../../firmware/hub/web/CMakeLists.txt", import.meta.url), "utf8");
  const embedded = ["page", "shared"].flatMap((name) => list.match(new RegExp(`set\\(${name}([^)]*)\\)`))[1].trim().split(/\s+/));
  assert.deepEqual([...embedded, "bytes.js", "clock.js"].sort(), (await readdir(page)).sort());
});

test("a stopwatch uses the clock with the higher age", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const watch = new Stopwatch();
  assert.ok(watch.ms < 1000);
  t.mock.timers.setTime(1_000_000 + 7000);  // the machine slept: only the wall clock advanced
  assert.ok(watch.ms >= 7000);
  t.mock.timers.setTime(1_000_000 - 7000);  // the wall clock was set back
  assert.ok(watch.ms >= 0 && watch.ms < 1000);
});

// The page's two clocks and the hub's clock, which count true time. Each moves independently.
function world(t) {
  const clocks = { steady: 5e6, wall: 1.79e12, hub: 9e7 };
  t.mock.method(performance, "now", () => clocks.steady);
  t.mock.method(Date, "now", () => clocks.wall);
  return {
    clocks,
    passes(ms) { clocks.steady += ms; clocks.wall += ms; clocks.hub += ms; },
    sleeps(ms) { clocks.wall += ms; clocks.hub += ms; },
    // A ping and its answer, with the time that each way takes.
    roundTrip(clock, there = 2, back = 3) {
      const number = clock.ping();
      this.passes(there);
      const boot = clocks.hub;
      this.passes(back);
      clock.pong(number, boot);
    },
  };
}

test("a picture has no age before the hub's first answer", (t) => {
  const w = world(t), clock = new HubClock();
  assert.equal(clock.age(100, w.clocks.hub), null);
  assert.ok(clock.due);
  const number = clock.ping();
  w.passes(50);
  assert.equal(clock.age(100, w.clocks.hub), null);
  clock.pong(number + 1, w.clocks.hub);  // an answer to no ping
  assert.equal(clock.age(100, w.clocks.hub), null);
  clock.pong(number, w.clocks.hub);
  assert.equal(clock.age(100, w.clocks.hub), 150);  // 50 ms too high, because the answer's way is unknown
  assert.equal(clock.age(null, w.clocks.hub), null);
});

test("the age is never lower than the true one, whatever waits, and higher by at most the time of one ping", (t) => {
  const w = world(t), clock = new HubClock();
  w.roundTrip(clock);
  for (const wait of [0, 3, 900, 4900, 60_000]) {
    const sent = w.clocks.hub;
    w.passes(wait);
    const age = clock.age(340, sent);
    assert.ok(age >= 340 + wait && age <= 340 + wait + 5, `${age} after ${wait}`);
    if (wait > 900) w.roundTrip(clock);
  }
});

test("a picture that the hub sent before the machine slept has its true age afterwards", (t) => {
  const w = world(t), clock = new HubClock();
  w.roundTrip(clock);
  const sent = w.clocks.hub;
  w.sleeps(30_000);
  assert.equal(clock.age(10, sent), null);  // the clocks differ: nothing is LIVE until the hub answers again
  assert.ok(clock.due);
  w.roundTrip(clock);
  assert.ok(clock.age(10, sent) >= 30_010);
  assert.ok(clock.age(10, w.clocks.hub) <= 15);
});

test("an answer from before the sleep that arrives afterwards does not make an old picture new", (t) => {
  const w = world(t), clock = new HubClock();
  const number = clock.ping();
  const sent = w.clocks.hub;
  w.sleeps(30_000);
  clock.pong(number, sent);
  const age = clock.age(10, sent);
  assert.ok(age === null || age >= 30_010, `${age}`);
});

test("a step of one clock of the page ends LIVE until the hub answers, and never lowers an age", (t) => {
  for (const which of ["steady", "wall"]) {
    for (const by of [-3.6e6, -60_000, -1001, 1001, 60_000, 3.6e6]) {
      const w = world(t), clock = new HubClock();
      w.roundTrip(clock);
      const sent = w.clocks.hub;
      w.passes(500);
      w.clocks[which] += by;
      assert.equal(clock.age(10, sent), null, `${which} ${by}`);
      w.roundTrip(clock);
      const age = clock.age(10, sent);
      assert.ok(age >= 510 && age <= 520, `${which} ${by}: ${age}`);
      t.mock.restoreAll();
    }
  }
});

test("a small step of one clock never lowers an age", (t) => {
  for (const which of ["steady", "wall"]) {
    for (const by of [-999, 999]) {
      const w = world(t), clock = new HubClock();
      w.roundTrip(clock);
      const sent = w.clocks.hub;
      w.passes(500);
      w.clocks[which] += by;
      assert.ok(clock.age(10, sent) >= 510, `${which} ${by}`);
      t.mock.restoreAll();
    }
  }
});

// Neither clock of the page shows this sleep. The next answer of the hub does.
test("a wall clock that is set back by the length of the sleep is corrected by the next answer", (t) => {
  const w = world(t), clock = new HubClock();
  w.roundTrip(clock);
  const sent = w.clocks.hub;
  w.sleeps(30_000);
  w.clocks.wall -= 30_000;
  assert.ok(clock.age(10, sent) < 1000, "control: the page cannot see it");
  w.passes(1000);
  assert.ok(clock.due);
  w.roundTrip(clock);
  assert.ok(clock.age(10, sent) >= 31_010);
});

test("pings are due each second, and at once without an answer", (t) => {
  const w = world(t), clock = new HubClock();
  w.roundTrip(clock);
  w.passes(900);
  assert.ok(!clock.due);
  w.passes(100);
  assert.ok(clock.due);
  for (let i = 0; i < 1000; ++i) clock.ping();  // without an answer, only the newest ones stay
  const before = clock.now;
  clock.pong(3, w.clocks.hub + 60_000);  // an answer to a forgotten ping
  assert.equal(clock.now, before);
});

test("the header of a picture is read at the documented offsets", () => {
  const bytes = Buffer.alloc(81);
  bytes.set([1, 1, 1, 1 | 4]);
  bytes[23] = 7;
  bytes.writeUInt32BE(99, 24);
  bytes.writeBigUInt64BE(1_790_000_000_123_456n, 28);
  bytes.writeUInt32BE(340, 36);
  bytes.writeBigUInt64BE(0x0000000700c0ffeen, 40);
  bytes.writeUInt16BE(1920, 64);
  bytes.writeBigUInt64BE(86_400_000_500n, 72);
  const picture = readPicture(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 81));
  assert.deepEqual([picture.live, picture.key, picture.still, picture.number, picture.age, picture.width, picture.epoch],
                   [true, true, false, 99, 340, 1920, "0000000700c0ffee"]);
  assert.equal(picture.sent, 86_400_000.5);
  assert.equal(picture.captured, 1_790_000_000_123.456);
  assert.equal(picture.camera, "a".repeat(31) + "h");
  assert.equal(picture.unit.length, 1);
});

test("messages with an unknown version or type are ignored", () => {
  const bytes = new Uint8Array(88);
  for (const [version, type] of [[2, 1], [1, 2], [0, 0]]) {
    bytes.set([version, type]);
    assert.equal(readPicture(bytes.buffer), null);
  }
  bytes.set([1, 1]);
  assert.notEqual(readPicture(bytes.buffer), null);
  assert.equal(readPicture(bytes.buffer.slice(0, 80)), null);
});

test("the codec is read from the sequence parameter set", () => {
  assert.equal(codecOf(new Uint8Array([0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 1, 2, 3])), "avc1.42c028");
  assert.equal(codecOf(new Uint8Array([0, 0, 0, 1, 0x65, 0x42, 0xc0, 0x28, 1, 2, 3])), null);
  assert.equal(codecOf(new Uint8Array([0, 0, 1, 0x67])), null);
});

test("rejections have one text per reason, the most frequent first", () => {
  assert.deepEqual(texts.rejectedTexts({ wrong_account: 2310, replayed: 1, malformed: 0 }), [
    "2,310 pictures were rejected: they are from cameras of another account.",
    "1 picture was rejected: this hub received it before.",
  ]);
  assert.deepEqual(texts.rejectedTexts({ wrong_account: 0, some_new_reason: 3 }), []);
  assert.match(texts.rejectedControlText({ wrong_account: 2, replayed: 1 }), /^3 messages .* \(wrong account: 2, replayed: 1\)\.$/);
  assert.equal(texts.rejectedControlText({ wrong_account: 0 }), "");
});

test("every reject reason of the hub has a text", async () => {
  const { readFile } = await import("node:fs/promises");
  const header = await readFile(new URL("../../firmware/protocol/envelope.hpp", import.meta.url), "utf8");
  const list = header.match(/hub_reject_reasons\{([^}]*)\}/)[1];
  const reasons = [...list.matchAll(/RejectReason::(\w+)/g)].map((match) => match[1]);
  assert.equal(reasons.length, 9);
  for (const reason of reasons) assert.equal(texts.rejectedTexts({ [reason]: 1 }).length, 1, reason);
});

test("every reason of a camera's state has its own text, and unknown reasons have none", async () => {
  const { readFile } = await import("node:fs/promises");
  const source = await readFile(new URL("../../firmware/watch/picture_sink.cpp", import.meta.url), "utf8");
  const reasons = [...source.matchAll(/case Reason::\w+: return "(\w+)";/g)].map((match) => match[1]);
  assert.equal(reasons.length, 15);
  const all = reasons.map((reason) => texts.reason({ reason, clock_ahead_s: 90, hint: "privacy", hint_since_us: 1_790_000_000_000_000 }));
  assert.equal(new Set(all).size, reasons.length);
  for (const text of all) assert.match(text, /^[A-Z].*\.$/, text);
  for (const blocked of texts.BLOCKED) assert.ok(reasons.includes(blocked), blocked);
  assert.equal(texts.reason({ reason: "some_new_reason" }), "");
  assert.equal(texts.reason({ reason: null }), "");
  assert.equal(texts.reason(null), "");
});

test("the text about a clock has the difference and its direction", () => {
  assert.match(texts.reason({ reason: "clock", clock_ahead_s: 3 * 3600 }), /3 h ahead of this hub's/);
  assert.match(texts.reason({ reason: "clock", clock_ahead_s: -90 }), /90 s behind this hub's/);
  assert.deepEqual([61, 600, 86_400, 10 * 86_400, 56 * 31_557_600].map(texts.span), ["61 s", "10 min", "24 h", "10 days", "56 years"]);
});

test("the text about privacy names the proof, and who can open the sensor", () => {
  const camera = { reason: "privacy", may_switch_privacy: true };
  assert.match(texts.reason(camera), /sensor is closed\. The camera proved this .*You can open the sensor here\.$/);
  assert.match(texts.reason({ ...camera, may_switch_privacy: false }), /The camera's owner can open the sensor\.$/);
});

test("the text about an unconfirmed status has its time of receipt and its content", () => {
  for (const reason of texts.PROVEN) {
    const text = texts.reason({ reason: "unconfirmed", hint: reason, hint_since_us: Date.now() * 1000 });
    assert.match(text, /^At \d\d:\d\d:\d\d .*this hub received a message that the camera.*This is not confirmed: .*the message may be an old one\.$/);
  }
  assert.match(texts.reason({ reason: "unconfirmed", hint: "new", hint_since_us: 0 }), /the camera sends no pictures\. This is not confirmed/);
});

test("the list of who may watch has this hub first, and only entries with an id", () => {
  const [own, other] = ["q".repeat(32), "b".repeat(32)];
  const read = readText(JSON.stringify({ type: "state", hub: own, cameras: [{ id: "a".repeat(32), members_changed_us: 1_790_000_000_000_000, members: [
    { hub: other, integration: "0123456789abcdef", suspended: true, may_switch_privacy: false }, { hub: own, integration: null, suspended: false, may_switch_privacy: true },
    null, 7, {}, { hub: "x" }, { hub: 5 }] }] }));
  const [camera] = read.cameras;
  assert.equal(texts.members(camera), "2 may watch");
  assert.match(texts.membersSince(camera), /^2 hubs and phones \(1 integration, 1 suspended\) may watch, since .*\.$/);
  assert.deepEqual(texts.memberRows(camera, read.hub), [
    { title: "This hub", detail: `${own} · sees the pictures · may switch privacy` }, { title: other, detail: "suspended · integration 0123456789abcdef" }]);
  for (const members of [undefined, null, {}, "x", []]) assert.equal(texts.members(readText(JSON.stringify({ type: "state", cameras: [{ id: other, members }] })).cameras[0]), "");
});

test("the page shows version and updates of a camera, and nothing without a report", () => {
  const shown = (software) => texts.software(readText(JSON.stringify({ type: "state", cameras: [{ id: "a".repeat(32), software }] })).cameras[0]);
  assert.equal(shown({ version: "0.1.0", update: { text: "update 0.2.0 is offered" } }), "The camera has version 0.1.0: update 0.2.0 is offered.");
  assert.equal(shown({ version: "0.1.0", update: null }), "The camera has version 0.1.0.");
  for (const software of [undefined, null, 7, {}, [], { version: 7 }, { version: "" }]) assert.equal(shown(software), "");
  assert.equal(shown({ version: "0.1.0", update: { text: {} } }), "The camera has version 0.1.0.");
});

test("a file with a picture has a simple name and the time", () => {
  const at = new Date(2026, 10, 30, 7, 5, 9).getTime();
  assert.equal(texts.fileName("Front door / ../x", at, "jpg"), "Front-door-x 2026-11-30 07.05.09.jpg");
  assert.equal(texts.fileName("..", 9e15, "jpg"), "camera.jpg");
});

test("the texts name the phone where a phone shows the pictures", () => {
  const all = () => [texts.reason({ reason: "removed" }), texts.reason({ reason: "clock", clock_ahead_s: 90 }), texts.privacyRejected("not_allowed"), texts.privacyRejected("no_broker"),
                     texts.privacyRejected("no_such_camera"), ...texts.rejectedTexts({ not_member: 2, replayed: 1, out_of_order: 3 })];
  const before = all();
  texts.setDevice("phone");
  const after = all();
  texts.setDevice("hub");
  before.forEach((text, i) => assert.equal(after[i], text.replace(/\bhub\b/g, "phone")));
  assert.notDeepEqual(after, before);
});

test("a privacy request has a text while it is pending and after it failed", () => {
  assert.equal(texts.privacyProgress({ requested_privacy: null, privacy_failed: null }), "");
  assert.equal(texts.privacyProgress({ requested_privacy: true, privacy_failed: null }), "Closing the sensor …");
  assert.equal(texts.privacyProgress({ requested_privacy: false, privacy_failed: null }), "Opening the sensor …");
  assert.match(texts.privacyProgress({ requested_privacy: null, privacy_failed: true }), /did not close/);
  assert.match(texts.privacyProgress({ requested_privacy: null, privacy_failed: false }), /did not open/);
  for (const why of ["not_allowed", "no_broker", "no_such_camera"]) assert.match(texts.privacyRejected(why), /\.$/);
});

test("the badge LIVE is never replaced", () => {
  assert.equal(texts.badge("LIVE", "clock", 100), "LIVE");
  assert.equal(texts.badge("LIVE", "roster_conflict", 100), "LIVE");
  assert.equal(texts.badge("STALE", null, 7000), "STALE 7 s");
  assert.equal(texts.badge("STALE", null, null), "STALE");
  assert.equal(texts.badge("OFFLINE", "privacy", null), "PRIVACY");
  assert.equal(texts.badge("OFFLINE", "cloned", null), "NOT SHOWN");
  assert.equal(texts.badge("OFFLINE", "no_answer", null), "OFFLINE");
});

test("ages are rounded down", () => {
  assert.deepEqual([0, 5999, 60_000, 3_599_999, 3_600_000, 172_800_000].map(texts.age), ["0 s", "5 s", "1 min", "59 min", "1 h", "2 d"]);
});
