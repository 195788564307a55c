// SPDX-License-Identifier: Apache-2.0
// The phone's side of a link, against a mailbox and an owner in memory.
import assert from "node:assert/strict";
import test from "node:test";
import { fromHex, toHex } from "../../firmware/web/bytes.js";
import { EnrollmentError, LinkError, deriveLink, linkPhone, openEnrollment, readCode } from "../../firmware/web/link.js";
import { MemoryStore } from "../../firmware/web/store.js";
import * as owners from "./mailbox.mjs";
import { agreement, identity } from "./support.mjs";

const CODE = "AAECAwQFBgcICQoLDA0ODw", BYTES = Uint8Array.from({ length: 16 }, (_, i) => i);
const owner = await identity(fromHex("0b".padStart(64, "0"))), other = await identity(fromHex("0c".padStart(64, "0")));
const failed = (reason) => (error) => error instanceof LinkError && error.reason === reason;

// Polls go on at once.
function quick(t) {
  const { setTimeout: real } = globalThis;
  t.mock.method(globalThis, "setTimeout", (call) => real(call, 0));
}

async function scene(t) {
  quick(t);
  const keys = await owners.deriveLink(BYTES), mailbox = new owners.Mailbox(), store = new MemoryStore(), steps = [];
  mailbox.open(keys.slot);
  const link = (more = {}) => linkPhone({ code: CODE, store, fetch: mailbox.fetch, step: (name) => steps.push(name), ...more });
  const slot = mailbox.slots.get(keys.slot);
  // The owner's program: waits for a descriptor, and answers it.
  const answer = async (options = {}) => {
    while (slot.descriptor === null) await new Promise((resolve) => { setImmediate(resolve); });
    const phone = await owners.readDescriptor(slot.descriptor, keys);
    slot.enrollment = await owners.makeEnrollment(owner, phone, keys, options);
    return phone;
  };
  return { keys, mailbox, store, steps, slot, link, answer };
}

test("slot and keys of a code are those of RFC 5869", async () => {
  const mine = await deriveLink(readCode(CODE)), theirs = await owners.deriveLink(BYTES);
  assert.equal(mine.slot, theirs.slot);
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", mine.descriptor, BYTES));
  assert.equal(toHex(mac), toHex(await theirs.mac(theirs.descriptor, BYTES)));
  assert.ok(await crypto.subtle.verify("HMAC", mine.enrollment, await theirs.mac(theirs.enrollment, BYTES), BYTES));
  for (const key of [mine.descriptor, mine.enrollment]) await assert.rejects(crypto.subtle.exportKey("raw", key));
});

test("a text that is not a code is rejected without a request", async (t) => {
  const { mailbox, link } = await scene(t);
  assert.deepEqual(readCode(CODE), BYTES);
  for (const code of ["", CODE.slice(1), `${CODE}A`, CODE.replace(/.$/, "x"), CODE.replace("A", "+"), CODE.replace("A", " ")])
    await assert.rejects(link({ code }), failed("wrong_code"), code);
  assert.deepEqual(mailbox.requests, []);
});

test("a phone is linked, and stores keys and credential", async (t) => {
  const { store, steps, slot, keys, link, answer } = await scene(t);
  const [linked, phone] = await Promise.all([link(), answer()]);
  assert.deepEqual(linked, { name: "Phone", broker: "wss://hub.home.arpa:8884" });
  assert.deepEqual(steps, ["keys", "waiting", "received", "done"]);
  const { id, owner: point, password } = (await store.load("link")).get("broker");
  assert.deepEqual([id, toHex(point), password], [phone.identity.text, toHex(owner.point), "A".repeat(43)]);
  const stored = await store.load("identity");
  assert.equal(toHex(stored.get("identity").point), toHex(phone.identity.point));
  assert.ok([...stored.values()].every(({ privateKey }) => !privateKey.extractable));
  assert.equal((await store.load("link")).has("pending"), false);
  await assert.rejects(owners.readDescriptor(slot.descriptor, { ...keys, descriptor: keys.enrollment }), /another code/);
});

test("a page that was closed meanwhile continues with the same keys", async (t) => {
  const { store, mailbox, slot, keys, link, answer } = await scene(t);
  mailbox.respond = (method) => (method === "GET" ? 404 : undefined);
  await assert.rejects(link(), failed("expired"));
  mailbox.respond = null;
  const first = await owners.readDescriptor(slot.descriptor, keys);
  assert.ok((await store.load("link")).has("pending"));
  const [linked] = await Promise.all([link(), answer()]);
  assert.equal(linked.name, "Phone");
  assert.equal((await store.load("link")).get("broker").id, first.identity.text);
});

test("a descriptor whose answer was lost is not another phone's", async (t) => {
  const { mailbox, link, answer } = await scene(t);
  mailbox.lost = 1;
  const [linked] = await Promise.all([link(), answer()]);
  assert.equal(linked.name, "Phone");
  assert.equal(mailbox.requests.filter((request) => request.startsWith("POST")).length, 2);
});

test("an earlier link stays until the new one is complete, and is then replaced whole", async (t) => {
  const { store, mailbox, link, answer } = await scene(t);
  await store.save("link", "broker", { name: "Old" });
  await store.save("roster", "x", Uint8Array.of(1));
  mailbox.respond = () => 404;
  await assert.rejects(link(), failed("expired"));
  assert.equal((await store.load("link")).get("broker").name, "Old");
  mailbox.respond = null;
  await Promise.all([link(), answer()]);
  assert.equal((await store.load("link")).get("broker").name, "Phone");
  assert.equal((await store.load("roster")).size, 0);
});

test("a code that another phone answered is used", async (t) => {
  const { slot, link } = await scene(t);
  slot.descriptor = new Uint8Array(10);
  await assert.rejects(link(), failed("used"));
});

test("no answer at all is the network, and a few lost ones are not", async (t) => {
  const { mailbox, link, answer } = await scene(t);
  mailbox.failures = 10;
  await Promise.all([link(), answer()]);
  mailbox.failures = Infinity;
  await assert.rejects(link(), failed("network"));
  mailbox.failures = 0;
  mailbox.respond = () => 400;
  await assert.rejects(link(), failed("network"));
});

test("a store that fails is reported before anything is sent, and at the end", async (t) => {
  const { store, mailbox, link, answer } = await scene(t);
  const save = t.mock.method(store, "save", async () => { throw new Error("full"); });
  await assert.rejects(link(), failed("storage"));
  assert.deepEqual(mailbox.requests, []);
  save.mock.restore();
  t.mock.method(store, "replaceAll", async () => { throw new Error("full"); });
  await Promise.all([assert.rejects(link(), failed("storage")), answer()]);
});

// What a hostile mailbox, another owner or a fault of the owner's program may send. The mailbox does not know the code.
const FORGED = {
  "made without the code": { macKey: new Uint8Array(32) },
  "signed by another owner": { signer: other },
  "of another owner than its account": { owned: other.point, signer: other },
  "with another account in clear": { account: other.id },
  "for another phone": { id: other.id },
  "signed for another phone": { route: other.id },
  "signed as another message": { messageName: "descriptor" },
  "with an address without TLS": { address: "ws://hub.home.arpa:8884" },
  "with an address that has a path": { address: "wss://hub.home.arpa:8884/x" },
  "with an address that has a user": { address: "wss://a@hub.home.arpa:8884" },
  "with a short password": { password: "A".repeat(42) },
  "with a port that does not exist": { address: "wss://hub.home.arpa:65536" },
  "without a port": { address: "wss://hub.home.arpa" },
  "with a password that is not canonical": { password: `${"A".repeat(42)}B` },
  "with a password of other letters": { password: `${"A".repeat(42)}/` },
  "without a name": { name: "" },
};
for (const [what, options] of Object.entries(FORGED))
  test(`an enrollment ${what} is rejected, and nothing of it is stored`, async (t) => {
    const { store, link, answer } = await scene(t);
    await Promise.all([assert.rejects(link(), failed("wrong_code")), answer(options)]);
    assert.equal((await store.load("link")).has("broker"), false);
    assert.equal((await store.load("identity")).size, 0);
  });

for (const [what, options] of Object.entries({ "for another phone's key": { hpke: other.point }, "for another phone's id": { sealedId: other.id },
                                               "for another account": { sealedAccount: other.id },
                                               "with an account in clear that is not the sealed one": { account: other.id, sealedAccount: owner.id } }))
  test(`an enrollment sealed ${what} does not open`, async (t) => {
    const { store, link, answer } = await scene(t);
    await Promise.all([assert.rejects(link(), failed("used")), answer(options)]);
    assert.equal((await store.load("link")).has("broker"), false);
  });

// Numbers of a fixed sequence (xorshift), so that a failure can be repeated.
function random(seed) {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test("altered bytes inside and outside an enrollment are rejected, and nothing else happens", async () => {
  const keys = await owners.deriveLink(BYTES), mine = await deriveLink(BYTES), own = await identity(fromHex("0d".padStart(64, "0")));
  const hpke = await agreement(fromHex("0e".padStart(64, "0"))), phone = { identity: own, hpke: hpke.point }, next = random(20_261_201), reasons = new Map();
  const altered = (bytes) => {
    const changed = bytes.slice(0, next(8) === 0 ? next(bytes.length + 1) : bytes.length);
    for (let n = 1 + next(3); n > 0 && changed.length > 0; --n) changed[next(changed.length)] ^= 1 + next(255);
    return changed;
  };
  const open = (message) => openEnrollment(message, mine.enrollment, own, hpke);
  assert.equal((await open(await owners.makeEnrollment(owner, phone, keys))).name, "Phone");
  const whole = await owners.makeEnrollment(owner, phone, keys);
  for (let round = 0; round < 300; ++round) {
    const message = round % 2 === 0 ? altered(whole) : await owners.makeEnrollment(owner, phone, keys, { change: altered });
    await assert.rejects(open(message), (error) => {
      assert.ok(error instanceof EnrollmentError, `round ${round}: ${error}`);
      reasons.set(error.reason, (reasons.get(error.reason) ?? 0) + 1);
      return true;
    });
  }
  for (const reason of ["malformed", "wrong_code", "bad_signature"]) assert.ok(reasons.get(reason) > 0, `${reason}: ${[...reasons]}`);
});

test("an enrollment that is cut short, or longer, is rejected", async (t) => {
  const { slot, link, answer, mailbox } = await scene(t);
  await Promise.all([link(), answer()]);
  const whole = slot.enrollment;
  for (const bytes of [whole.slice(0, -1), Uint8Array.from([...whole, 0]), new Uint8Array(), new Uint8Array((8 << 10) + 1)]) {
    slot.enrollment = bytes;
    slot.descriptor = null;
    await assert.rejects(link(), failed("wrong_code"));
  }
  assert.ok(mailbox.requests.length > 0);
});
