// SPDX-License-Identifier: Apache-2.0
// A Chromium on strings: reads one JSON command a line from stdin, answers each with one JSON line. browser.py pulls them.
import { createInterface } from "node:readline";
import { writeFile } from "node:fs/promises";
import { chromium } from "playwright-core";

const browser = await chromium.launch({
  executablePath: process.env.SEALCAM_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
let page = null;
const noise = [];      // what the browser complained about
const outside = [];    // requests that left the hub

// Fields that are put over every camera of the hub's states, so that each of its words can be looked at. Set when a page was
// opened with `patched`: everything else still comes from the hub.
let patch = {};
function patchStates(socket) {
  const hub = socket.connectToServer();
  const overlaid = (data) => {
    if (typeof data !== "string") return data;
    const json = JSON.parse(data);
    if (json.type === "state") json.cameras = json.cameras.map((camera) => ({ ...camera, ...patch }));
    return JSON.stringify(json);
  };
  hub.onMessage((data) => socket.send(overlaid(data)));
}

// What a person would see of each tile. Runs in the page.
function readTiles() {
  return [...document.querySelectorAll(".tile")].map((tile) => {
    const text = (selector) => tile.querySelector(selector).textContent;
    const box = tile.getBoundingClientRect();
    const canvas = tile.querySelector("canvas");
    return {
      camera: tile.dataset.camera, state: tile.dataset.state, badge: text(".badge"), name: text(".name"),
      taken: text(".taken"), why: text(".why"), note: text(".note"), reason: tile.dataset.reason, label: tile.ariaLabel,
      number: canvas.dataset.number === undefined ? null : Number(canvas.dataset.number),
      width: box.width, height: box.height, visible: box.width > 0,
      filter: getComputedStyle(canvas).filter, pictures: tile.dataset.pictures,
    };
  });
}

// The mark of hal/fake/picture_mark.hpp on a camera's canvas: whose picture is shown is read from its pixels alone.
function readMark(camera) {
  const canvas = document.querySelector(`.tile[data-camera="${camera}"] canvas`);
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, Math.ceil(height / 4)).data;
  const bits = [];
  for (let row = 0; row < 4; ++row)
    for (let column = 0; column < 16; ++column) {
      const x = Math.floor(((column + 1.5) * width) / 40), y = Math.floor(((row + 1.5) * height) / 24);
      const green = data[4 * (y * width + x) + 1];
      if (green > 80 && green < 175) return null;
      bits.push(green > 127 ? 1 : 0);
    }
  const bytes = Array.from({ length: 8 }, (_, i) => parseInt(bits.slice(8 * i, 8 * i + 8).join(""), 2));
  let crc = 0xffff;
  for (const byte of bytes.slice(0, 6)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; ++i) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  if (crc !== ((bytes[6] << 8) | bytes[7])) return null;
  return { number: bytes.slice(0, 4).reduce((n, b) => n * 256 + b, 0), camera: bytes[4] * 256 + bytes[5] };
}

function readCanvas(camera) {
  return document.querySelector(`.tile[data-camera="${camera}"] canvas`).toDataURL("image/png");
}

const commands = {
  async open({ url, width = 1280, height = 800, scheme = "dark", zone = "UTC", touch = false, locale = "en-GB", patched = false }) {
    if (page) await page.context().close();
    const context = await browser.newContext({
      viewport: { width, height }, colorScheme: scheme, timezoneId: zone, hasTouch: touch, locale });
    page = await context.newPage();
    page.on("console", (message) => ["warning", "error"].includes(message.type()) && noise.push(message.text()));
    page.on("pageerror", (error) => noise.push(String(error)));
    page.on("request", (request) => new URL(request.url()).host !== new URL(url).host && outside.push(request.url()));
    patch = {};
    if (patched) await page.routeWebSocket(/\/ws$/, patchStates);
    const response = await page.goto(url);
    return { status: response?.status(), headers: response?.headers() };
  },
  patch: ({ fields }) => { patch = fields; },
  tiles: () => page.evaluate(readTiles),
  mark: ({ camera }) => page.evaluate(readMark, camera),
  async canvas({ camera, file }) {
    await writeFile(file, Buffer.from((await page.evaluate(readCanvas, camera)).split(",")[1], "base64"));
  },
  shot: ({ file }) => page.screenshot({ path: file }).then(() => null),
  text: ({ selector }) => page.locator(selector).innerText(),
  visible: ({ selector }) => page.locator(selector).isVisible(),
  press: ({ key }) => page.keyboard.press(key).then(() => null),
  click: ({ selector }) => page.locator(selector).first().click().then(() => null),
  tap: ({ selector }) => page.locator(selector).first().tap().then(() => null),
  evaluate: ({ code }) => page.evaluate(code),
  resize: ({ width, height }) => page.setViewportSize({ width, height }).then(() => null),
  complaints: () => ({ noise, outside }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ value: (await commands[command](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
