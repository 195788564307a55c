// SPDX-License-Identifier: Apache-2.0
// Tests of the app's modules without a browser: node --test app_units.mjs
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { appFolder } from "./served.mjs";

const CODE = "AAECAwQFBgcICQoLDA0ODw";
const source = (name) => readFile(new URL(`../../firmware/web/${name}`, import.meta.url), "utf8");
const replaced = [];
const address = { hash: "", pathname: "/", origin: "https://hub.example:8444" };
globalThis.window = { fake: {} };
globalThis.navigator ??= {};  // before node 21
Object.assign(globalThis, { location: address, history: { replaceState: (...values) => { replaced.push(values); address.hash = ""; } } });
const texts = await import(new URL("app_text.js", appFolder()));
const { codeOf, place, takeCode } = await import(new URL("linking.js", appFolder()));

test("the code leaves the address of the page at once", () => {
  address.hash = `#link/${CODE}`;
  assert.equal(takeCode(), CODE);
  assert.deepEqual(replaced, [[null, "", "/"]]);
  assert.equal(takeCode(), null);
  address.hash = `#${"a".repeat(32)}`;  // a camera
  assert.equal(takeCode(), null);
  assert.equal(replaced.length, 1);
});

test("a person can paste the whole address or the code, with spaces around it", () => {
  for (const text of [CODE, ` ${CODE}\n`, `https://hub.example:8444/#link/${CODE}`, `Open https://hub.example/app/#link/${CODE} `]) assert.equal(codeOf(text), CODE);
  for (const text of ["", "https://hub.example:8444/", CODE.slice(1), `${CODE}x`, `${CODE.slice(0, 21)}x`, "#link/"]) assert.equal(codeOf(text), null);
});

test("every reason of a failed link has its own text with the next step", async () => {
  const reasons = new Set([...(await source("link.js")).matchAll(/new LinkError\((?:[^)"]*\? )?"(\w+)"(?: : "(\w+)")?/g)].flatMap((match) => match.slice(1).filter(Boolean)));
  assert.deepEqual([...reasons].sort(), ["expired", "network", "storage", "used", "wrong_code"]);
  const all = [...reasons, "some_new_reason", "constructor"].map((reason) => texts.failed(reason));
  assert.equal(new Set(all).size, 6, "only the two unknown ones have the same text");
  for (const { title, text } of all) {
    assert.match(title, /^[A-Z][^.]*$/);
    for (const line of text) assert.match(line, /\.$/);
  }
});

test("every state of the access but three has a screen", async () => {
  const [, list] = (await source("app_link.js")).match(/\/\/ access: ([^]*?)\n {2}constructor/);
  const names = [...list.matchAll(/"(\w+)"/g)].map((match) => match[1]);
  assert.ok(names.length >= 8, String(names));
  assert.deepEqual(names.filter((name) => texts.access(name) === null).sort(), ["offline", "ok", "unlinked"]);
  assert.equal(texts.access("constructor"), null);
});

test("the connection is in words, and the network comes first", () => {
  const state = { connected: true, low_data: false }, all = { state, open: true, online: true, connectedBefore: true };
  assert.equal(texts.connection(all), "");
  assert.match(texts.connection({ ...all, online: false }), /^No network/);
  assert.match(texts.connection({ ...all, online: false, state: null, open: false }), /^No network/);
  assert.match(texts.connection({ ...all, open: false }), /^Starting/);
  assert.match(texts.connection({ ...all, state: { ...state, connected: false } }), /^No connection to the broker/);
  assert.match(texts.connection({ ...all, state: { ...state, connected: false }, connectedBefore: false }), /^Connecting/);
  assert.match(texts.connection({ ...all, state: { ...state, low_data: true } }), /still pictures only/);
});

test("Safari on iOS and an app on its home screen have other first steps", () => {
  const forms = new Set(["browser", "ios", "ios_app"].map((where) => JSON.stringify(texts.first(where, "https://hub.example:8444"))));
  assert.equal(forms.size, 3);
  assert.ok(JSON.stringify(texts.first("browser", "https://hub.example:8444")).includes("--app https://hub.example:8444"));
  assert.equal(place(), "browser");
  navigator.standalone = false;
  assert.equal(place(), "ios");
  navigator.standalone = true;
  assert.equal(place(), "ios_app");
});

test("the manifest and the page name files of the app only", async () => {
  const manifest = JSON.parse(await source("app/manifest.webmanifest")), page = await source("app/index.html");
  const named = [...manifest.icons.map(({ src }) => src), ...[...page.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1])];
  assert.ok(named.length >= 10);
  for (const name of named) {
    assert.match(name, /^[\w-]+\.\w+$/);
    assert.ok((await readFile(new URL(name, appFolder()))).length > 0, name);
  }
  assert.ok(!/<script(?![^>]*src=)|<style|\sstyle=|\son\w+=/.test(page), "inline code");
});

test("the page requests all modules at once that app.js imports, and no others", async () => {
  const needed = new Set(), add = async (name) => {
    if (needed.has(name)) return;
    needed.add(name);
    const text = await readFile(new URL(name, appFolder(false)), "utf8");
    for (const [, other] of text.matchAll(/^import [^;]*?"\.\/([\w.]+)";/gm)) await add(other);
  };
  await add("app.js");
  assert.ok(needed.size > 20, String(needed.size));
  const named = [...(await source("app/index.html")).matchAll(/rel="modulepreload" href="([^"]+)"/g)].map((match) => match[1]);
  assert.deepEqual([...named, "app.js"].sort(), [...needed].sort());
});
