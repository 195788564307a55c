// SPDX-License-Identifier: Apache-2.0
// Controls a headless Chromium: reads one JSON command per line from stdin and answers with one line of JSON. browser.py uses it.
import { createInterface } from "node:readline";
import { writeFile } from "node:fs/promises";
import { chromium } from "playwright-core";
import { readMark, readTiles } from "./readers.mjs";

const browser = await chromium.launch({
  executablePath: process.env.SEALCAM_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"],
});
let page = null;
const warnings = [];   // warnings and errors of the browser
const outside = [];    // requests to other servers than the hub

// Replaces these fields of each camera in the hub's states, so that a test can show each reason. Applies to pages that were opened
// with `patched`.
let patch = {};
function patchStates(socket) {
  const hub = socket.connectToServer();
  const patched = (data) => {
    if (typeof data !== "string") return data;
    const json = JSON.parse(data);
    if (json.type === "state") json.cameras = json.cameras.map((camera) => ({ ...camera, ...patch }));
    return JSON.stringify(json);
  };
  hub.onMessage((data) => socket.send(patched(data)));
}

function readCanvas(camera) {
  return document.querySelector(`.tile[data-camera="${camera}"] canvas`).toDataURL("image/png");
}

const commands = {
  async open({ url, width = 1280, height = 800, scheme = "dark", zone = "UTC", touch = false, locale = "en-GB", patched = false, script = "" }) {
    if (page) await page.context().close();
    const context = await browser.newContext({
      viewport: { width, height }, colorScheme: scheme, timezoneId: zone, hasTouch: touch, locale });
    context.setDefaultTimeout(60_000);
    page = await context.newPage();
    // Only the tests read pixels, so Chromium's advice on that is not about the page.
    page.on("console", (message) => ["warning", "error"].includes(message.type()) && !message.text().includes("willReadFrequently")
      && warnings.push(message.text()));
    page.on("pageerror", (error) => warnings.push(String(error)));
    page.on("request", (request) => new URL(request.url()).host !== new URL(url).host && outside.push(request.url()));
    patch = {};
    if (script) await page.addInitScript(script);
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
  // Moves the pointer over an element, from one part of its width to another, with the button held.
  async drag({ selector, from, to, steps = 10 }) {
    const box = await page.locator(selector).boundingBox(), y = box.y + box.height / 2;
    await page.mouse.move(box.x + from * box.width, y);
    await page.mouse.down();
    await page.mouse.move(box.x + to * box.width, y, { steps });
    await page.mouse.up();
  },
  async hover({ selector, at }) {
    const box = await page.locator(selector).boundingBox();
    await page.mouse.move(box.x + at * box.width, box.y + box.height / 2);
  },
  // Clicks and saves the file that the page then downloads. Returns its proposed name.
  async download({ selector, file }) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.locator(selector).click()]);
    await download.saveAs(file);
    return download.suggestedFilename();
  },
  evaluate: ({ code }) => page.evaluate(code),
  resize: ({ width, height }) => page.setViewportSize({ width, height }).then(() => null),
  warnings: () => ({ warnings, outside }),
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
