// SPDX-License-Identifier: Apache-2.0
// What browser.mjs runs in a browser: each case of the corpus whose device is a hub, and checks of the browser's own WebCrypto and IndexedDB.
import { BrowserClock } from "../../firmware/web/clock.js";
import { AgreementKey, IdentityKey, Verifier, generateAgreement, generateIdentity } from "../../firmware/web/keys.js";
import { OpeningKey, parseHeader } from "../../firmware/web/sframe.js";
import { BrowserStore } from "../../firmware/web/store.js";
import { canRun, runCase } from "../conformance/javascript/runner.mjs";
import { Scene } from "./scene.mjs";
import { sframeSeal } from "./support.mjs";

const FRAMES = 200;

function expect(condition, what) {
  if (!condition) throw new Error(what);
}

const fails = async (call) => {
  try {
    await call();
    return false;
  } catch {
    return true;
  }
};

const json = async (path) => (await fetch(path)).json();

const checks = {
  async "WebCrypto copies what it receives before it returns"() {
    const identity = await IdentityKey.open(await generateIdentity()), verifier = await Verifier.open(identity.point);
    const data = new Uint8Array(1 << 20).fill(3), signing = identity.sign(data);
    data.fill(4);
    const signature = await signing;
    data.fill(3);
    const verifying = verifier.verify(data, signature);
    data.fill(5);
    await verifying;
    expect(await fails(() => verifier.verify(data, signature)), "other data has the same signature");
    const base = new Uint8Array(16), key = await OpeningKey.derive(4, 1n, base), metadata = Uint8Array.of(1, 2, 3);
    const sealed = await sframeSeal(4, base, 1n, 1n << 33n, metadata, new Uint8Array(1 << 20).fill(6)), opening = key.open(sealed, parseHeader(sealed), metadata);
    metadata.fill(0);
    expect(await fails(() => key.open(sealed, parseHeader(sealed), metadata)), "other metadata opens");
    expect((await opening)[1000] === 6, "the plaintext is another one");
  },

  async "private keys are in IndexedDB after a reload, and no script can export them"() {
    const store = await BrowserStore.open("keys"), stored = (await store.load("identity")).get("identity");
    expect(stored !== undefined, "the keys that the first page stored are missing");
    for (const format of ["jwk", "pkcs8", "raw"]) expect(await fails(() => crypto.subtle.exportKey(format, stored.privateKey)), `exported as ${format}`);
    expect(await fails(() => crypto.subtle.wrapKey("jwk", stored.privateKey, stored.privateKey, "AES-GCM")), "wrapped");
    expect(!JSON.stringify(stored.privateKey).includes('"d"'), "the scalar is in JSON");
    const identity = await IdentityKey.open(stored), data = Uint8Array.of(1);
    await (await Verifier.open(stored.point)).verify(data, await identity.sign(data));
    const agreement = (await store.load("identity")).get("hpke");
    expect((await new AgreementKey(agreement).agree(agreement.point)).length === 32, "the HPKE key agrees on nothing");
    store.close();
  },

  async "a hub continues with what it stored in IndexedDB"() {
    const scene = await Scene.open();
    scene.store = await BrowserStore.open(`hub-${crypto.randomUUID()}`);
    await scene.restart();
    const epoch = await scene.begin(), before = scene.requests.at(-1);
    expect(scene.shown.join() === "0 LIVE", `shown ${scene.shown}`);
    await scene.restart();
    await scene.deliver(["grants", await scene.grants(epoch)]);
    await scene.deliver(["video", await scene.frame(epoch, "key", 1, { echoes: [scene.newestChallenge] })]);
    expect(scene.shown.join() === "0 LIVE,1 LIVE", `shown ${scene.shown}`);
    expect(scene.requests.at(-1).seq > before.seq, "the numbers of requests do not grow");
    expect(scene.requests.at(-1).prekey.number === before.prekey.number, "the prekey was not stored");
    await scene.deliver(["grants", await scene.grants(scene.epoch(0))]);
    expect(scene.rejected.closed_epoch === 1, "a smaller epoch counter is not closed");
    await scene.store.save("roster", scene.camera.text, new Uint8Array(5));
    expect(await fails(() => scene.restart()), "a damaged roster is accepted");
    scene.store.close();
  },

  async "the clock does not run backwards, and keeps the time of the page"() {
    const before = performance.now(), clock = new BrowserClock(), begun = performance.now();
    let last = clock.boot;
    while (performance.now() - begun < 1500) {
      const now = clock.boot;
      expect(now >= last, `${now} after ${last}`);
      last = now;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
    const min = performance.now() - begun, boot = clock.boot, max = performance.now() - before;
    expect(boot > min - 100 && boot < max + 100, `${boot} ms instead of ${min} to ${max}`);
  },

  async "frames are verified, opened and judged"() {
    const scene = await Scene.open(), epoch = await scene.begin(), content = new Uint8Array(5000).fill(1);
    const frames = await Promise.all(Array.from({ length: FRAMES }, (_, i) => scene.frame(epoch, "delta", i + 1, { content })));
    const begun = performance.now();
    for (let i = 0; i < FRAMES; i += 50) await scene.deliver(...frames.slice(i, i + 50).map((bytes) => ["video", bytes]));
    measured = `${((performance.now() - begun) / FRAMES).toFixed(2)} ms per frame of 5 kB`;
    expect(scene.shown.length === FRAMES + 1, `${scene.shown.length} shown`);
  },
};

let measured = "";

async function run() {
  const cases = {};
  for (const name of await json("/cases.json")) {
    const loaded = await json(`/tests/conformance/rules/${name}.json`);
    if (canRun(loaded)) cases[name] = await runCase(loaded);
  }
  const done = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      done.push({ name, error: null });
    } catch (error) {
      done.push({ name, error: `${error} ${error?.stack ?? ""}` });
    }
  }
  return { cases, checks: done, agent: `${navigator.userAgent}, ${measured}` };
}

// The first page stores keys, and the second one finds them.
if (!location.search) {
  const store = await BrowserStore.open("keys");
  await store.save("identity", "identity", await generateIdentity());
  await store.save("identity", "hpke", await generateAgreement());
  store.close();
  location.search = "?second";
} else {
  let results;
  try {
    results = await run();
  } catch (error) {
    results = { failure: `${error} ${error?.stack ?? ""}` };
  }
  await fetch("/results", { method: "POST", body: JSON.stringify(results) });
}
