// SPDX-License-Identifier: Apache-2.0
// The hub of firmware/web: what the corpus cannot show, such as order under load, limits of memory, and faults of the page itself.
import assert from "node:assert/strict";
import test from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { concat, fromHex } from "../../firmware/web/bytes.js";
import { Scene } from "./scene.mjs";

// crypto.subtle.verify with a delay that a test chooses for each call.
function delayVerify(t, delay) {
  const { verify } = crypto.subtle;
  let call = 0, running = 0;
  const seen = { parallel: 0, ended: [] };
  t.mock.method(crypto.subtle, "verify", async (...all) => {
    const number = call++, result = verify.apply(crypto.subtle, all);
    seen.parallel = Math.max(seen.parallel, ++running);
    await new Promise((resolve) => { setTimeout(resolve, delay(number)); });
    --running;
    seen.ended.push(number);
    return result;
  });
  return seen;
}

const video = async (scene, epoch, count, first = 1) =>
  Promise.all(Array.from({ length: count }, (_, i) => scene.frame(epoch, "delta", first + i).then((bytes) => ["video", bytes])));

test("frames are verified in parallel and shown in the order of their arrival", async (t) => {
  const scene = await Scene.open(), epoch = await scene.begin(), frames = await video(scene, epoch, 20);
  const seen = delayVerify(t, (call) => 40 - 2 * call);  // a later frame is ready earlier
  await scene.deliver(...frames);
  assert.deepEqual(scene.shown, Array.from({ length: 21 }, (_, i) => `${i} LIVE`));
  assert.ok(seen.parallel >= 10, `${seen.parallel} at once`);
  assert.notDeepEqual(seen.ended, [...seen.ended].sort((a, b) => a - b), "control: the signatures were verified in another order");
  assert.deepEqual(scene.rejected, {});
});

test("a roster that removes the hub applies to frames that arrived after it and are already verified", async (t) => {
  const scene = await Scene.open(), epoch = await scene.begin(), removed = await scene.roster(2, { hubs: [] });
  const frames = await video(scene, epoch, 3);
  await scene.deliver(frames.shift());  // control: a frame before the roster is shown
  const seen = delayVerify(t, (call) => (call === 2 ? 50 : 0));  // the frames are verified first, and the roster takes 50 ms
  await scene.deliver(["roster", removed], ...frames);
  assert.deepEqual(seen.ended, [0, 1, 2]);
  assert.deepEqual(scene.shown, ["0 LIVE", "1 LIVE"]);
  assert.deepEqual(scene.rejected, { not_member: 2 });
  assert.equal(scene.hub.cameras.get(scene.camera.text).rejected.get("not_member"), 2);
  assert.equal(scene.hub.cameras.get(scene.camera.text).reason, "removed");
});

test("a frame that was verified with the key of a candidate is checked again if that candidate left", async () => {
  const scene = await Scene.open();
  await scene.deliver(["roster", await scene.roster(1)]);
  const first = scene.epoch(1), frame = await scene.frame(first, "key", 0);
  await scene.deliver(["grants", await scene.grants(first)], ["grants", await scene.grants(scene.epoch(2))]);
  await scene.deliver(["grants", await scene.grants(scene.epoch(3))], ["video", frame]);
  await scene.pass(1001);
  assert.deepEqual(scene.rejected, { not_decryptable: 1 });
});

test("a flood of frames of one camera has bounded memory, and drops whole groups", async (t) => {
  const scene = await Scene.open(), epoch = await scene.begin();
  delayVerify(t, () => 5);
  const frames = await video(scene, epoch, 100);
  const key = ["video", await scene.frame(epoch, "key", 101)], next = ["video", await scene.frame(epoch, "delta", 102)];
  for (const [leaf, bytes] of frames) scene.hub.receive(scene.topic(leaf), bytes);
  await scene.hub.settled();
  assert.equal(scene.hub.dropped, 36);       // 64 of 100 fit
  await scene.deliver(["video", await scene.frame(epoch, "delta", 200, { depends: 64 })]);
  assert.equal(scene.hub.dropped, 37);       // it depends on what was dropped
  await scene.deliver(key, next);
  assert.deepEqual(scene.shown.slice(-2), ["101 LIVE", "102 LIVE"]);
  assert.deepEqual(scene.rejected, {});
});

test("large frames of one camera use at most 4 MiB of the queue, and another camera is not affected", async () => {
  const scene = await Scene.open(), epoch = await scene.begin();
  const large = await scene.frame(epoch, "key", 1, { content: new Uint8Array(1 << 20).subarray(0, (1 << 20) - 100) });
  for (let i = 0; i < 10; ++i) scene.hub.receive(scene.topic("video"), large);
  assert.equal(scene.hub.dropped, 7);
  scene.hub.receive(scene.topic("video", scene.other), large);
  assert.equal(scene.hub.dropped, 7);
  await scene.hub.settled();
  assert.deepEqual(scene.rejected, { replayed: 2, not_member: 1 });
});

test("a sink that throws is reported, and later pictures are shown", async () => {
  const scene = await Scene.open(), epoch = await scene.begin(), { picture } = scene;
  scene.picture = () => { throw new Error("the canvas is gone"); };
  await scene.deliver(["video", await scene.frame(epoch, "delta", 1)]);
  scene.picture = picture;
  await scene.deliver(["video", await scene.frame(epoch, "delta", 2)]);
  assert.deepEqual(scene.shown, ["0 LIVE", "2 LIVE"]);
  assert.match(scene.reports[0], /the canvas is gone/);
});

test("a fault while frames are checked is reported, and does not stop the hub", async () => {
  const scene = await Scene.open();
  scene.checkPicture = (kind, header) => {
    if (header.number === 1) throw new TypeError("a fault of the program");
    return true;
  };
  await scene.restart();
  const epoch = await scene.begin();
  await scene.deliver(...await video(scene, epoch, 1), ["video", await scene.frame(epoch, "key", 2)], ["video", await scene.frame(epoch, "delta", 3)]);
  assert.deepEqual(scene.shown, ["0 LIVE", "2 LIVE", "3 LIVE"]);
  assert.match(scene.reports.join(), /a fault of the program/);
});

test("frames of cameras without a roster use memory of their own, so that rosters still arrive", async () => {
  const scene = await Scene.open(), large = new Uint8Array(1 << 20);
  for (let i = 0; i < 200; ++i) scene.hub.receive(scene.topic("video", scene.other), large);
  scene.hub.receive(scene.topic("roster"), await scene.roster(1));
  assert.equal(scene.hub.dropped, 196);
  await scene.hub.settled();
  assert.equal(scene.hub.cameras.get(scene.camera.text).membership.version, 1n);
  assert.deepEqual(scene.rejected, { not_member: 4 });
});

test("the memory of a hub does not grow with the number of frames", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc"), content = new Uint8Array(4000);
  const scene = await Scene.open(), epoch = await scene.begin(), { picture } = scene;
  let counter = 1;
  // The least of several values, because buffers are freed after the collection.
  const used = async () => {
    let least = Infinity;
    for (let i = 0; i < 8; ++i) {
      gc();
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      const { heapUsed, external } = process.memoryUsage();
      least = Math.min(least, heapUsed + external);
    }
    return least;
  };
  const stream = async (count) => {
    for (let left = count; left > 0; left -= 50) {
      const frames = await Promise.all(Array.from({ length: 50 }, () => scene.frame(epoch, "delta", counter++, { content })));
      await scene.deliver(...frames.map((bytes) => ["video", bytes]));
    }
  };
  scene.picture = () => {};
  await stream(200);
  const before = await used();
  await stream(1000);
  const after = await used();
  assert.ok(after - before < 1 << 20, `${after - before} bytes more`);
  scene.picture = picture;  // control: this one keeps all pictures
  await stream(1000);
  const kept = await used() - after;
  assert.ok(kept > 3 << 20, `${kept} bytes more`);
  assert.equal(scene.shown.length, 1001);
});

test("requests are sent in the order of their numbers, and these grow over restarts", async (t) => {
  const scene = await Scene.open(), { sign } = crypto.subtle;
  let call = 0;
  t.mock.method(crypto.subtle, "sign", async (...all) => {
    const result = await sign.apply(crypto.subtle, all);
    await new Promise((resolve) => { setTimeout(resolve, 20 - call++); });
    return result;
  });
  await scene.begin();
  for (let i = 0; i < 5; ++i) await scene.pass(1000);
  await scene.restart();
  await scene.deliver(["grants", await scene.grants(scene.epoch(2))]);
  const numbers = scene.requests.map(({ seq }) => seq);
  assert.ok(numbers.length >= 7);
  assert.ok(numbers.every((seq, i) => i === 0 || seq > numbers[i - 1]));
  assert.ok(scene.requests.every(({ bytes }) => bytes.length <= 512));
});

test("a hub whose store fails sends no request and applies no roster", async () => {
  const scene = await Scene.open();
  scene.store.save = async () => { throw new Error("the disk is full"); };
  await scene.deliver(["roster", await scene.roster(1)]);
  assert.equal(scene.hub.cameras.size, 0);
  delete scene.store.save;
  await scene.deliver(["roster", await scene.roster(1)]);
  scene.store.save = async (kind) => { if (kind === "request") throw new Error("the disk is full"); };
  await scene.deliver(["grants", await scene.grants(scene.epoch(1))]);
  assert.deepEqual(scene.requests, []);
  assert.equal(scene.reports.length, 2);
});

test("pictures of several groups keep their content and their order, with both cipher suites", async () => {
  const scene = await Scene.open();
  await scene.deliver(["roster", await scene.roster(1)]);
  const epoch = scene.epoch(1, 5);
  await scene.deliver(["grants", await scene.grants(epoch)]);
  const contents = Array.from({ length: 8 }, (_, i) => concat(Uint8Array.of(i), new Uint8Array(1000 * i).fill(i)));
  const frames = await Promise.all(contents.map((content, i) => scene.frame(epoch, i % 4 === 0 ? "key" : "delta", i, { content })));
  await scene.deliver(...frames.map((bytes) => ["video", bytes]));
  assert.deepEqual(scene.pictures.map(({ content }) => content), contents);
});

test("a picture that is not the one in its header is malformed, and no later rule sees it", async () => {
  const scene = await Scene.open();
  scene.checkPicture = undefined;
  await scene.restart();
  await scene.deliver(["roster", await scene.roster(1)]);
  const epoch = scene.epoch(1), delta = fromHex("00000001419a24"), echoes = () => [scene.newestChallenge];
  await scene.deliver(["grants", await scene.grants(epoch)]);
  await scene.deliver(["video", await scene.frame(epoch, "key", 0, { content: delta, echoes: echoes() })]);
  assert.deepEqual(scene.rejected, { malformed: 1 });
  assert.equal(scene.hub.cameras.get(scene.camera.text).currentEpoch, null);  // its echo does not count
  await scene.deliver(["video", await scene.frame(epoch, "delta", 1, { depends: 0, content: delta, echoes: echoes() })]);
  assert.equal(scene.hub.cameras.get(scene.camera.text).currentEpoch, epoch.number);
  assert.deepEqual(scene.notShownReasons, ["wait_for_key"]);
});

test("a removed hub deletes the keys of the camera: a frame from before does not open afterwards", async () => {
  const scene = await Scene.open(), epoch = await scene.begin();
  await scene.deliver(["roster", await scene.roster(2, { hubs: [] })], ["roster", await scene.roster(3)]);
  await scene.deliver(["video", await scene.frame(epoch, "delta", 1)]);
  await scene.pass(1001);
  assert.deepEqual(scene.rejected, { not_decryptable: 1 });
  assert.equal(scene.hub.cameras.get(scene.camera.text).newest, null);
});
