// SPDX-License-Identifier: Apache-2.0
// The hub's WebSocket (../README.md): texts and pictures come in, the wish to watch goes out. Connects again by itself.
import { Transit } from "./age.js";

const HEADER = 72;
const FLAG = { key: 1, still: 2, age: 4, cached: 8 };
const RETRY = { first: 250, most: 4000 };
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

const hex = (view, at) => view.getBigUint64(at).toString(16).padStart(16, "0");

function base32(bytes) {
  let text = "", bits = 0, held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return text;
}

// Null when it is not what this page knows.
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
    camera: base32(new Uint8Array(buffer, 4, 20)),
    number: view.getUint32(24),
    captured: Number(view.getBigUint64(28)) / 1000,
    age: flags & FLAG.age ? view.getUint32(36) : null,
    epoch: hex(view, 40),
    handedOut: Number(view.getBigUint64(56)) / 1000,
    width: view.getUint16(64),
    height: view.getUint16(66),
    unit: new Uint8Array(buffer, HEADER),
  };
}

export class Link {
  #socket = null;
  #retry = RETRY.first;
  #wish = "all";
  #transit = new Transit();
  #handlers;

  // handlers: state(json), picture(picture), refused(json), open(), closed()
  constructor(handlers) {
    this.#handlers = handlers;
    this.#connect();
  }

  get open() { return this.#socket?.readyState === WebSocket.OPEN; }

  // "all", or a list of camera ids.
  watch(wish) {
    this.#wish = wish;
    if (this.open) this.#socket.send(JSON.stringify({ watch: wish }));
  }

  // False: there is no connection.
  switchPrivacy(camera, on) {
    if (this.open) this.#socket.send(JSON.stringify({ privacy: camera, on }));
    return this.open;
  }

  // The hub sends the current group of pictures anew.
  again() {
    if (!this.open) return;
    this.#socket.send('{"watch":[]}');
    this.watch(this.#wish);
  }

  #connect() {
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#retry = RETRY.first;
      this.#transit = new Transit();
      this.watch(this.#wish);
      this.#handlers.open();
    };
    socket.onmessage = ({ data }) => this.#message(data);
    socket.onclose = () => {
      this.#socket = null;
      this.#handlers.closed();
      setTimeout(() => this.#connect(), this.#retry);
      this.#retry = Math.min(2 * this.#retry, RETRY.most);
    };
    this.#socket = socket;
  }

  #message(data) {
    if (typeof data === "string") {
      const json = JSON.parse(data);
      if (json.type === "state") this.#handlers.state(json);
      if (json.type === "privacy_refused") this.#handlers.refused(json);
      return;
    }
    const picture = readPicture(data);
    if (!picture) return;
    // What lay in sockets and queues since the hub stamped it makes the picture older.
    const late = this.#transit.late(picture.handedOut);
    if (picture.age !== null) picture.age += late;
    this.#handlers.picture(picture);
  }
}
