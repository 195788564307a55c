// SPDX-License-Identifier: Apache-2.0
// Verifies and opens each sample for hubs that the C++ unit tests write, and checks that modified samples do not open.
//
//     node samples.mjs FILE     FILE: build/<preset>/samples/sealcam-1.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fromHex, idText, toHex } from "../../firmware/web/bytes.js";
import { externalAad, openControl } from "../../firmware/web/envelope.js";
import { checkFrame, parseFrame } from "../../firmware/web/frame.js";
import { Verifier } from "../../firmware/web/keys.js";
import { indexTopic, openGrant, openGrants, openIndex, openRoster, openStatus, parseTopic, requestTopic, signRequest } from "../../firmware/web/messages.js";
import { OpeningKey } from "../../firmware/web/sframe.js";
import { agreement, identity, readRequest } from "./support.mjs";

const json = JSON.parse(readFileSync(process.argv[2], "utf8"));
const message = (name) => fromHex(json.messages[name].message);
const verifier = Object.fromEntries(await Promise.all(["owner", "camera", "hub", "second"].map(async (party) => [party, await Verifier.open(fromHex(json[party].identity.public))])));
const hpke = (party) => agreement(fromHex(json[party].hpke.private));
const account = verifier.owner.id, camera = verifier.camera.id;
const rejected = (promise, reason) => assert.rejects(promise, (error) => error.reason === reason);

assert.equal(verifier.owner.text, json.account);
assert.equal(verifier.camera.text, json.camera.id);
assert.equal(json.messages.index.topic, indexTopic(verifier.owner.text, verifier.hub.text));
assert.equal(json.messages.request.topic, requestTopic(verifier.owner.text, verifier.camera.text, verifier.hub.text));
for (const { topic } of Object.values(json.messages)) if (topic) assert.equal(parseTopic(topic)?.account, verifier.owner.text);

const roster = await openRoster(message("roster"), account, camera, verifier.owner);
assert.equal(toHex(roster.hubs[0].identity), json.hub.identity.public);
assert.ok(roster.hubs.length === 1 && roster.hubs[0].active && roster.hubs[0].privacy);
const integrations = await openRoster(message("roster-integrations"), account, camera, verifier.owner);
assert.deepEqual(integrations.hubs.map((hub) => hub.active).sort(), [false, true]);
const index = await openIndex(message("index"), account, verifier.hub.id, verifier.owner);
assert.deepEqual([index.version, index.cameras.map(idText)], [5n, [verifier.camera.text]]);
await rejected(openIndex(message("index"), account, camera, verifier.owner), "bad_signature");
await rejected(openRoster(message("roster"), account, verifier.hub.id, verifier.owner), "bad_signature");
await rejected(openRoster(message("roster"), account, camera, verifier.camera), "wrong_account");

// Grants, and the frames of their epochs.
async function epochOf(name, hub, key, number) {
  const grants = await openGrants(message(name), account, camera, verifier.camera, verifier[hub].id);
  await rejected(openGrant(grants, account, camera, verifier[hub].id, () => null), "not_decryptable");
  const wrong = await hpke("camera");
  await rejected(openGrant(grants, account, camera, verifier[hub].id, () => wrong), "not_decryptable");
  const { baseKey, name: title } = await openGrant(grants, account, camera, verifier[hub].id, (n) => (n === number ? key : null));
  return { grants, baseKey, title, key: await OpeningKey.derive(grants.suite, grants.epoch, baseKey) };
}

async function open(name, { key, grants }) {
  const frame = parseFrame(message(name)), aad = externalAad("frame", account, camera);
  assert.ok(frame.epoch === grants.epoch && idText(frame.signer) === verifier.camera.text);
  assert.equal((await checkFrame(frame, aad, verifier.hub, key, () => true)).reason, "bad_signature");
  assert.equal((await checkFrame(frame, aad, verifier.camera, null, () => true)).reason, "not_decryptable");
  const opened = await checkFrame(frame, aad, verifier.camera, key, () => true);
  assert.equal(opened.reason, null, name);
  if (json.messages[name].plaintext) assert.ok(json.messages[name].plaintext.endsWith(toHex(opened.content)));
  return { ...frame, ...opened };
}

const first = await epochOf("grants", "hub", await hpke("prekey"), 7n);
assert.deepEqual([toHex(first.baseKey), first.title], [json.base_key, "Front door"]);
assert.ok(first.grants.command === 3n && first.grants.notStored && toHex(first.grants.hash) === toHex(roster.hash) && first.grants.version === roster.version);
const key = await open("frame", first), report = await open("report", first);
assert.ok(key.kind === "key" && key.header.motion && key.header.echoes.has(0x1122334455667788n));
assert.ok(report.kind === "report" && report.report.nonce === 9n && report.report.version === roster.version);

const second = await epochOf("grants-suite-5", "second", await hpke("second"), 0n);
assert.ok(second.grants.suite === 5 && second.grants.wifi === 2 && toHex(second.grants.hash) === toHex(integrations.hash));
for (const [name, kind, depends] of [["key-suite-5", "key", 0], ["delta-suite-5", "delta", 0], ["still-suite-5", "still", 2]]) {
  const frame = await open(name, second);
  assert.ok(frame.kind === kind && frame.header.depends === depends && frame.header.echoes.size === 0);
}

const status = await openStatus(message("status"), account, camera, verifier.camera);
assert.ok(status.online && status.privacy && !status.notice);
const notice = await openStatus(message("deregistration"), account, camera, verifier.camera);
assert.ok(!notice.online && notice.notice);

// The requests of the C++ hub, and the same ones as this hub encodes them: only the random signature differs.
const hub = await identity(fromHex(json.hub.identity.private));
for (const name of ["request", "privacy-off"]) {
  const bytes = message(name), request = readRequest(bytes);
  await openControl(bytes, "request", account, camera, verifier.hub);
  const again = await signRequest(hub, account, camera, { ...request, nonce: request.nonce && BigInt(`0x${request.nonce}`) });
  assert.equal(toHex(again.subarray(0, -64)), toHex(bytes.subarray(0, -64)));
  await openControl(again, "request", account, camera, verifier.hub);
}
console.log("the samples for hubs were verified and opened, and requests have the same encoding");
