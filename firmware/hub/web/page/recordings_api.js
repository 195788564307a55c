// SPDX-License-Identifier: Apache-2.0
// The hub's API of recordings (firmware/docs/hub-api.md). Times are in ms since the Unix epoch, by the hub's clock unless noted.

const HEADER = 48;
const MAX_UNIT = 16 << 20;
const TYPE = { picture: 2, end: 3 };
const FLAG = { key: 1, motion: 2, continues: 4 };

const us = (ms) => Math.round(ms * 1000);
const text = (value) => (typeof value === "string" ? value : "");
const number = (value) => (Number.isFinite(value) ? value : 0);
const ms = (value) => (Number.isFinite(value) ? value / 1000 : null);
const list = (value) => (Array.isArray(value) ? value : []);
const object = (value) => (typeof value === "object" && value !== null ? value : {});

// An answer of the hub that is not 200. `message` is the hub's text.
export class RecordingsError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function get(path, options) {
  const response = await fetch(path, { cache: "no-store", ...options });
  if (!response.ok) throw new RecordingsError(response.status, (await response.text()).trim().slice(0, 300));
  return response;
}

// The members of a list that the page uses, each with its type.
export function readList(json) {
  const { enabled, fault, fault_since_us, fault_text, bytes, quota, disk_free, cameras } = object(json);
  return {
    enabled: enabled === true, fault: text(fault), fault_since: ms(fault_since_us), fault_text: text(fault_text),
    bytes: number(bytes), quota: number(quota), disk_free: number(disk_free),
    cameras: list(cameras).map(object).filter((c) => /^[a-z2-7]{32}$/.test(text(c.id))).map((c) => ({
      id: c.id, name: text(c.name) || `Camera ${c.id.slice(0, 6)}`, mode: text(c.mode), detects_motion: c.detects_motion !== false, recording: c.recording === true,
      begin: ms(c.begin_us), end: ms(c.end_us), bytes: number(c.bytes), ended: text(c.ended), suspended: c.suspended === true,
    })),
  };
}

const rangeOf = (entry) => ({ begin: ms(entry.begin_us), end: ms(entry.end_us) });
const isRange = ({ begin, end }) => begin !== null && end !== null && end >= begin;

export function readTimeline(json) {
  const { days, spans, gaps, events } = object(json);
  return {
    days: list(days).map(object).filter((d) => /^\d{4}-\d\d-\d\d$/.test(text(d.date))).map((d) => ({ date: d.date, recorded: number(d.recorded_us) / 1000 })),
    spans: list(spans).map(object).map((s) => ({ ...rangeOf(s), bytes: number(s.bytes), openable: s.openable !== false })).filter(isRange),
    gaps: list(gaps).map(object).map((g) => ({ ...rangeOf(g), frames: number(g.frames) })).filter(isRange),
    events: list(events).map(object).map((e) => ({ ...rangeOf(e), peak: ms(e.peak_us) ?? ms(e.begin_us) })).filter(isRange),
  };
}

export const fetchList = async (signal) => readList(await (await get("/api/recordings", { signal })).json());

export const fetchTimeline = async (camera, begin, end, signal) =>
  readTimeline(await (await get(`/api/recordings/${camera}?from=${us(begin)}&to=${us(end)}`, { signal })).json());

export async function remove(camera, begin, end) {
  const json = object(await (await get(`/api/recordings/${camera}?from=${us(begin)}&to=${us(end)}`, { method: "DELETE" })).json());
  return { files: number(json.files), bytes: number(json.bytes), begin: ms(json.begin_us), end: ms(json.end_us) };
}

export const clipAddress = (camera, begin, end) => `/recordings/${camera}.mp4?from=${us(begin)}&to=${us(end)}`;
// Throws the hub's reason if there is no such clip.
export async function checkClip(camera, begin, end) {
  const response = await fetch(clipAddress(camera, begin, end), { method: "HEAD", cache: "no-store" });
  if (response.ok) return;
  throw new RecordingsError(response.status, response.status === 404 ? "There is no recording in this clip."
    : response.status === 503 ? "The hub is busy. Try again in two seconds." : "The hub cannot make this clip.");
}

function readUnit(view, bytes) {
  const flags = view.getUint8(2);
  return {
    key: (flags & FLAG.key) !== 0, motion: (flags & FLAG.motion) !== 0, continues: (flags & FLAG.continues) !== 0,
    at: Number(view.getBigInt64(8)) / 1000,
    captured: Number(view.getBigInt64(16)) / 1000,  // by the camera's clock, any value
    width: view.getUint16(40), height: view.getUint16(42),
    unit: bytes,
  };
}

// Cuts the bytes of CAMERA.units into pictures. They arrive in pieces of any size.
export class UnitParser {
  #held = new Uint8Array(0);
  #end = null;

  // The numbers of pictures that the hub left out: { altered, noKey, undecodable }. Null before the end of the range.
  get end() { return this.#end; }

  // The pictures that are complete now. Throws if the bytes do not follow the format.
  push(piece) {
    const bytes = new Uint8Array(this.#held.length + piece.length);
    bytes.set(this.#held);
    bytes.set(piece, this.#held.length);
    const pictures = [];
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const view = new DataView(bytes.buffer, at, HEADER);
      if (this.#end || view.getUint8(0) !== 1) throw new Error("the hub sent recordings in an unknown format");
      if (view.getUint8(1) === TYPE.end) {
        const [altered, noKey, undecodable] = [8, 16, 24].map((offset) => Number(view.getBigUint64(offset)));
        this.#end = { altered, noKey, undecodable };
        at += HEADER;
        continue;
      }
      const size = view.getUint32(4);
      if (view.getUint8(1) !== TYPE.picture || size === 0 || size > MAX_UNIT) throw new Error("the hub sent recordings in an unknown format");
      if (bytes.length - at < HEADER + size) break;
      pictures.push(readUnit(view, bytes.slice(at + HEADER, at + HEADER + size)));
      at += HEADER + size;
    }
    this.#held = bytes.slice(at);
    return pictures;
  }
}

// The key frame at or before a time.
export async function fetchKey(camera, at, signal) {
  const response = await get(`/recordings/${camera}.units?at=${Math.max(0, us(at))}`, { signal });
  return new UnitParser().push(new Uint8Array(await response.arrayBuffer()))[0] ?? null;
}

// Calls `each(pictures)` while the pictures of the range arrive. Returns what the hub left out. The first picture is a key frame at or
// before `begin`, if its recording contains `begin`.
export async function fetchRange(camera, begin, end, { keys = false, signal }, each) {
  const response = await get(`/recordings/${camera}.units?from=${Math.max(0, us(begin))}&to=${us(end)}${keys ? "&pictures=keys" : ""}`, { signal });
  const parser = new UnitParser();
  const reader = response.body.getReader();
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    const pictures = parser.push(value);
    if (pictures.length > 0) each(pictures);
  }
  if (!parser.end) throw new Error("the hub ended the recording early");
  return parser.end;
}
