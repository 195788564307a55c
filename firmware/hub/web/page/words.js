// SPDX-License-Identifier: Apache-2.0
// What the page says to people.

const number = new Intl.NumberFormat("en");
const plural = (n, one, many) => (n === 1 ? one : many);

// The reasons of ../../../watch/refusal.hpp, with the sentence for `n` frames.
const FRAMES = {
  not_member: (n, p) => `${p} of ${plural(n, "a camera that does", "cameras that do")} not list this hub arrived here and ${plural(n, "was", "were")} not opened.`,
  wrong_account: (n, p) => `${p} of another account's camera arrived here and could not be opened.`,
  bad_signature: (n, p) => `${p} came in a camera's name without its signature and ${plural(n, "was", "were")} refused.`,
  not_decryptable: (n, p) => `${p} ${plural(n, "was", "were")} sealed for somebody else and could not be opened.`,
  replayed: (n, p) => `${p} that had been here before came again and ${plural(n, "was", "were")} not shown.`,
  out_of_order: (n, p) => `${p} came after newer ones and ${plural(n, "was", "were")} left out.`,
  closed_epoch: (n, p) => `${p} of a session that is over came again and ${plural(n, "was", "were")} not shown.`,
  cloned: (n, p) => `${p} of a camera that lives twice ${plural(n, "was", "were")} not shown.`,
  malformed: (n) => `${number.format(n)} ${plural(n, "message was", "messages were")} no picture at all and ${plural(n, "was", "were")} thrown away.`,
};

export const count = (n) => number.format(n);

// One sentence for each reason that occurred, the commonest first.
export function refusedSentences(counts) {
  return Object.entries(counts)
    .filter(([reason, n]) => n > 0 && reason in FRAMES)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, n]) => FRAMES[reason](n, `${number.format(n)} ${plural(n, "picture", "pictures")}`));
}

export const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

export function refusedControlSentence(counts) {
  const n = total(counts);
  if (n === 0) return "";
  const reasons = Object.entries(counts).filter(([, c]) => c > 0).map(([reason, c]) => `${reason.replaceAll("_", " ")}: ${number.format(c)}`);
  return `${number.format(n)} ${plural(n, "message", "messages")} about keys and membership ${plural(n, "was", "were")} refused (${reasons.join(", ")}).`;
}

// "7 s", "3 min", "2 h", "5 d": never younger than it is by more than its unit.
export function age(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h`;
  return `${Math.floor(s / 86400)} d`;
}

const sameDay = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const otherDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short" });
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

export function moment(ms, now = Date.now()) {
  const date = new Date(ms);
  return (date.toDateString() === new Date(now).toDateString() ? sameDay : otherDay).format(date);
}
// "40 s", "3 h": for people, rounded.
export function span(seconds) {
  const s = Math.abs(seconds);
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return s < 2 * 31_557_600 ? `${number.format(Math.round(s / 86_400))} days` : `${number.format(Math.round(s / 31_557_600))} years`;
}

// Of these nothing is shown, whatever is on the canvas.
export const BARRED = new Set(["cloned", "suspended", "removed"]);

// What is going on, and what to do: for each `reason` of a camera's state (../README.md).
const REASONS = {
  cloned: () => "Two devices live with this camera's identity, so neither is shown. Reset the camera and pair it again.",
  suspended: () => "The owner suspended the integration that this hub belongs to. Pictures come back when the owner resumes it.",
  removed: () => "The owner took this hub off this camera's list. Ask the owner to add it again if you should see this camera.",
  roster_conflict: () => "Two different lists of this camera's hubs have one number; the first stays in force. Ask the owner to write a new one.",
  clock: (c) => `The picture is live, but the camera's clock is ${span(c.clock_ahead_s)} ${c.clock_ahead_s > 0 ? "ahead of" : "behind"} this hub's. Set the one that is wrong.`,
  privacy: (c) => `Privacy: the camera's sensor is closed. This hub heard so at ${moment(c.privacy_heard_us / 1000)}. ` +
                  (c.may_switch_privacy ? "You can open it here." : "Its owner can open it."),
  said_goodbye: () => "The camera was switched off or lost its connection. Check its power and its network.",
  no_answer: () => "The camera does not answer. Check its power and its network.",
  waiting: () => "Waiting for the camera's first picture.",
};
export const reason = (camera) => REASONS[camera?.reason]?.(camera) ?? "";

const BADGES = { cloned: "NOT SHOWN", suspended: "SUSPENDED", removed: "REMOVED", privacy: "PRIVACY" };
export function badge(state, why, ageMs) {
  if (state === "STALE") return ageMs === null ? "STALE" : `STALE ${age(ageMs)}`;
  return state === "OFFLINE" ? BADGES[why] ?? "OFFLINE" : state;
}

// How a wish to switch a camera's privacy goes; empty when nobody wished.
export function wish(camera) {
  if (camera?.privacy_wish === true) return "Closing the sensor …";
  if (camera?.privacy_wish === false) return "Opening the sensor …";
  if (camera?.privacy_failed === true) return "The camera did not close its sensor within ten seconds. Try again, or unplug the camera.";
  if (camera?.privacy_failed === false) return "The camera did not open its sensor within ten seconds. Check its power and its network, then try again.";
  return "";
}

export const privacyRefused = (why) => ({
  not_allowed: "This hub may not switch this camera's privacy. Its owner can allow it.",
  no_broker: "The hub has no connection to the broker, so nothing was asked. Try again when it is back.",
})[why] ?? "This hub has no such camera any more.";

export const clock = () => hour.format(new Date());
