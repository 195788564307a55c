// SPDX-License-Identifier: Apache-2.0
// The service worker with caches in memory: which files it stores, under which policy, and what remains after a failure.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import vm from "node:vm";

const PAGE = "<!doctype html>", SCOPE = "https://hub.example/";
const source = readFileSync(new URL("../../firmware/web/worker.js", import.meta.url), "utf8")
  .replace("const FILES = {};", `const FILES = { "index.html": "${createHash("sha256").update(PAGE).digest("hex")}" };`)
  .replace('const VERSION = "";', 'const VERSION = "one";');

class Caches {
  all = new Map();
  async open(name) {
    if (!this.all.has(name)) this.all.set(name, new Map());
    const stored = this.all.get(name);
    return { put: async (at, response) => { stored.set(at, response); }, match: async (at) => stored.get(at)?.clone() };
  }
  async delete(name) { return this.all.delete(name); }
  async keys() { return [...this.all.keys()]; }
}

// A worker as the hub serves it for one policy. `fetch` answers with the hub's headers.
function worker(caches, policy, { line = `\npolicy = "-${policy}";\n`, body = PAGE } = {}) {
  const handlers = {};
  const self = { registration: { scope: SCOPE }, clients: { claim: async () => {} }, addEventListener: (name, handler) => { handlers[name] = handler; } };
  const fetch = async () => new Response(body, { headers: { "Content-Security-Policy": policy } });
  vm.runInNewContext(source + line, { self, caches, fetch, URL, Response, crypto, Uint8Array, Array, Promise });
  const event = async (name) => {
    let done = null;
    handlers[name]({ waitUntil: (promise) => { done = promise; } });
    await done;
  };
  const page = async () => {
    let answer = null;
    handlers.fetch({ request: { method: "GET", url: SCOPE }, respondWith: (promise) => { answer = promise; } });
    return (await answer).headers.get("Content-Security-Policy");
  };
  return { install: () => event("install"), activate: () => event("activate"), page };
}

test("another policy of the hub replaces the stored one", async () => {
  const caches = new Caches(), old = worker(caches, "old"), next = worker(caches, "next");
  await old.install();
  await old.activate();
  await next.install();
  assert.equal(await old.page(), "old");  // it stays whole while its pages are open
  await next.activate();
  assert.equal(await next.page(), "next");
  assert.deepEqual(await caches.keys(), ["sealcam-app-one-next"]);
});

test("a failed installation keeps the stored files of the other policy", async () => {
  const caches = new Caches(), old = worker(caches, "old");
  await old.install();
  await assert.rejects(worker(caches, "next", { body: "another version" }).install(), /another version of the app/);
  assert.equal(await old.page(), "old");
  assert.deepEqual(await caches.keys(), ["sealcam-app-one-old"]);
});

test("a server that adds no policy serves the same worker", async () => {
  const caches = new Caches(), plain = worker(caches, "any", { line: "" });
  await plain.install();
  assert.equal(await plain.page(), "any");
  assert.deepEqual(await caches.keys(), ["sealcam-app-one"]);
});
