// SPDX-License-Identifier: Apache-2.0
// The hub's WebSocket (firmware/docs/hub-api.md). Receives states and pictures, sends requests, reconnects by itself.
import { HubClock } from "./age.js";
import { idText } from "./bytes.js";

const HEADER = 80;
const FLAG = { key: 1, still: 2, age: 4, cached: 8 };
const RETRY = { first: 250, max: 4000 };

const hex = (view, at) => view.getBigUint64(at).toString(16).padStart(16, "0");

// Null if the version or the type of the message is unknown.
export function readPicture(buffer) {
  if (buffer.byteLength <= HEADER) return null;
  const view = new DataView(buffer);
  if (view.getUint8(0) !== 1 || view.getUint8(1) !== 1) return null;
  const flags = view.getUint8(3);
  return {
    live: view.getUint8(2) === 1,
    key: (flags & FLAG.key) !== 0,
    still: (flags & FLAG.still) !== 0,
    cached: (flags & FLAG.cached) !== 0,
    camera: idText(new Uint8Array(buffer, 4, 20)),
    number: view.getUint32(24),
    captured: Number(view.getBigInt64(28)) / 1000,
    age: flags & FLAG.age ? view.getUint32(36) : null,
    epoch: hex(view, 40),
    width: view.getUint16(64),
    height: view.getUint16(66),
    sent: Number(view.getBigUint64(72)) / 1000,  // by the hub's boot-time clock
    unit: new Uint8Array(buffer, HEADER),
  };
}

// Browsers do not tell a page why a WebSocket was rejected. Without access, the hub's answer to a reload explains how to get it.
async function showIfNoAccess() {
  try {
    if ((await fetch("/", { method: "HEAD" })).status === 401) location.reload();
  } catch { /* The hub does not answer. The link connects again. */ }
}

const text = (value) => (typeof value === "string" ? value : "");
const numberOrNull = (value) => (Number.isFinite(value) ? value : null);
const boolOrNull = (value) => (typeof value === "boolean" ? value : null);
const object = (value) => (typeof value === "object" && value !== null ? value : {});
const counts = (value) => Object.fromEntries(Object.entries(object(value)).filter(([, n]) => Number.isFinite(n)));

const ID = /^[a-z2-7]{32}$/;
const list = (value) => (Array.isArray(value) ? value : []);
const readMember = ({ hub, integration, suspended, may_switch_privacy }) => ({
  hub, integration: text(integration) || null, suspended: suspended === true, may_switch_privacy: may_switch_privacy === true });

// Version of the camera and the text about its updates. Null if the camera reports none.
const readSoftware = ({ version, update }) => (text(version) === "" ? null : { version, update: text(object(update).text) });

// The members that the page uses, each with its type. Null if the entry has no id.
function readCamera(json) {
  const camera = object(json);
  if (!ID.test(text(camera.id))) return null;
  return {
    id: camera.id, name: text(camera.name), state: text(camera.state), reason: text(camera.reason) || null,
    clock_ahead_s: numberOrNull(camera.clock_ahead_s), proven_until_us: numberOrNull(camera.proven_until_us), hint: text(camera.hint) || null, hint_since_us: numberOrNull(camera.hint_since_us),
    privacy: camera.privacy === true, may_switch_privacy: camera.may_switch_privacy === true,
    requested_privacy: boolOrNull(camera.requested_privacy), privacy_failed: boolOrNull(camera.privacy_failed),
    members: list(camera.members).map(object).filter((member) => ID.test(text(member.hub))).map(readMember), members_changed_us: numberOrNull(camera.members_changed_us),
    software: readSoftware(object(camera.software)),
    rejected: counts(camera.rejected), rejected_control: counts(camera.rejected_control),
  };
}

// A text message of the hub: its type and the members that the page uses. Null for a message that is not valid.
export function readText(data) {
  let json;
  try {
    json = object(JSON.parse(data));
  } catch {
    return null;
  }
  if (json.type === "pong") return { type: json.type, ping: numberOrNull(json.ping), boot_us: numberOrNull(json.boot_us) ?? NaN };
  if (json.type === "privacy_rejected") return { type: json.type, camera: text(json.camera), why: text(json.why) };
  if (json.type !== "state" || !Array.isArray(json.cameras)) return null;
  const cameras = new Map(json.cameras.map(readCamera).filter(Boolean).map((camera) => [camera.id, camera]));
  return {
    type: json.type, connected: json.connected === true, hub: text(json.hub), cameras: [...cameras.values()],
    rejected: counts(json.rejected), rejected_control: counts(json.rejected_control),
  };
}

export class Link {
  #socket = null;
  #retry = RETRY.first;
  #requested = "all";
  #clock = new HubClock();
  #handlers;

  // handlers: state(json), picture(picture), rejected(json), open(), closed()
  constructor(handlers) {
    this.#handlers = handlers;
    this.#connect();
  }

  get open() { return this.#socket?.readyState === WebSocket.OPEN; }

  // "all", or a list of camera ids.
  watch(cameras) {
    this.#requested = cameras;
    if (this.open) this.#socket.send(JSON.stringify({ watch: cameras }));
  }

  // False if there is no connection.
  switchPrivacy(camera, on) {
    if (this.open) this.#socket.send(JSON.stringify({ privacy: camera, on }));
    return this.open;
  }

  // Requests the hub's time if that is due. Call this several times a second.
  keepTime() {
    if (this.open && this.#clock.due) this.#socket.send(JSON.stringify({ ping: this.#clock.ping() }));
  }

  // Makes the hub send the current group of pictures of one camera again. `others`: the other cameras, which continue.
  resend(camera, others) {
    if (!this.open || (this.#requested !== "all" && !this.#requested.includes(camera))) return;
    const keep = this.#requested === "all" ? others : this.#requested.filter((id) => id !== camera);
    this.#socket.send(JSON.stringify({ watch: keep.slice(0, 256) }));
    this.watch(this.#requested);
  }

  #connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#retry = RETRY.first;
      this.#clock = new HubClock();
      this.keepTime();
      this.watch(this.#requested);
      this.#handlers.open();
    };
    socket.onmessage = ({ data }) => this.#message(data);
    let opened = false;
    socket.addEventListener("open", () => { opened = true; });
    socket.onclose = () => {
      if (!opened) showIfNoAccess();
      this.#socket = null;
      this.#handlers.closed();
      setTimeout(() => this.#connect(), this.#retry);
      this.#retry = Math.min(2 * this.#retry, RETRY.max);
    };
    this.#socket = socket;
  }

  #message(data) {
    if (typeof data === "string") {
      const json = readText(data);
      if (json?.type === "pong") this.#clock.pong(json.ping, json.boot_us / 1000);
      if (json?.type === "state") {
        for (const camera of json.cameras) camera.clock = this.#clock;
        this.#handlers.state(json);
      }
      if (json?.type === "privacy_rejected") this.#handlers.rejected(json);
      return;
    }
    const picture = readPicture(data);
    if (!picture) return;
    picture.clock = this.#clock;
    this.#handlers.picture(picture);
  }
}
