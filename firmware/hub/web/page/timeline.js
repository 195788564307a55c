// SPDX-License-Identifier: Apache-2.0
// The geometry of the timeline of one day, and its drawing. Times are in ms. Nothing here reads the document.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE;
export const MIN_VIEW = 2 * MINUTE;
const STEPS = [5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR];
const LABEL = 58;  // px

// The day of a time in the time zone of the browser. Days with a change of the clock have 23 or 25 hours.
export function dayOf(ms, by = 0) {
  const date = new Date(ms);
  const at = (days) => new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
  return { begin: at(by), end: at(by + 1) };
}

// "2026-11-30", the form of <input type="date">.
export function dayText(ms) {
  const date = new Date(ms), two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}
export function dayFromText(text) {
  const match = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (!match) return null;
  const begin = new Date(Number(match[1]), Number(match[2]) - 1, Number(match[3])).getTime();
  return Number.isFinite(begin) ? dayOf(begin) : null;
}

// The nearest day before or after `day` with recordings. `days` are days by UTC, and each of them overlaps two days of most time zones.
export function otherDay(days, day, direction) {
  const begins = new Set();
  for (const { date, recorded } of days) {
    if (!(recorded > 0)) continue;
    const utc = Date.parse(`${date}T00:00:00Z`);
    for (const at of [utc, utc + 24 * HOUR - 1]) begins.add(dayOf(at).begin);
  }
  const others = [...begins].filter((begin) => (direction < 0 ? begin < day.begin : begin >= day.end)).sort((a, b) => a - b);
  const begin = direction < 0 ? others.at(-1) : others[0];
  return begin === undefined ? null : dayOf(begin);
}

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Shows `width` ms around `center`, within the day.
export function viewAround(day, center, width) {
  const length = clamp(width, MIN_VIEW, day.end - day.begin);
  const begin = clamp(center - length / 2, day.begin, day.end - length);
  return { begin, end: begin + length };
}

// Zooms so that `fixed` keeps its place.
export function zoomed(view, day, factor, fixed) {
  const length = clamp((view.end - view.begin) * factor, MIN_VIEW, day.end - day.begin);
  const part = (fixed - view.begin) / (view.end - view.begin);
  const begin = clamp(fixed - part * length, day.begin, day.end - length);
  return { begin, end: begin + length };
}

// Moves the view as little as possible so that `time` is in it.
export function follow(view, day, time) {
  if (time >= view.begin && time < view.end) return view;
  return viewAround(day, time, view.end - view.begin);
}

export const toX = (view, width, time) => ((time - view.begin) / (view.end - view.begin)) * width;
export const toTime = (view, width, x) => view.begin + (clamp(x, 0, width) / width) * (view.end - view.begin);

// The labels of the axis, at multiples of a step since midnight.
export function ticks(view, day, width) {
  const room = Math.max(1, Math.floor(width / LABEL));
  const step = STEPS.find((s) => (view.end - view.begin) / s <= room) ?? STEPS.at(-1);
  const times = [];
  for (let t = day.begin + Math.ceil((view.begin - day.begin) / step) * step; t <= view.end; t += step) times.push(t);
  return { step, times };
}

export const rangeAt = (ranges, time) => ranges.find((r) => r.begin <= time && time < r.end) ?? null;

// The nearest time that a recording contains: the time itself, or else the nearest end or beginning of a recording. Null without recordings.
export function nearest(spans, time) {
  let best = null;
  for (const { begin, end } of spans) {
    const at = clamp(time, begin, Math.max(begin, end - 1));
    if (best === null || Math.abs(at - time) < Math.abs(best - time)) best = at;
  }
  return best;
}

const RULER = 18;  // px below the bar, for the labels

// colors: recorded, locked, gap, motion, text, line, selection, playhead, ground
export function draw(paint, { width, height, view, day, spans, gaps, events, selection, position, hover, label, colors }) {
  const bar = { top: 6, height: height - RULER - 6 };
  const x = (time) => clamp(toX(view, width, time), -2, width + 2);
  const box = (range, top, tall, minWidth) => {
    const left = x(range.begin);
    paint.fillRect(left, top, Math.max(minWidth, x(range.end) - left), tall);
  };
  const visible = (ranges) => ranges.filter((r) => r.end >= view.begin && r.begin <= view.end);

  paint.clearRect(0, 0, width, height);
  paint.fillStyle = colors.ground;
  paint.fillRect(0, bar.top, width, bar.height);
  for (const span of visible(spans)) {
    paint.fillStyle = span.openable ? colors.recorded : colors.locked;
    box(span, bar.top, bar.height, 1);
  }
  // At least 3 px, because a gap of a second must be visible on the scale of a day.
  for (const gap of visible(gaps)) {
    paint.fillStyle = colors.ground;
    box(gap, bar.top, bar.height, 3);
    paint.fillStyle = colors.gap;
    box(gap, bar.top, Math.round(bar.height / 2), 3);
  }
  paint.fillStyle = colors.motion;
  const low = Math.round(bar.height * 0.4);
  for (const range of visible(events)) box(range, bar.top + bar.height - low, low, 4);

  if (selection) {
    paint.fillStyle = colors.selection;
    paint.globalAlpha = 0.28;
    box(selection, 0, bar.top + bar.height, 2);
    paint.globalAlpha = 1;
    for (const edge of [selection.begin, selection.end]) paint.fillRect(x(edge) - 1, 0, 3, bar.top + bar.height);
  }

  paint.font = "12px system-ui, sans-serif";
  paint.textBaseline = "bottom";
  paint.textAlign = "left";
  let free = 0;  // a label at an edge is moved inward, so the next one may have no room
  for (const time of ticks(view, day, width).times) {
    paint.fillStyle = colors.line;
    paint.fillRect(Math.round(x(time)), bar.top, 1, bar.height + 3);
    paint.fillStyle = colors.text;
    const text = label(time), wide = paint.measureText(text).width;
    const left = clamp(x(time) - wide / 2, 0, width - wide);
    if (left < free) continue;
    paint.fillText(text, left, height);
    free = left + wide + 6;
  }
  if (hover !== null) {
    paint.fillStyle = colors.text;
    paint.fillRect(Math.round(x(hover)), 0, 1, bar.top + bar.height);
  }
  if (position !== null && position >= view.begin && position <= view.end) {
    const at = Math.round(x(position));
    paint.fillStyle = colors.playhead;
    paint.fillRect(at - 1, 0, 3, bar.top + bar.height);
    paint.beginPath();
    paint.moveTo(at - 6, 0);
    paint.lineTo(at + 7, 0);
    paint.lineTo(at + 0.5, 8);
    paint.fill();
  }
}
