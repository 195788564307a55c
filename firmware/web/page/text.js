// SPDX-License-Identifier: Apache-2.0
// The texts of the page of sealcam-hub and of the app.

// What shows the pictures, in texts: "hub" or "phone".
let device = "hub";
export const setDevice = (name) => { device = name; };

const number = new Intl.NumberFormat("en");
const plural = (n, one, many) => (n === 1 ? one : many);

// For each reason of protocol/envelope.hpp: why `n` pictures were rejected.
const REJECTED = {
  not_member: (n) => plural(n, `the camera of this picture does not list this ${device}`, `their cameras do not list this ${device}`),
  wrong_account: (n) => plural(n, "it is from a camera of another account", "they are from cameras of another account"),
  bad_signature: () => "the camera's signature is wrong",
  not_decryptable: (n) => plural(n, "it is sealed for other hubs", "they are sealed for other hubs"),
  replayed: (n) => plural(n, `this ${device} received it before`, `this ${device} received them before`),
  out_of_order: () => `the ${device} has already shown newer pictures`,
  closed_epoch: (n) => plural(n, "it belongs to an earlier session of the camera", "they belong to earlier sessions of the camera"),
  cloned: () => "two devices use the identity of the camera",
  malformed: (n) => plural(n, "it does not follow the protocol", "they do not follow the protocol"),
};

export const count = (n) => number.format(n);

// One text for each reason that occurred, the most frequent first.
export function rejectedTexts(counts) {
  return Object.entries(counts)
    .filter(([reason, n]) => n > 0 && Object.hasOwn(REJECTED, reason))
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => {
      const what = reason === "malformed" ? plural(n, "message was", "messages were") : plural(n, "picture was", "pictures were");
      return `${number.format(n)} ${what} rejected: ${REJECTED[reason](n)}.`;
    });
}

export const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

export function rejectedControlText(counts) {
  const n = total(counts);
  if (n === 0) return "";
  const reasons = Object.entries(counts).filter(([, c]) => c > 0).map(([reason, c]) => `${reason.replaceAll("_", " ")}: ${number.format(c)}`);
  return `${number.format(n)} ${plural(n, "message", "messages")} about keys and membership ${plural(n, "was", "were")} rejected (${reasons.join(", ")}).`;
}

// "7 s", "3 min", "2 h", "5 d", rounded down.
export function age(ms) {
  const s = Math.floor(ms / 1000);
  if (!(s >= 0)) return "? s";
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const otherDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

// A camera may send any 64 bits as its time. A Date has no more than 8.64e15 ms (ECMA-262, section 21.4.1.1), and some years have no text.
const MAX_TIME = 253_402_300_800_000;  // the year 10000

export function moment(ms, now = Date.now()) {
  if (!(Math.abs(ms) < MAX_TIME)) return "an impossible time";
  const date = new Date(ms);
  return (date.toDateString() === new Date(now).toDateString() ? sameDay : otherDay).format(date);
}

// "40 s", "3 h", rounded to the nearest.
export function span(seconds) {
  const s = Math.abs(seconds);
  if (!Number.isFinite(s)) return "an unknown time";
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return s < 2 * 31_557_600 ? `${number.format(Math.round(s / 86_400))} days` : `${number.format(Math.round(s / 31_557_600))} years`;
}

// For these reasons the page shows no picture of the camera, not even an old one.
export const BLOCKED = new Set(["cloned", "suspended", "removed"]);

// What a status, which may be old, reports.
const HINTS = new Map([
  ["privacy", "the camera's sensor is closed"],
  ["sensor_fault", "the camera's sensor is missing or does not work"],
  ["picture_fault", "the camera cannot send the pictures of its sensor"],
  ["encoder_fault", "the camera's encoder does not work"],
]);

// A report of the camera proves these reasons for a few seconds.
export const PROVEN = new Set(["privacy", "sensor_fault", "picture_fault", "encoder_fault"]);
export const NO_STATE = "The page has no new state of this camera.";

// For each `reason` of a camera's state (firmware/docs/hub-api.md): what happened, and the next step.
const REASONS = {
  cloned: () => `Two devices use this camera's identity, so the ${device} shows neither of them. Reset the camera and pair it again.`,
  suspended: () => `The owner suspended the integration of this ${device}. The pictures return when the owner resumes it.`,
  removed: () => `The owner removed this ${device} from the camera's list. Ask the owner to add it again.`,
  roster_conflict: () => `Two lists of this camera's hubs have the same version. The ${device} uses the first one. Ask the owner to publish a new list.`,
  restored: () => "The camera uses an old copy of its card, so its pictures are not shown. Reset the camera and pair it again.",
  unpublished_roster: () => "The camera follows a list of hubs that the owner did not publish here. Unknown hubs may watch. Ask the owner to run 'sealcam sync'.",
  clock: (c) => `The picture is live, but the camera's clock is ${span(c.clock_ahead_s)} ${c.clock_ahead_s > 0 ? "ahead of" : "behind"} this ${device}'s clock. Correct the clock that is wrong.`,
  privacy: (c) => `Privacy: the camera's sensor is closed. The camera proved this to the ${device} less than 5 seconds ago. ` +
                  (c.may_switch_privacy ? "You can open the sensor here." : "The camera's owner can open the sensor."),
  deregistered: () => "The camera was switched off or lost its connection. Check its power and its network.",
  sensor_fault: () => "The camera's sensor is missing or does not work. Check its cable. The camera's log has the cause.",
  picture_fault: () => "The camera cannot send the pictures of its sensor. The camera's log and its doctor have the cause.",
  encoder_fault: () => "The camera's encoder does not work. The camera's log and its doctor have the cause.",
  unconfirmed: (c) => `At ${moment(c.hint_since_us / 1000)} this ${device} received a message that ${HINTS.get(c.hint) ?? "the camera sends no pictures"}. This is not confirmed: ` +
                      "no new report proves it, and the message may be an old one.",
  no_answer: () => "The camera does not answer. Check its power and its network.",
  waiting: () => "Waiting for the first picture of this camera.",
};
export const reason = (camera) => (Object.hasOwn(REASONS, camera?.reason ?? "") ? REASONS[camera.reason](camera) : "");

// The number of hubs and phones that may watch a camera; empty without a list.
export function members(camera) {
  const n = camera?.members?.length ?? 0;
  return n === 0 ? "" : `${n} may watch`;
}

// The same with the time of the last change.
export function membersSince(camera) {
  const all = camera?.members ?? [], suspended = all.filter((member) => member.suspended).length;
  const groups = new Set(all.filter((member) => member.integration !== null).map((member) => member.integration)).size;
  const details = [groups > 0 ? `${groups} ${plural(groups, "integration", "integrations")}` : "", suspended > 0 ? `${suspended} suspended` : ""].filter(Boolean);
  return `${all.length} ${plural(all.length, "hub or phone", "hubs and phones")}${details.length > 0 ? ` (${details.join(", ")})` : ""} may watch, since ${moment(camera.members_changed_us / 1000)}.`;
}

// Version and updates of a camera; empty if this hub or phone has no report of the camera about them.
export function software(camera) {
  if (!camera?.software) return "";
  const { version, update } = camera.software;
  return `The camera has version ${version}${update ? `: ${update}` : ""}.`;
}

// One row for each hub and phone of the list: who, and its rights. own: the id of this hub or phone.
export function memberRows(camera, own) {
  const rank = (member) => (member.hub === own ? 0 : 1);
  return [...camera?.members ?? []].sort((a, b) => rank(a) - rank(b) || a.hub.localeCompare(b.hub)).map((member) => ({
    title: member.hub === own ? `This ${device}` : member.hub,
    detail: [member.hub === own ? member.hub : "", member.suspended ? "suspended" : "sees the pictures", member.may_switch_privacy ? "may switch privacy" : "",
             member.integration !== null ? `integration ${member.integration}` : ""].filter(Boolean).join(" · "),
  }));
}

const BADGES = { cloned: "NOT SHOWN", suspended: "SUSPENDED", removed: "REMOVED", privacy: "PRIVACY" };
export function badge(state, why, ageMs) {
  if (state === "FAULT") return "FAULT";
  if (state === "STALE") return ageMs === null ? "STALE" : `STALE ${age(ageMs)}`;
  if (state !== "OFFLINE") return state;
  return Object.hasOwn(BADGES, why ?? "") ? BADGES[why] : "OFFLINE";
}

// The progress of a request to switch the camera's privacy; empty without a request.
export function privacyProgress(camera) {
  if (camera?.requested_privacy === true) return "Closing the sensor …";
  if (camera?.requested_privacy === false) return "Opening the sensor …";
  if (camera?.privacy_failed === true) return "The camera did not close its sensor within ten seconds. Try again, or unplug the camera.";
  if (camera?.privacy_failed === false) return "The camera did not open its sensor within ten seconds. Check its power and its network, then try again.";
  return "";
}

const PRIVACY_REJECTED = new Map([
  ["not_allowed", () => `This ${device} may not switch this camera's privacy. The camera's owner can allow it.`],
  ["no_broker", () => `The ${device} is not connected to the broker. Try again when it is connected.`],
]);
export const privacyRejected = (why) => PRIVACY_REJECTED.get(why)?.() ?? `This ${device} no longer has this camera.`;

// In place of the picture, and over it.
export const FAULT = "The page cannot show the values that this camera sends. The other cameras are not affected. Ask the camera's owner to check it.";
export const UNDECODABLE = "This browser cannot decode the newest pictures of this camera.";

// The name of a file with a picture or a clip. A camera chose its own name, so only simple characters remain.
export function fileName(name, ms, ending) {
  const date = new Date(ms), two = (n) => String(n).padStart(2, "0");
  const simple = name.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "camera";
  if (!(Math.abs(ms) < MAX_TIME)) return `${simple}.${ending}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${simple} ${day} ${two(date.getHours())}.${two(date.getMinutes())}.${two(date.getSeconds())}.${ending}`;
}

export const clock = () => hour.format(new Date());
