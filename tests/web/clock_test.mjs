// SPDX-License-Identifier: Apache-2.0
// clock.js and prekeys.js with clocks that a test moves.
import assert from "node:assert/strict";
import test from "node:test";
import { BrowserClock, LIVE_FOR } from "../../firmware/web/clock.js";
import { AgreementKey, generateAgreement } from "../../firmware/web/keys.js";
import { Prekeys } from "../../firmware/web/prekeys.js";
import { MemoryStore } from "../../firmware/web/store.js";
import { Scene } from "./scene.mjs";

function browser(t) {
  const clocks = { steady: 5e6, wall: 1.79e12 };
  t.mock.method(performance, "now", () => clocks.steady);
  t.mock.method(Date, "now", () => clocks.wall);
  const clock = new BrowserClock();
  const pass = (steady, wall = steady) => {
    clocks.steady += steady;
    clocks.wall += wall;
  };
  return { clock, pass };
}

test("the boot-time clock of a browser keeps the time while both of its clocks run", (t) => {
  const { clock, pass } = browser(t);
  for (let i = 0; i < 1000; ++i) {
    pass(20);
    void clock.boot;
  }
  assert.equal(clock.boot, 20_000);
  pass(60_000);
  assert.equal(clock.boot, 80_000);
});

test("a clock that is read often does not become fast because the wall clock has whole milliseconds", (t) => {
  const { clock, pass } = browser(t);
  for (let i = 0; i < 30_000; ++i) {
    pass(0.7, i % 10 < 7 ? 1 : 0);  // rounded up in seven of ten steps
    void clock.boot;
  }
  assert.ok(clock.boot >= 21_000 && clock.boot < 21_100, `${clock.boot} ms`);
});

test("it is never too slow when the machine sleeps, when a clock is set, and when both happen", (t) => {
  const { clock, pass } = browser(t);
  let last = 0, real = 0;
  for (const [steady, wall, passed] of [[100, 100, 100], [0, 8 * 3_600_000, 8 * 3_600_000], [500, -7200_000, 500], [200, 3600_000, 200], [900, 1800, 900],
                                        [0, 5000, 5000], [5000, 0, 5000], [10, 10, 10]]) {
    pass(steady, wall);
    real += passed;
    const now = clock.boot;
    assert.ok(now >= real && now >= last, `${now} ms, ${real} ms passed`);
    last = now;
  }
});

test("after a jump of one clock no earlier picture is LIVE, and the next echo makes pictures LIVE again", async (t) => {
  for (const [steady, wall] of [[200, 8 * 3_600_000], [200, 1300], [200, -3_600_000], [1400, 200]]) {
    const { clock, pass } = browser(t), scene = await Scene.open();
    scene.clock = clock;
    await scene.restart();
    const epoch = await scene.begin(), camera = scene.hub.cameras.get(scene.camera.text);
    pass(900);
    assert.equal(camera.state, "LIVE");
    pass(steady, wall);
    assert.notEqual(camera.state, "LIVE", `${steady} ${wall}`);
    scene.hub.tick();
    await scene.hub.settled();
    await scene.deliver(["video", await scene.frame(epoch, "delta", 1, { echoes: [scene.newestChallenge] })]);
    assert.equal(camera.state, "LIVE");
    assert.deepEqual(scene.shown, ["0 LIVE", "1 LIVE"]);
    pass(LIVE_FOR + 1);
    assert.equal(camera.state, "STALE");
    t.mock.restoreAll();
  }
});

const DAY = 24 * 3_600_000;

async function prekeys(store = new MemoryStore(), clock = { boot: 1e6, wall: 1.79e12 }) {
  const own = new AgreementKey(await generateAgreement()), faults = [];
  const open = () => Prekeys.open(own, { store, clock, report: (text) => faults.push(text) });
  return { own, store, clock, faults, open, keys: await open() };
}

test("a prekey is stored before it is sent, and a store that fails is tried again each minute", async () => {
  const p = await prekeys();
  assert.equal(p.keys.newest().number, 1n);
  assert.equal((await p.store.load("prekey")).get("1").pair.privateKey.extractable, false);
  const { save } = p.store;
  let tries = 0;
  p.store.save = async () => {
    ++tries;
    throw new Error("the disk is full");
  };
  p.clock.boot += DAY;
  for (let i = 0; i < 20; ++i) {
    await p.keys.tick();
    p.clock.boot += 10_000;
  }
  assert.ok(tries >= 3 && tries <= 5, `${tries} tries`);
  assert.equal(p.keys.newest().number, 1n);
  p.store.save = save;
  p.clock.boot += 60_000;
  await p.keys.tick();
  assert.equal(p.keys.newest().number, 2n);
  assert.equal(p.faults.length, tries);
});

test("prekeys survive a restart, and number 0 is the key in the roster", async () => {
  const p = await prekeys();
  p.clock.wall += DAY;
  await p.keys.tick();
  const again = await p.open();
  assert.equal(again.newest().number, 2n);
  assert.deepEqual(again.newest().point, p.keys.newest().point);
  assert.equal(again.find(0n), p.own);
  assert.ok(again.find(1n) !== null && again.find(3n) === null);
  const point = again.find(1n).point;
  assert.equal((await again.find(1n).agree(point)).length, 32);
});
