// SPDX-License-Identifier: Apache-2.0
// The texts of recordings.
import { fileName, moment } from "./text.js";

const number = new Intl.NumberFormat("en");
const plural = (n, one, many) => `${number.format(n)} ${n === 1 ? one : many}`;
const dateForm = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const timeForm = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minuteForm = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const OFF = "This hub does not record. The page 'Hub' of the documentation explains how to turn recordings on.";
export const NOTHING = "There is no recording at this time.";
export const NO_KEY = "This hub has no key for this recording.";
export const WAITING = "Loading …";

export const date = (ms) => dateForm.format(new Date(ms));
export const time = (ms) => timeForm.format(new Date(ms));
export const minutes = (ms) => minuteForm.format(new Date(ms));
// With a tenth of a second, so that single steps are visible.
export const exact = (ms) => `${timeForm.format(new Date(ms))}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;

const MINUTE = 60_000;

// The large time of a picture, and a second line if the camera's clock contradicts the hub's.
export function pictureTime({ at, captured }) {
  if (Math.abs(at - captured) <= MINUTE) return { day: date(captured), time: exact(captured), note: "" };
  return { day: date(at), time: exact(at), note: `by this hub's clock. The camera's clock showed ${moment(captured, at)}.` };
}

const FAULTS = {
  full: "the disk is full. Free some space, or reduce the limit of the recordings.",
  read_only: "the folder of the recordings is not writable.",
  missing: "the folder of the recordings is missing. Connect its disk.",
  io: "the disk reports errors. Check the disk.",
  slow: "the disk is too slow. Some pictures were lost.",
  index: "the index of the recordings cannot be written. Check the disk of the hub's state folder.",
};
const LIMITED = { slow: "Recording with losses", index: "Recordings are not listed, or not made" };
// Empty without a fault.
export function fault(state) {
  if (!state.enabled || !Object.hasOwn(FAULTS, state.fault)) return "";
  const since = state.fault_since === null ? "" : ` Since ${moment(state.fault_since)}.`;
  return `${LIMITED[state.fault] ?? "Not recording"}: ${FAULTS[state.fault]}${since}`;
}

const ENDED = {
  removed: "The owner removed this hub from the camera's list. These are earlier recordings.",
  cloned: "Two devices used this camera's identity. The recordings may come from either of them.",
};
export const ended = (camera) => (camera.suspended ? "The owner suspended the integration of this hub. The recordings return when the owner resumes it."
  : Object.hasOwn(ENDED, camera.ended) ? ENDED[camera.ended] : "");

// Empty unless the hub waits for motion that the camera cannot detect.
export const undetected = (camera) => (camera.mode === "motion" && !camera.detects_motion
  ? "This camera does not detect motion, because its detector is off or its sensor encodes. Only what a person watches is recorded." : "");

export function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 999.5 && at + 1 < units.length) { bytes /= 1000; ++at; }
  return `${bytes >= 10 || at === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[at]}`;
}

export function length(ms) {
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

export const events = (n, max) => `${plural(n, "event", "events")}${n > max ? `, the last ${max}` : ""}`;

// For screen readers: what the timeline of a day shows.
export function summary(spans, gaps, motion = []) {
  if (spans.length === 0) return "No recordings on this day.";
  const total = spans.reduce((sum, s) => sum + s.end - s.begin, 0);
  const list = spans.slice(0, 12).map((s) => `${minutes(s.begin)} to ${minutes(s.end)}`).join(", ");
  const lost = gaps.length === 0 ? "no gaps" : plural(gaps.length, "gap", "gaps");
  return `${length(total)} recorded: ${list}${spans.length > 12 ? ", and more" : ""}; ${lost}; ${motion.length === 0 ? "no events" : plural(motion.length, "event", "events")}.`;
}

export const gap = (g) => `${plural(g.frames, "frame was", "frames were")} lost here. The camera numbered them, but the hub did not receive them.`;

// The text about pictures that the hub left out of the range that was just read; empty without such pictures.
export function skipped({ altered, noKey, undecodable }) {
  const parts = [
    altered > 0 ? `${plural(altered, "picture was", "pictures were")} changed after recording and ${altered === 1 ? "is" : "are"} not shown` : "",
    noKey > 0 ? `${plural(noKey, "file has", "files have")} no key on this hub` : "",
    undecodable > 0 ? `${plural(undecodable, "picture needs", "pictures need")} a lost picture` : "",
  ].filter(Boolean);
  return parts.length === 0 ? "" : `${parts.join("; ")}.`;
}

export const speed = (value) => ({ 0.25: "1/4", 0.5: "1/2" })[value] ?? String(value);

export function deletion(name, { begin, end }) {
  return `${name}, ${date(begin)}, ${time(begin)} to ${date(begin) === date(end) ? "" : `${date(end)}, `}${time(end)}`;
}
export const deleted = (answer) => (answer.files === 0 ? "There was nothing to delete." : `Deleted ${plural(answer.files, "file", "files")} (${size(answer.bytes)}), from ${time(answer.begin)} to ${time(answer.end)}.`);

export const clipName = (name, begin) => fileName(name, begin, "mp4");
