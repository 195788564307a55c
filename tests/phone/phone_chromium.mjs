// SPDX-License-Identifier: Apache-2.0
// Controls a headless Chromium with the app in several tabs and profiles: reads one JSON command per line from stdin and answers with one line
// of JSON. phone_scene.py uses it. A context is one phone; its pages are tabs. SEALCAM_PINS: hashes of the keys of certificates that it trusts.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { readMark, readTiles } from "./readers.mjs";

const browser = await chromium.launch({
  executablePath: process.env.SEALCAM_CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-dev-shm-usage", `--ignore-certificate-errors-spki-list=${process.env.SEALCAM_PINS ?? ""}`],
});
const contexts = new Map(), pages = new Map();
const warnings = [];   // warnings and errors of all pages
const requests = [];   // { url, bytes }; also of WebSockets

async function contextOf(name, { width, height, scheme, policy }) {
  if (!contexts.has(name)) contexts.set(name, await browser.newContext({ viewport: { width, height }, colorScheme: scheme, locale: "en-GB", timezoneId: "UTC",
    bypassCSP: !policy }));
  contexts.get(name).setDefaultTimeout(60_000);
  return contexts.get(name);
}

function observe(page) {
  // Only the tests read pixels, so Chromium's advice on that is not about the page.
  page.on("console", (message) => ["warning", "error"].includes(message.type()) && !message.text().includes("willReadFrequently") && warnings.push(message.text()));
  page.on("pageerror", (error) => warnings.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  page.on("websocket", (socket) => requests.push(socket.url()));
}

// Records each frame that the browser draws: [camera of the tile, state, number and camera in the pixels, ms].
const RECORDER = `(() => {
  const readMark = ${readMark};
  window.seen = [];
  const step = () => {
    for (const tile of document.querySelectorAll(".tile")) {
      if (tile.dataset.pictures !== "some" || tile.dataset.hidden === "yes") continue;
      const mark = readMark(tile.dataset.camera);
      window.seen.push([tile.dataset.camera, tile.dataset.state, mark?.number ?? null, mark?.camera ?? null, performance.now()]);
    }
    requestAnimationFrame(step);
  };
  step();
})()`;

const HIDE = (hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  Object.defineProperty(document, "visibilityState", { value: hidden ? "hidden" : "visible", configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
};

const commands = {
  async open({ page: name = "main", context = "phone", url, width = 390, height = 844, scheme = "dark", script = "", slow = null, files = {}, policy = true }) {
    const page = await (await contextOf(context, { width, height, scheme, policy })).newPage();
    // In place of the server's. A phone that was never opened has no service worker, which would answer before.
    for (const [file, body] of Object.entries(files)) await page.route(`**/${file}`, (route) => route.fulfill({ contentType: "text/javascript", body }));
    await pages.get(name)?.close();
    pages.set(name, page);
    observe(page);
    if (script) await page.addInitScript(script);
    if (slow) {  // { kbit (each second and direction), ms (delay) }
      const bytes = slow.kbit * 125, conditions = { offline: false, latency: slow.ms, downloadThroughput: bytes, uploadThroughput: bytes };
      await (await page.context().newCDPSession(page)).send("Network.emulateNetworkConditions", conditions);
    }
    const response = await page.goto(url);
    return { status: response?.status(), headers: response?.headers() };
  },
  async goto({ page, url }) { await page.goto(url); },
  async reload({ page }) { await page.reload(); },
  async close({ name }) {
    await pages.get(name).close();
    pages.delete(name);
  },
  async end({ context }) {
    await contexts.get(context)?.close();
    contexts.delete(context);
  },
  offline: ({ page, on }) => page.context().setOffline(on),
  tiles: ({ page }) => page.evaluate(readTiles),
  mark: ({ page, camera }) => page.evaluate(readMark, camera),
  record: ({ page }) => page.evaluate(RECORDER),
  hide: ({ page, on }) => page.evaluate(HIDE, on),
  // Deletes everything that the browser stores for the app, as a person or the browser does.
  async wipe({ page, types = "all" }) {
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.clearDataForOrigin", { origin: new URL(page.url()).origin, storageTypes: types });
  },
  shot: ({ page, file }) => page.screenshot({ path: file }).then(() => null),
  text: ({ page, selector }) => page.locator(selector).first().innerText(),
  visible: ({ page, selector }) => page.locator(selector).first().isVisible(),
  screen: ({ page }) => page.evaluate(() => document.body.dataset.screen ?? null),
  click: ({ page, selector }) => page.locator(selector).first().click().then(() => null),
  press: ({ page, key }) => page.keyboard.press(key).then(() => null),
  fill: ({ page, selector, text }) => page.locator(selector).fill(text).then(() => null),
  evaluate: ({ page, code }) => page.evaluate(code),
  url: ({ page }) => page.url(),
  warnings: () => warnings,
  requests: () => requests,
  clear: () => { warnings.length = requests.length = 0; },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...rest } = JSON.parse(line);
  try {
    if (command !== "open") rest.name = rest.page ?? "main";
    if (command !== "open") rest.page = pages.get(rest.name);
    console.log(JSON.stringify({ value: (await commands[command](rest)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
await browser.close();
