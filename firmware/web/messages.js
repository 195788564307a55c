// SPDX-License-Identifier: Apache-2.0
// The control messages of sealcam.cddl that a hub receives, its requests, and topics. Decoding throws Reject. Numbers of 64 bits are BigInt.
// Byte strings of what a function returns do not refer to the message.
import { ID_SIZE, compare, copy, idBytes, require, u64, viewOf } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { openControl, signControl } from "./envelope.js";
import * as hpke from "./hpke.js";
import { POINT_SIZE, checkPoint, idOf, sha256 } from "./keys.js";
import { keySize } from "./sframe.js";

const MAX_HUBS = 64, MAX_CAMERAS = 1024;
const KEM_P256 = 16n;
const LEAVES = new Set(["roster", "command", "grants", "video", "still", "past", "status"]);
const OPTIONAL = true;
const MAX_PAST = 16;

const uint = (reader) => reader.uint();
const bool = (reader) => reader.bool();
const yes = (reader) => reader.yes();
const time = (reader) => reader.time();
const point = (reader) => copy(checkPoint(reader.bytes(POINT_SIZE)));
const fixed = (size) => (reader) => copy(reader.bytes(size));
const range = (min, max) => (reader) => reader.number(min, max);
const positive = (reader) => {
  const n = reader.uint();
  require(n > 0n);
  return n;
};
// Eight bytes that are not all zero, as a BigInt.
const nonce = (reader) => {
  const n = viewOf(reader.bytes(8)).getBigUint64(0);
  require(n !== 0n);
  return n;
};

function ascending(ids) {
  for (let i = 1; i < ids.length; ++i) require(compare(ids[i - 1], ids[i]) < 0);
  return ids;
}

// -- roster

const ENTRY = [[1, "identity", point], [2, "hpke", point], [3, "integration", fixed(8), OPTIONAL], [4, "privacy", yes, OPTIONAL]];
const ROSTER = [
  [1, "version", uint], [2, "identity", point], [3, "hpke", point],
  [4, "hubs", (reader) => reader.list(0, MAX_HUBS, (entry) => entry.fields(ENTRY))],
  [5, "suspended", (reader) => ascending(reader.list(0, MAX_HUBS, fixed(8)))],
  [6, "issued", time],
];

// A verified roster. Ids are 20 bytes, `owner` is a Verifier. `hash` is the roster hash (R-ENV-6); each hub has its `id`, and is
// `active` or not.
export async function openRoster(message, account, camera, owner) {
  const payload = await openControl(message, "roster", account, camera, owner);
  const roster = decode(payload, (reader) => reader.fields(ROSTER));
  const ids = ascending(await Promise.all(roster.hubs.map((hub) => idOf(hub.identity))));
  require(compare(await idOf(roster.identity), camera) === 0);
  const suspended = (label) => label !== undefined && roster.suspended.some((other) => compare(other, label) === 0);
  roster.hubs.forEach((hub, i) => {
    hub.id = ids[i];
    hub.active = !suspended(hub.integration);
  });
  return { ...roster, hash: await sha256(payload) };
}

// -- index

const INDEX = [[1, "version", uint], [2, "cameras", (reader) => ascending(reader.list(0, MAX_CAMERAS, fixed(ID_SIZE)))]];

// `hub`: 20 bytes of the id in the topic, which takes the camera's place in the signature (R-ENV-2).
export async function openIndex(message, account, hub, owner) {
  return decode(await openControl(message, "index", account, hub, owner), (reader) => reader.fields(INDEX));
}

// -- grants

function grant(reader) {
  reader.array(4);
  return { kem: reader.uint(), key: reader.uint(), enc: copy(reader.bytes(1, 1120)), ciphertext: copy(reader.bytes(0, 256)) };
}

// `own`: the grant of this hub. `software`: the ciphertext of the camera's own entry, which is no grant (R-UPDATE-1).
function readGrants(reader, hub, camera) {
  let own = null, software = null, last = null;
  for (let left = reader.map(0, MAX_HUBS); left > 0; --left) {
    const id = reader.bytes(ID_SIZE);
    require(last === null || compare(last, id) < 0);
    last = id;
    const entry = grant(reader);
    if (compare(id, hub) === 0) own = entry;
    const { kem, key, enc, ciphertext } = entry;
    if (compare(id, camera) === 0 && kem === 0n && key === 0n && enc.length === 1 && enc[0] === 0) software = ciphertext;
  }
  return { own, software };
}

// Verified grants. `own` is the grant of this hub, or null. `software` is the sealed software report, or null. `camera` is the camera's id, `verifier` its Verifier.
export async function openGrants(message, account, camera, verifier, hub) {
  const fields = [
    [1, "epoch", uint], [2, "suite", range(4, 5)], [3, "version", uint], [4, "hash", fixed(32)], [5, "created", time],
    [6, "entries", (reader) => readGrants(reader, hub, camera)],
    [7, "command", positive, OPTIONAL], [8, "wifi", range(1, 255), OPTIONAL], [9, "notStored", yes, OPTIONAL],
  ];
  const { entries, ...grants } = decode(await openControl(message, "grants", account, camera, verifier), (reader) => reader.fields(fields));
  return { ...grants, ...entries };
}

// Base key and camera's name of this hub's grant. keyOf(number) returns an AgreementKey or null. Throws Reject: not_decryptable (no grant,
// another KEM, no key with the number, another key), malformed (the content). The caller wipes the base key.
export async function openGrant(grants, account, camera, hub, keyOf) {
  const { own, epoch, suite } = grants;
  require(own !== null && own.kem === KEM_P256, "not_decryptable");
  const key = keyOf(own.key);
  require(key !== null, "not_decryptable");
  const info = encode(["sealcam/1 grant", account, camera, hub, epoch, own.key]);
  const content = [[1, "baseKey", (reader) => reader.bytes(keySize(suite))], [2, "name", (reader) => reader.text(0, 64)]];
  return decode(await hpke.open(key, own.enc, info, own.ciphertext), (reader) => reader.fields(content));
}

// -- status and reports

const FAULTS = [null, "sensor_fault", "picture_fault", "encoder_fault", "picture_fault"];
// An unknown fault is `other` (R-STATUS-4), which the hub shows as a fault of the pictures.
const fault = (reader) => FAULTS[reader.number(1, 255)] ?? FAULTS[4];
// Ranges of frames that a camera keeps. A hub that does not record has no use for them.
function past(reader) {
  const ranges = reader.list(1, MAX_PAST, (entry) => {
    entry.array(3);
    return { epoch: entry.uint(), first: entry.uint(), last: entry.uint() };
  });
  ranges.forEach(({ epoch, first, last }, i) => {
    require(first <= last && last < 1n << 32n);
    const before = ranges[i - 1];
    require(!before || before.epoch < epoch || (before.epoch === epoch && before.last < first));
  });
  return ranges;
}
const STATUS = [[1, "online", bool], [2, "started", time], [3, "privacy", yes, OPTIONAL], [4, "notice", yes, OPTIONAL],
                [5, "fault", fault, OPTIONAL]];
const REPORT = [[1, "version", uint], [2, "hash", fixed(32)], [3, "nonce", nonce, OPTIONAL], [4, "privacy", yes, OPTIONAL],
                [5, "fault", fault, OPTIONAL], [6, "noMotion", yes, OPTIONAL],
                [7, "past", past, OPTIONAL]];

// What a camera reports: "privacy", one of FAULTS, or "none".
export const reportedState = (message) => (message.privacy ? "privacy" : message.fault ?? "none");

export async function openStatus(message, account, camera, verifier) {
  const status = decode(await openControl(message, "status", account, camera, verifier), (reader) => reader.fields(STATUS));
  require(!(status.online && status.notice) && (status.online || status.fault === undefined));
  return status;
}

// The content of a frame of the kind report.
export const decodeReport = (content) => decode(content, (reader) => reader.fields(REPORT));

// -- requests

const REQUEST_KINDS = new Map([["live", 1], ["still", 2], ["privacy-on", 3], ["privacy-off", 4], ["nonce", 5], ["record", 6], ["motion", 7]]);

// A signed view request. request: kind, challenge, epoch, seq (BigInt each), and, if they are not absent, nonce (BigInt), prekey { number,
// point }, receiver { counter, arrival (ms), received }, cannotOpen.
export function signRequest(identity, account, camera, request) {
  const { kind, challenge, epoch, seq, nonce: quoted, prekey, receiver, cannotOpen } = request;
  const fields = new Map([[1, REQUEST_KINDS.get(kind)], [2, u64(challenge)], [3, epoch], [4, seq]]);
  if (quoted) fields.set(5, u64(quoted));
  if (prekey) fields.set(6, [prekey.number, prekey.point]);
  if (receiver) fields.set(7, [receiver.counter, receiver.arrival, receiver.received]);
  if (cannotOpen) fields.set(8, true);
  return signControl(identity, "request", account, camera, encode(fields));
}

// -- topics

// Account, id and leaf of a topic, or null for a topic that the protocol does not have (R-TOPIC-1). Ids are texts. The leaf of an index is
// "index", and its id the hub's. The leaf of a request is "request".
export function parseTopic(topic) {
  const parts = topic.length <= 160 ? topic.split("/") : [];
  const [name, version, account, id, leaf, hub] = parts;
  if (name !== "sealcam" || version !== "1" || idBytes(account ?? "") === null) return null;
  if (id === "index") return parts.length === 5 && idBytes(leaf) !== null ? { account, id: leaf, leaf: "index" } : null;
  if (idBytes(id ?? "") === null) return null;
  if (parts.length === 5 && LEAVES.has(leaf)) return { account, id, leaf };
  return parts.length === 6 && leaf === "request" && idBytes(hub) !== null ? { account, id, leaf } : null;
}

// Ids as text.
export const topicOf = (account, camera, leaf) => `sealcam/1/${account}/${camera}/${leaf}`;
export const indexTopic = (account, hub) => `sealcam/1/${account}/index/${hub}`;
export const requestTopic = (account, camera, hub) => `${topicOf(account, camera, "request")}/${hub}`;
