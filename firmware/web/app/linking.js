// SPDX-License-Identifier: Apache-2.0
// Links this browser to an account: from the code of an address to the stored enrollment, in steps that a person can follow.
import { LinkError, linkPhone, readCode } from "./link.js";
import { BrowserStore } from "./store.js";
import * as screens from "./screens.js";
import * as texts from "./app_text.js";

const HASH = "#link/";
export const DATABASE = "sealcam-phone";
const SHOW_DONE_MS = 1200;

// The code of the address, or null. replaceState() replaces the address of the page and of its entry in this tab's history, so that a reload, a
// bookmark or the shared address do not contain the code. The browser's own list of visited addresses may have it: the code works once, for 10 min.
export function takeCode() {
  if (!location.hash.startsWith(HASH)) return null;
  const code = location.hash.slice(HASH.length);
  history.replaceState(null, "", location.pathname);
  return code;
}

// The code in a text that a person pasted: a whole address, or only the code. Null without one.
export function codeOf(text) {
  const part = text.trim().split(HASH).at(-1);
  return readCode(part) === null ? null : part;
}

// "ios": Safari, where a link would be lost; "ios_app": on the home screen of iOS; "browser": all others. Only iOS has navigator.standalone.
export const place = () => (navigator.standalone === undefined ? "browser" : navigator.standalone ? "ios_app" : "ios");

// Without a link. link(code) starts one.
export function showFirst(link) {
  const here = place(), screen = texts.first(here, location.origin);
  const form = screens.codeForm(screen.field, (text) => {
    const code = codeOf(text);
    if (code === null) return "This is not a complete address of sealcam phone link. Copy all of it.";
    link(code);
    return "";
  });
  screens.show("first", screen, [], ...here === "ios" ? [] : [form]);
}

// In Safari on iOS: the app on the home screen is a better place for the keys.
export function showInstall(code, link) {
  const address = `${location.origin}${location.pathname}${HASH}${code}`;
  const copied = async () => {
    try {
      await navigator.clipboard.writeText(address);
      screens.show("install", { ...texts.INSTALL_FIRST, note: "The address is copied. It is valid for ten minutes." }, actions);
    } catch {
      screens.show("install", { ...texts.INSTALL_FIRST, note: `The browser does not allow a page to copy. Copy this address: ${address}` }, actions);
    }
  };
  const actions = [["Copy the address", copied], ["Link in this browser", () => link(code), true]];
  screens.show("install", texts.INSTALL_FIRST, actions);
}

// Ends when the phone is linked and the person saw it: true. False if it failed and a person chose to stop.
export async function showLinking(code) {
  for (;;) {
    const steps = new screens.StepList();
    screens.show("linking", texts.LINKING, [], steps.element, steps.status);
    let store = null;
    try {
      store = await BrowserStore.open(DATABASE).catch((error) => { throw new LinkError("storage", error); });
      await linkPhone({ code, store, step: (name) => steps.reach(name) });
      await new Promise((resolve) => { setTimeout(resolve, SHOW_DONE_MS); });
      return true;
    } catch (error) {
      if (!(error instanceof LinkError)) console.error(error);
      steps.fail();
      if (!await decision(texts.failed(error instanceof LinkError ? error.reason : ""), steps)) return false;
    } finally {
      store?.close();
    }
  }
}

// Whether to try again with the same code.
function decision(failure, steps) {
  return new Promise((resolve) => {
    const retry = ["Try again", () => resolve(true)], stop = ["Back", () => resolve(false), failure.retry === true];
    screens.show("failed", failure, failure.retry ? [retry, stop] : [stop], steps.element);
  });
}
