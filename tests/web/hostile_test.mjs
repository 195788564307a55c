// SPDX-License-Identifier: Apache-2.0
// Random bytes, changed messages, and messages of a hostile camera, which signs what it likes. The seed is fixed: SEALCAM_FUZZ_SEED and
// SEALCAM_FUZZ_ROUNDS select others.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";
import { Reject, concat, toHex } from "../../firmware/web/bytes.js";
import { Reader, encode } from "../../firmware/web/cbor.js";
import * as cose from "../../firmware/web/envelope.js";
import { claimedKind, parseFrame, parseFrameHeader } from "../../firmware/web/frame.js";
import { isPicture } from "../../firmware/web/h264.js";
import { Verifier } from "../../firmware/web/keys.js";
import { decodeReport, openGrants, openIndex, openRoster, openStatus, parseTopic } from "../../firmware/web/messages.js";
import { parseHeader } from "../../firmware/web/sframe.js";
import { Scene } from "./scene.mjs";
import { framePlaintext, sealFrame, sign1, signControl } from "./support.mjs";

const SEED = Number(process.env.SEALCAM_FUZZ_SEED ?? 20201), ROUNDS = Number(process.env.SEALCAM_FUZZ_ROUNDS ?? 300);

// A generator of numbers below n (xorshift32).
function randomOf(seed) {
  let state = seed >>> 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}

const randomBytes = (below, size) => Uint8Array.from({ length: size }, () => below(256));

// One to four changes: a bit, a byte, a part that is removed, repeated or inserted, a shorter message.
function changed(bytes, below) {
  let result = Uint8Array.from(bytes);
  for (let left = 1 + below(4); left > 0; --left) {
    const at = below(result.length + 1), size = below(9);
    const change = below(6);
    if (change === 0 && at < result.length) result[at] ^= 1 << below(8);
    else if (change === 1 && at < result.length) result[at] = [0, 0x17, 0x18, 0x1b, 0x5f, 0x7f, 0x9f, 0xbf, 0xf5, 0xff][below(10)];
    else if (change === 2) result = concat(result.subarray(0, at), result.subarray(Math.min(at + size, result.length)));
    else if (change === 3) result = concat(result.subarray(0, at), result.subarray(at, at + size), result.subarray(at));
    else if (change === 4) result = concat(result.subarray(0, at), randomBytes(below, size), result.subarray(at));
    else result = result.slice(0, at);
  }
  return result;
}

// Whether a call accepts its input. It may throw a Reject only.
async function accepts(call) {
  try {
    await call();
    return true;
  } catch (error) {
    assert.ok(error instanceof Reject, `${error?.stack ?? error}`);
    return false;
  }
}

const same = (a, b) => toHex(a) === toHex(b);

test("parsers of random bytes and of changed messages throw nothing but a Reject, and accept no change", async (t) => {
  const below = randomOf(SEED), scene = await Scene.open(), epoch = scene.epoch(1), { account } = scene, id = scene.camera.id;
  const [owner, camera] = await Promise.all([Verifier.open(scene.owner.point), Verifier.open(scene.camera.point)]);
  const roster = await scene.roster(1, { hubs: [scene.entry], suspended: [new Uint8Array(8)] }), grants = await scene.grants(epoch);
  const index = await signControl(scene.owner, "index", account, id, new Map([[1, 1], [2, [id]]]));
  const status = await signControl(scene.camera, "status", account, id, new Map([[1, true], [2, 5], [3, true], [5, 2]]));
  const frame = await scene.frame(epoch, "key", 300, { echoes: [1n, 2n] });
  const readers = [[roster, (m) => openRoster(m, account, id, owner)], [index, (m) => openIndex(m, account, id, owner)],
                   [grants, (m) => openGrants(m, account, id, camera, id)], [status, (m) => openStatus(m, account, id, camera)]];
  for (const [message, read] of readers) assert.ok(await accepts(() => read(message)), "control: the unchanged message is accepted");
  let count = 0;
  for (let round = 0; round < ROUNDS; ++round) {
    for (const [message, read] of readers) {
      const other = below(5) === 0 ? randomBytes(below, below(300)) : changed(message, below);
      if (!same(other, message)) assert.equal(await accepts(() => read(other)), false, toHex(other));
      ++count;
    }
    const other = below(5) === 0 ? randomBytes(below, below(400)) : changed(frame, below);
    await accepts(() => parseFrame(other));
    await accepts(() => parseHeader(other));
    await accepts(() => cose.parse(other, 1 << 20));
    claimedKind(other);
    const items = new Reader(other);
    await accepts(() => items.list(0, 1000, (reader) => reader.uint()));
    parseTopic(scene.topic("video").split("").map((c) => (below(40) === 0 ? String.fromCharCode(below(300)) : c)).join(""));
  }
  t.diagnostic(`${count} control messages, ${ROUNDS} frames`);
});

// A payload that is accepted has one encoding only.
test("a signed payload that a hub accepts is the deterministic encoding of what the hub read", async (t) => {
  const below = randomOf(SEED + 1), scene = await Scene.open(), { account } = scene, id = scene.camera.id, hash = new Uint8Array(32).fill(9);
  const camera = await Verifier.open(scene.camera.point);
  const status = new Map([[1, true], [2, -70000], [3, true], [5, 1]]), report = new Map([[1, 300], [2, hash], [3, new Uint8Array(8).fill(1)], [4, true], [5, 3]]);
  const index = new Map([[1, 70000], [2, [id]]]), optional = (label, value) => (value === undefined ? [] : [[label, value]]);
  let accepted = 0;
  for (let round = 0; round < ROUNDS; ++round) {
    const statusBytes = changed(encode(status), below), reportBytes = changed(encode(report), below), indexBytes = changed(encode(index), below);
    const header = encode(new Map([[1, -7], [4, scene.camera.id]]));
    const signed = (name, bytes) => sign1(scene.camera, header, cose.externalAad(name, account, id), bytes);
    for (const [bytes, call] of [
      [reportBytes, async () => {
        const r = decodeReport(reportBytes);
        const again = (fault) => new Map([[1, r.version], [2, r.hash], ...optional(3, r.nonce && new Uint8Array(8).map((_, i) => Number(r.nonce >> BigInt(56 - 8 * i) & 255n))),
                                          ...optional(4, r.privacy), ...optional(5, fault)]);
        return r.fault === undefined ? [again(undefined)] : Array.from({ length: 255 }, (_, i) => again(i + 1));
      }],
      [statusBytes, async () => {
        const s = await openStatus(await signed("status", statusBytes), account, id, camera);
        const again = (fault) => new Map([[1, s.online], [2, s.started], ...optional(3, s.privacy), ...optional(4, s.notice), ...optional(5, fault)]);
        return s.fault === undefined ? [again(undefined)] : Array.from({ length: 255 }, (_, i) => again(i + 1));
      }],
      [indexBytes, async () => {
        const i = await openIndex(await signed("index", indexBytes), account, id, camera);
        return [new Map([[1, i.version], [2, i.cameras]])];
      }]]) {
      let candidates = [];
      if (!await accepts(async () => { candidates = await call(); })) continue;
      ++accepted;
      assert.ok(candidates.some((candidate) => same(encode(candidate), bytes)), toHex(bytes));
    }
  }
  assert.ok(accepted > 0, "some changes keep the form");
  t.diagnostic(`${accepted} of ${3 * ROUNDS} accepted`);
});

test("a hostile camera causes nothing but reject reasons: the hub shows only contents that are bound to their header", async (t) => {
  const below = randomOf(SEED + 2), scene = await Scene.open(), epoch = await scene.begin(), { account } = scene, id = scene.camera.id;
  const plaintext = framePlaintext({ codec: 1, number: 5, depends: 5, echoes: [scene.newestChallenge, 77n] }, Uint8Array.of(1, 2, 3));
  const grants = await scene.grants(scene.epoch(2)), payload = cose.parse(grants, 1 << 20).payload;
  const kinds = ["key", "delta", "still", "report"];
  for (let round = 0; round < ROUNDS; ++round) {
    const leaf = ["video", "still", "grants", "status", "roster", "index", "command"][below(7)];
    let message;
    if (below(2) === 0) message = await sealFrame(scene.camera, account, id, kinds[below(4)], epoch, below(2000), changed(plaintext, below));
    else if (below(2) === 0) message = await sign1(scene.camera, encode(new Map([[1, -7], [4, id]])), cose.externalAad(below(2) ? "grants" : "status", account, id), changed(payload, below));
    else message = changed(grants, below);
    scene.hub.receive(scene.topic(leaf), message, below(2) === 0);
    if (below(10) === 0) await scene.pass(below(3000));
  }
  await scene.hub.settled();
  assert.deepEqual(scene.reports, []);
  for (const { kind, counter, header, content } of scene.pictures) {
    assert.ok(content.length > 0 && header.echoes.size <= 16 && kind !== "report");
    assert.ok(kind === "delta" ? header.depends < counter : header.depends === counter);
  }
  assert.ok(Object.values(scene.rejected).reduce((a, b) => a + b, 0) > ROUNDS / 4);
  t.diagnostic(`${JSON.stringify(scene.rejected)}, ${scene.shown.length} shown, ${scene.hub.dropped} dropped`);
});

test("the corpus of the fuzzers causes nothing but a Reject", async (t) => {
  const folder = new URL("../fuzz/corpus/", import.meta.url);
  let count = 0;
  for (const name of ["cbor_fuzz", "control_fuzz", "cose_fuzz", "frame_fuzz", "h264_fuzz", "sframe_fuzz"]) {
    for (const file of readdirSync(new URL(`${name}/`, folder))) {
      const bytes = new Uint8Array(readFileSync(new URL(`${name}/${file}`, folder)));
      for (const call of [() => cose.parse(bytes, bytes.length), () => parseFrame(bytes), () => parseHeader(bytes), () => decodeReport(bytes)]) await accepts(call);
      isPicture("key", { width: 320, height: 240 }, bytes);
      ++count;
    }
  }
  assert.ok(count > 50);
  t.diagnostic(`${count} files`);
});

test("frame headers: each accepted one echoes at most 16 challenges, none twice and none zero", async () => {
  const below = randomOf(SEED + 3);
  let accepted = 0;
  for (let round = 0; round < 10 * ROUNDS; ++round) {
    const counter = below(4), kind = ["key", "delta", "still", "report"][below(4)];
    const bytes = changed(framePlaintext({ codec: kind === "report" ? 0 : 1, number: 1, depends: below(4), echoes: [0n, 1n, 2n].slice(below(2), 1 + below(3)) }, new Uint8Array(3)), below);
    const frame = { kind, counter, sframe: { ctr: BigInt(counter) } };
    await accepts(() => {
      const { header, content } = parseFrameHeader(bytes, frame);
      ++accepted;
      assert.ok(header.echoes.size <= 16 && !header.echoes.has(0n) && content.length === bytes.length - 32 - 8 * bytes[28]);
      assert.equal(bytes[28], header.echoes.size);
    });
  }
  assert.ok(accepted > ROUNDS / 4);
});
