// SPDX-License-Identifier: Apache-2.0
// The software report in grants: version of a camera and state of its updates (R-UPDATE-1).
import { Reject } from "./bytes.js";
import { decode, encode } from "./cbor.js";
import { OpeningKey, parseHeader } from "./sframe.js";

const MAX_VERSION = 24, MAX_REASON = 80;
const OTHER_STATE = 8, OTHER_RESULT = 5;

const version = (reader) => reader.text(1, MAX_VERSION);
const value = (other) => (reader) => Math.min(reader.number(1, 255), other);

function attempt(reader) {
  reader.array(4);
  return { version: reader.text(0, MAX_VERSION), result: value(OTHER_RESULT)(reader), reason: reader.text(0, MAX_REASON), at: reader.time() };
}

const UPDATE = [[1, "image", version, true], [2, "state", value(OTHER_STATE)], [3, "offer", version, true], [4, "last", attempt, true]];
const SOFTWARE = [[1, "version", version], [2, "update", (reader) => reader.fields(UPDATE, true), true]];

// { version, update: { image, state, offer, last: { version, result, reason, at } } } without the absent parts; null if there is no report, or
// none that can be read. `grants`: of openGrants(). `baseKey`: of the same grants.
export async function openSoftware(grants, account, camera, baseKey) {
  const { software, suite, epoch } = grants;
  if (software === null) return null;
  try {
    const kid = BigInt.asUintN(64, ~epoch), header = parseHeader(software);
    if (header.kid !== kid || header.ctr !== 0n) return null;
    const key = await OpeningKey.derive(suite, kid, baseKey);
    const metadata = encode(["sealcam/1 grant", account, camera, camera, epoch, 0]);
    return decode(await key.open(software, header, metadata), (reader) => reader.fields(SOFTWARE, true), true);
  } catch (error) {
    if (error instanceof Reject) return null;
    throw error;
  }
}

const STATES = ["is not for this camera", "is offered", "is deferred by the owner", "is rejected by the owner", "is being installed", "is installed",
  "is being tested", "has an unknown state"];
const RESULTS = ["was installed", "failed its check and was rolled back", "was rejected by the camera", "failed", "ended"];

// Characters without a visible form, and those that change the direction of the text after them. As in firmware/base/format.cpp.
const NOT_PRINTABLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}\u{10fffe}\u{10ffff}]/gu;
export const printable = (text) => text.replace(NOT_PRINTABLE, "?");

// The update for people, as sealcam-hub writes it.
export function updateText({ offer, state, last }) {
  return printable(describe(offer, state, last));
}

function describe(offer, state, last) {
  const now = offer !== undefined ? `update ${offer} ${STATES[state - 1]}` : state === 1 ? "no update is offered" : `an update ${STATES[state - 1]}`;
  if (last === undefined) return now;
  const day = last.at > 0 ? ` on ${new Date(last.at / 1000).toISOString().slice(0, 10)}` : "";
  return `${now}; ${last.version || "the last update"} ${RESULTS[last.result - 1]}${day}${last.reason ? `: ${last.reason}` : ""}`;
}
