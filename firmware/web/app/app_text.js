// SPDX-License-Identifier: Apache-2.0
// The texts of the app. Each screen has a title, paragraphs, and the next step. Text between two backquotes is a command.

export const command = (origin) => `sealcam phone link "My phone" --app ${origin}`;

// What a person does first. place: "browser", "ios" (Safari, not installed), or "ios_app" (opened from the home screen of iOS).
export function first(place, origin) {
  const run = `On the computer with your account, run \`${command(origin)}\``;
  const scan = "Scan the QR code that the command prints with this phone, and open its address. The code is valid for ten minutes.";
  const steps = {
    browser: [run, scan, "Keep the page open until it shows the cameras."],
    ios: ["Install the app first: tap Share, then Add to Home Screen.", "Open Sealcam from the home screen. It shows how to link this phone."],
    ios_app: [run, "Point this phone's camera at the QR code that the command prints. Hold the address that appears, and choose Copy.",
              "Paste the address below. The code is valid for ten minutes."],
  };
  return {
    title: "Link this phone",
    text: ["Only linked hubs and phones can open the pictures of your cameras. The keys of this phone stay in this browser."],
    steps: steps[place],
    field: place === "ios_app" ? "Paste the address that you copied" : "Or paste the address that the command prints",
    note: place === "ios" ? "Safari and an app on the home screen do not share what they store. Safari also deletes the keys of a page that you did not open for seven days." : "",
  };
}

// A link was opened in Safari, where it should not stay.
export const INSTALL_FIRST = {
  title: "Install the app first",
  text: ["Safari and an app on the home screen do not share what they store. Safari also deletes the keys of a page that you did not open for seven days."],
  steps: ["Tap Copy the address below.", "Tap Share, then Add to Home Screen.", "Open Sealcam from the home screen, and paste the address there. The code is valid for ten minutes."],
};

export const STEPS = [
  ["keys", "This phone makes its keys and contacts the hub"],
  ["waiting", "Your computer checks this phone and adds it to the lists of your cameras"],
  ["received", "This phone checks the answer"],
  ["done", "This phone is linked"],
];
export const step = (name) => {
  const index = STEPS.findIndex(([other]) => other === name);
  return index < 0 ? "" : `Step ${index + 1} of ${STEPS.length}: ${STEPS[index][1]}`;
};
export const LINKING = { title: "Linking this phone", text: ["Keep this page open, and let the command on your computer run until it ends."] };

const AGAIN = "Then run `sealcam phone link` again, and scan the new QR code.";

// By the reason of a LinkError. retry: the same code can succeed.
const FAILED = {
  expired: { title: "The code has ended", text: ["A code is valid for ten minutes, and only while the command runs. Run `sealcam phone link` again, and scan the new QR code."] },
  used: { title: "Another phone used this code", text: [
    "If that phone is not yours, a stranger saw the code. Run `sealcam phone list`, and remove a phone that you do not know with `sealcam phone unlink`.", AGAIN] },
  wrong_code: { title: "The code is not correct", text: [
    "The address may be incomplete, or the answer was not made with this code, so the app rejected it. Check that the address is the one on your computer's screen.", AGAIN] },
  network: { title: "The hub does not answer", retry: true, text: ["Check that this phone is in the same network as the hub, and that the hub runs. Then try again."] },
  storage: { title: "This browser stores no keys", retry: true, text: ["A private window, a full disk or a setting of the browser can be the reason. Open the page in a normal window, then try again."] },
};
const FAULT = { title: "The app has a fault", retry: true, text: ["Try again. If it fails again, update the browser."] };
export const failed = (reason) => (Object.hasOwn(FAILED, reason) ? FAILED[reason] : FAULT);

export const relink = (name) => ({
  title: "This phone is already linked", text: [`It is linked as ${name}. If you link it again, it gets new keys, and the old link ends when the new one is complete.`] });

export const INSECURE = { title: "Open this page with https", text: [
  "A browser keeps keys only for pages with a secure address. Open the address that begins with https:// and install the hub's certificate if the browser does not trust it."] };
export const NO_STORAGE = FAILED.storage;
export const NO_DECODER = { title: "This browser cannot play the pictures", text: ["It has no H.264 decoder for pages (WebCodecs). Open this page in one of these browsers:"],
  list: ["Chrome or Edge, version 97 or later", "Safari, version 16.4 or later", "Firefox on a computer, version 130 or later (Firefox for Android has no decoder)"] };

// By the `access` of the link's state. actions: names of buttons, in app.js.
const ACCESS = {
  removed: { title: "This phone may watch no camera now", actions: ["forget"], text: [
    "It is still linked. If the owner allows it to watch a camera, the camera appears here.", "The owner's command for this is `sealcam hub allow`."] },
  login: { title: "The broker rejects this phone", actions: ["reload", "forget"], text: [
    "The owner may have unlinked this phone, or the broker may be a new one.", "Ask the owner: `sealcam phone list` shows the linked phones."] },
  other_tab: { title: "Another tab shows the cameras", actions: ["here"], text: ["One tab at a time is connected to the broker."] },
  wiped: { title: "The keys of this phone were deleted", actions: ["link"], text: [
    "The browser or a person deleted what this page stored. The phone must be linked again.", "The owner can remove the old entry with `sealcam phone unlink`."] },
  storage: { title: "The browser's storage fails", actions: ["reload", "forget"], text: ["The app cannot read its keys. Close other tabs and check that the phone has free storage. Then try again."] },
};
export const access = (name) => (Object.hasOwn(ACCESS, name ?? "") ? ACCESS[name] : null);

// What does not work in the connection, in words; empty if all works.
export function connection({ state, open, online, connectedBefore }) {
  if (!online) return "No network. Pictures continue when it is back.";
  if (!open || !state) return "Starting …";
  if (!state.connected) return connectedBefore ? "No connection to the broker. The app tries again." : "Connecting to the broker …";
  return state.low_data ? "Low data: still pictures only." : "";
}

export const about = ({ name, broker, hub }) => [["Name", name], ["Broker", broker], ["Id", hub]].filter(([, value]) => value);
export const connected = (text) => text || "Connected to the broker.";

export const FORGET = { title: "Delete the link of this phone?", keep: "Keep it", go: "Delete" };
export const forget = (name) => `The keys of this phone are deleted, and it shows no more pictures. To take it off the lists of your cameras, run \`sealcam phone unlink "${name}"\` on your computer, too.`;

export function empty(state) {
  if (!state?.connected) return ["No cameras yet", "The list of cameras comes from the broker. It appears when the phone is connected."];
  return ["No cameras", "A camera appears here when its owner allows this phone to watch it: run sealcam camera pair, or sealcam hub allow."];
}
