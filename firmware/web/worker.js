// SPDX-License-Identifier: Apache-2.0
// The service worker of the app. scripts/app writes it as sw.js, with the files of one version and their hashes. It keeps these files, so
// that the app starts without the network. It keeps nothing else: no pictures, no messages, nothing of the mailbox.
const FILES = {};                    // name: SHA-256 in hexadecimal
const VERSION = "";                  // hash of FILES
const PREFIX = "sealcam-app-";
let policy = "";                     // sealcam-hub adds a line at the end that sets it to a hash of the files' Content-Security-Policy
const cacheName = () => PREFIX + VERSION + policy;  // the stored files keep their headers, so another policy is another version
const PAGE = "index.html";

const at = (name) => new URL(name, self.registration.scope).href;
const toHex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

// A file with exactly these bytes. A server that changes its files meanwhile would give a mixture of two versions. The browser asks the server
// whether a file that the page has loaded is still the same one ("no-cache"), and does not load it again.
async function load(name) {
  const response = await fetch(at(name), { cache: "no-cache", credentials: "omit", redirect: "error" });
  if (!response.ok) throw new Error(`${name}: the server answers ${response.status}`);
  const body = await response.arrayBuffer();
  if (toHex(await crypto.subtle.digest("SHA-256", body)) !== FILES[name]) throw new Error(`${name} belongs to another version of the app`);
  return new Response(body, { headers: response.headers });
}

async function install() {
  const cache = await caches.open(cacheName());
  try {
    await Promise.all(Object.keys(FILES).map(async (name) => cache.put(at(name), await load(name))));
  } catch (error) {
    await caches.delete(cacheName());
    throw error;
  }
}

async function activate() {
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== cacheName()) await caches.delete(name);
  await self.clients.claim();
}

// The stored file. Without it the browser deleted the cache: then the server's file is used only if it is the same one.
async function answer(name) {
  const stored = await (await caches.open(cacheName())).match(at(name));
  return stored ?? load(name).catch(() => Response.error());
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("message", ({ data }) => { if (data === "activate") self.skipWaiting(); });
self.addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url), scope = new URL(self.registration.scope);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const name = url.pathname.slice(scope.pathname.length) || PAGE;
  if (Object.hasOwn(FILES, name)) event.respondWith(answer(name));  // all others are the server's: the mailbox, and texts of licenses
});
