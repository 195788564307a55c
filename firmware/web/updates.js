// SPDX-License-Identifier: Apache-2.0
// Registers the service worker of the app, and changes to a new version of the app as a whole.
//
// A page and its modules always have one version: a new worker waits while a page of the old version is open, and all pages load again
// when it becomes active.

const JUST_LOADED_MS = 5000;         // a page that a person has just opened may load again
const CHECK_MS = 6 * 3_600_000;

// With Trusted Types, the address of a worker is a privilege: this policy allows one address.
function workerAddress() {
  const address = "./sw.js";
  return globalThis.trustedTypes?.createPolicy("sealcam", { createScriptURL: () => address }).createScriptURL("") ?? address;
}

// waiting(): a new version is complete; it is used as soon as the page is hidden, or when apply() is called. Returns { apply }.
export function keepUpdated({ waiting = () => {} } = {}) {
  const container = navigator.serviceWorker, loaded = performance.now();
  let registration = null, reloading = false;
  const apply = () => registration?.waiting?.postMessage("activate");
  if (container === undefined) return { apply };
  const controlled = container.controller !== null;
  container.addEventListener("controllerchange", () => {
    // The first worker of a page takes over without a change of the version. Without any worker, the stored files were deleted.
    if (reloading || !controlled || container.controller === null) return;
    reloading = true;
    location.reload();
  });
  const onWaiting = () => {
    if (!controlled || !registration.waiting) return;
    waiting();
    if (document.hidden || performance.now() - loaded < JUST_LOADED_MS) apply();
  };
  const onFound = () => registration.installing?.addEventListener("statechange", onWaiting);
  const register = async () => {
    registration = await container.register(workerAddress(), { updateViaCache: "none" });
    registration.addEventListener("updatefound", onFound);
    onFound();
    onWaiting();
    setInterval(() => registration.update().catch(() => {}), CHECK_MS);
  };
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) registration?.update().catch(() => {});  // without a network there is no new version
    else if (registration?.waiting && controlled) apply();
  });
  register().catch((error) => console.warn("the app works without a network only with its service worker", error));
  return { apply };
}
