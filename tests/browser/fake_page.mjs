// SPDX-License-Identifier: Apache-2.0
// The parts of a browser that the hub's page uses, without a browser. Importing this file opens the page: it imports main.js. Time
// moves only with advance().
import { hubPage } from "./served.mjs";

const page = hubPage();

let now = 1000;
const epoch = 1_790_000_000_000;
performance.now = () => now;
Date.now = () => epoch + now;

class Element {
  dataset = {};
  children = [];
  parts = new Map();
  textContent = "";
  hidden = false;
  width = 16;
  height = 9;
  style = { setProperty() {}, getPropertyValue: () => "" };
  classList = { toggle() {} };
  querySelector(selector) {
    if (!this.parts.has(selector)) this.parts.set(selector, new Element());
    return this.parts.get(selector);
  }
  setAttribute() {}
  append(...children) {
    const elements = children.filter((child) => child instanceof Element);
    for (const element of elements) element.remove();
    this.children.push(...elements);
    for (const element of elements) element.parent = this;
  }
  replaceChildren(...elements) {
    this.children = [];
    this.append(...elements);
  }
  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((child) => child !== this);
  }
  animate() { return { startTime: 0 }; }
  getContext() { return { drawImage() {}, clearRect() {} }; }
  addEventListener() {}
  focus() {}
}

const byId = new Map();
const element = (id) => {
  if (!byId.has(id)) byId.set(id, new Element());
  return byId.get(id);
};

const frames = new Map();
let frameNumber = 0;
let tick = null;
let socket = null;

// Draws what `unit()` describes. It also has the faults of a decoder.
class FakeDecoder {
  state = "unconfigured";
  decodeQueueSize = 0;
  #callbacks;
  constructor(callbacks) { this.#callbacks = callbacks; }
  configure({ codec }) {
    if (codec.endsWith("ff")) throw new TypeError("this codec is not valid");
    this.state = "configured";
  }
  close() {
    if (this.state === "closed") throw new DOMException("closed twice", "InvalidStateError");
    this.state = "closed";
  }
  decode({ data, timestamp }) {
    if (this.state !== "configured") throw new DOMException("not configured", "InvalidStateError");
    const mode = data.at(-1) ?? 0;
    if (mode === 1) throw new DOMException("decode", "DataError");
    if (mode === 2) return this.#callbacks.error(new DOMException("decode", "EncodingError"));
    if (mode === 3) return this.#callbacks.output({ timestamp: timestamp + 7, visibleRect: null, close() {} });
    const view = new DataView(data.buffer, data.byteOffset + data.length - 5, 5);
    const visibleRect = { width: view.getUint16(0), height: view.getUint16(2) };
    this.#callbacks.output({ timestamp, visibleRect, displayWidth: mode === 4 ? 4e9 : visibleRect.width, displayHeight: visibleRect.height, close() {} });
  }
}

class FakeSocket {
  static OPEN = 1;
  readyState = 1;
  constructor() { socket = this; }
  addEventListener() {}
  send(text) {
    const { ping } = JSON.parse(text);
    if (ping) this.onmessage({ data: JSON.stringify({ type: "pong", ping, boot_us: now * 1000 }) });
  }
}

Object.assign(globalThis, {
  window: globalThis, VideoDecoder: FakeDecoder, EncodedVideoChunk: class { constructor(init) { Object.assign(this, init); } },
  WebSocket: FakeSocket, ResizeObserver: class { observe() {} }, MutationObserver: class { observe() {} }, Option: class {},
  fetch: () => Promise.reject(new Error("there is no hub")),
  document: { getElementById: element, createElement: () => new Element(), createElementNS: () => new Element(), querySelector: () => null,
              addEventListener() {}, body: new Element(), documentElement: new Element(), hidden: false },
  location: { host: "127.0.0.1:8420", hash: "", pathname: "/" }, localStorage: { getItem: () => null, setItem() {} },
  getComputedStyle: () => ({}), addEventListener() {},
  requestAnimationFrame: (draw) => { frames.set(++frameNumber, draw); return frameNumber; },
  cancelAnimationFrame: (number) => { frames.delete(number); },
  setInterval: (run, ms) => { if (ms === 200) tick = run; },  // of the view
});
console.error = () => {};  // a tile logs its first fault
element("recordings").hidden = true;  // as in index.html
await import(new URL("main.js", page));
socket.onopen();

function drawFrames() {
  const due = [...frames.values()];
  frames.clear();
  for (const draw of due) draw();
}

// Lets the page do everything that is due after `ms`.
export function advance(ms) {
  now += ms;
  drawFrames();
  tick();
}
export const time = () => now;
export const receive = (data) => {
  socket.onmessage({ data });
  drawFrames();
};
export const tile = (camera) => element("grid").children.find((child) => child.dataset.camera === camera);
export const part = (camera, selector) => tile(camera).querySelector(selector);

// A key frame that FakeDecoder shows in this size. `mode`: 0 shows it, 1 to 3 fail, 4 has an impossible aspect ratio.
export function unit(width, height, mode = 0, level = 0x28) {
  const bytes = new Uint8Array([0, 0, 0, 1, 0x67, 0x42, 0xc0, level, 0, 0, 0, 0, mode]);
  new DataView(bytes.buffer).setUint16(8, width);
  new DataView(bytes.buffer).setUint16(10, height);
  return bytes;
}

// A picture message (firmware/docs/hub-api.md). `camera`: bytes of its id.
export function picture(camera, { live = true, flags = 1 | 4, captured = BigInt(epoch) * 1000n, age = 40, width = 320, height = 240,
                                 sent = now * 1000, content = unit(width, height), number = 1 } = {}) {
  const bytes = new Uint8Array(80 + content.length);
  const view = new DataView(bytes.buffer);
  bytes.set([1, 1, live ? 1 : 2, flags]);
  bytes.set(camera, 4);
  view.setUint32(24, number);
  view.setBigInt64(28, BigInt.asIntN(64, captured));
  view.setUint32(36, age);
  view.setUint16(64, width);
  view.setUint16(66, height);
  view.setBigUint64(72, BigInt(Math.round(sent)));
  bytes.set(content, 80);
  return bytes.buffer;
}
