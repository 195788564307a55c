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
export const clock = () => hour.format(new Date());
