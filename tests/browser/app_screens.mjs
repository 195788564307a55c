// SPDX-License-Identifier: Apache-2.0
// The screens of the app in Chromium, with the stand-ins of fake_link/ in place of the link: each screen on a phone, and a few on a computer.
//
//     node app_screens.mjs OUTPUT [CASE…] [WIDTHxHEIGHT…]     OUTPUT has node_modules with playwright-core, and receives the screenshots
//
// With SEALCAM_SCREENS=all, and for the cases or sizes that are named, each screen is in all its sizes, dark and light.
// SEALCAM_SCREENS_DELAY: ms until a call of the stand-ins has its effect. SEALCAM_SCREENS_SLOW: how many times slower the scripts of the page are.
// Both show that no case depends on the speed of the machine.
//
// Each screen is checked: nothing is outside of the window, touch targets have at least 44 px, texts have the contrast of WCAG 2.2 AA, each control
// has a name, and the browser reports nothing and requests nothing from other servers. Exit status 77: skipped, because of the printed reason.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CASES, CONTROLS } from "./app_cases.mjs";
import { faultsOf, fakeDecoder } from "./app_checks.mjs";
import { appFolder } from "./served.mjs";

const [output, ...rest] = process.argv.slice(2), size = /^(\d+)x(\d+)$/;
const names = rest.filter((text) => !size.test(text));
const program = process.env.SEALCAM_CHROMIUM ?? "/usr/bin/chromium";
const folder = resolve(output ?? "."), shots = join(folder, "app");
for (const [path, reason] of [[program, "chromium is not installed"], [join(folder, "node_modules/playwright-core"), "playwright-core is not installed"]]) {
  if (existsSync(path)) continue;
  console.log(`SKIPPED: ${reason}`);
  process.exit(77);
}
mkdirSync(shots, { recursive: true });
const { chromium } = createRequire(join(folder, "package.json"))("playwright-core");

// What the app needs, and no more.
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self' wss:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
  + "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types sealcam";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".webmanifest": "application/manifest+json" };
const serve = (app) => createServer((request, response) => {
  const path = new URL(request.url, "http://localhost").pathname, file = join(app, path === "/" ? "index.html" : path.slice(1));
  // The service worker has tests of its own.
  if (path === "/sw.js") return response.writeHead(200, { "Content-Type": TYPES[".js"] }).end("");
  if (!/^\/[\w.-]*$/.test(path) || !existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "text/plain", "Content-Security-Policy": POLICY, "Cache-Control": "no-store" }).end(readFileSync(file));
}).listen(0, "127.0.0.1");
const servers = { fake: serve(fileURLToPath(appFolder(true))), real: serve(fileURLToPath(appFolder(false))) };
await Promise.all(Object.values(servers).map((server) => new Promise((done) => { server.on("listening", done); })));

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const given = rest.map((text) => size.exec(text)).filter(Boolean).map(([name, width, height]) => ({ name, width: Number(width), height: Number(height), touch: true }));
const SIZES = given.length > 0 ? given : [{ name: "390x844", width: 390, height: 844, touch: true }, { name: "1280x800", width: 1280, height: 800, touch: false }];
const DELAY = Number(process.env.SEALCAM_SCREENS_DELAY ?? 0), SLOW = Number(process.env.SEALCAM_SCREENS_SLOW ?? 1);
const WAIT = 90_000;  // ms, until an expected effect is a failure
const PARALLEL = 3, SLOW_CASES = new Set(["frozen", "script-hangs"]);
let failed = 0, taken = 0;
const fail = (where, what) => {
  ++failed;
  console.log(`FAILED: ${where}: ${what}`);
};

// Opens the app in its own context. Returns the page and what the browser reported.
async function open({ fake = {}, real = false, hash = "", script = null, locale = "en-GB" }, { width, height, touch }, scheme) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, hasTouch: touch, locale, timezoneId: "UTC" });
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage(), seen = [], origin = `http://127.0.0.1:${servers[real ? "real" : "fake"].address().port}`;
  page.on("console", (message) => { if (["warning", "error"].includes(message.type())) seen.push(message.text()); });
  page.on("pageerror", (error) => seen.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith(origin) && !request.url().startsWith("blob:")) seen.push(`a request to ${request.url()}`); });
  await page.addInitScript(fakeDecoder);
  await page.addInitScript((values) => { window.fake = { stored: null, state: null, live: [], linking: { steps: [] }, ...values }; }, { ...fake, delay: DELAY });
  if (SLOW > 1) await (await context.newCDPSession(page)).send("Emulation.setCPUThrottlingRate", { rate: SLOW });
  if (script) await page.addInitScript(script);
  await page.goto(`${origin}/${hash}`);
  return { context, page, seen };
}

async function run(name, test, size, scheme) {
  const where = `${name}, ${size.name}, ${scheme}`, { context, page, seen } = await open(test, size, scheme);
  const expect = (condition, what) => { if (!condition) fail(where, what); };
  // Waits until look() returns the expected value, or one that meets the condition. Returns the value.
  const until = async (what, look, expected) => {
    const holds = typeof expected === "function" ? expected : (value) => value === expected, end = performance.now() + WAIT;
    for (;;) {
      const value = await look();
      if (holds(value)) return value;
      if (performance.now() > end) return fail(where, `${what}: this did not happen within ${WAIT / 1000} s; the page has '${value}'`);
      await new Promise((resolve) => { setTimeout(resolve, 25); });
    }
  };
  const text = (selector) => page.locator(selector).first().innerText();
  const shows = (selector, part) => until(`${selector} shows '${part}'`, () => text(selector), (value) => value.includes(part));
  // Checks and saves what the window shows.
  const shot = async (part = "") => {
    for (const fault of await page.evaluate(faultsOf)) fail(`${where}${part && `, ${part}`}`, fault);
    await page.screenshot({ path: join(shots, `${name}${part && `-${part}`}-${size.name}-${scheme}.png`) });
    ++taken;
  };
  try {
    await test.run({ page, context, shot, expect, until, shows, text, size, scheme });
  } catch (error) {
    fail(where, String(error).slice(0, 400));
    await page.screenshot({ path: join(shots, `${name}-failed-${size.name}-${scheme}.png`) });
  }
  const unexpected = new Set(seen.filter((text) => !test.reports?.some((known) => text.includes(known))));
  if (unexpected.size > 0) fail(where, `the browser reports ${[...unexpected].slice(0, 3).join("; ")}`);
  await context.close();
}

// A control has a fault, and faultsOf() must report it.
if (names.length === 0) for (const [name, { fault, apply }] of Object.entries(CONTROLS)) {
  const { context, page } = await open({}, SIZES[0], "dark");
  await page.waitForSelector(".page h2");
  const before = await page.evaluate(faultsOf);
  await page.evaluate(apply);
  const after = await page.evaluate(faultsOf);
  if (before.length > 0 || !after.some((text) => text.includes(fault))) fail(`control ${name}`, `before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`);
  await context.close();
}

const whole = process.env.SEALCAM_SCREENS === "all" || rest.length > 0, wide = new Set(["first", "link-2-waiting", "cameras", "about", "other-tab"]);
for (const name of wide) if (!CASES[name]) fail(name, "there is no such case");
const runs = Object.entries(CASES).filter(([name]) => names.length === 0 || names.includes(name)).flatMap(([name, test]) => {
  const schemes = test.schemes ?? ["dark", "light"];
  if (!whole) return [[name, test, SIZES[0], schemes[0]], ...wide.has(name) ? [[name, test, SIZES[1], schemes.at(-1)]] : []];
  const sizes = test.sizes && given.length === 0 ? SIZES.filter((size) => test.sizes.includes(size.name)) : SIZES;
  return sizes.flatMap((size) => schemes.map((scheme) => [name, test, size, scheme]));
});
// Cases that wait for a time go first, because other cases run meanwhile, in contexts of their own.
runs.sort(([a], [b]) => Number(!SLOW_CASES.has(a)) - Number(!SLOW_CASES.has(b)));
await Promise.all(Array.from({ length: PARALLEL }, async () => { while (runs.length > 0) await run(...runs.shift()); }));
await browser.close();
for (const server of Object.values(servers)) {
  server.closeAllConnections();
  server.close();
}
console.log(`${Object.keys(CASES).length} cases, ${taken} screenshots in ${shots}, ${failed} failed`);
process.exitCode = failed > 0 || taken === 0 ? 1 : 0;
