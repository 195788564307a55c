// SPDX-License-Identifier: Apache-2.0
// The cases of app_screens.mjs: what each screen of the app shows, and what a person can do there. The app reacts to a click or a key later than the
// browser accepts it, so a case waits for a result with until() or shows(); expect() is for what must already be true.
const CODE = "AAECAwQFBgcICQoLDA0ODw";  // 16 bytes, as in an address of sealcam phone link
const OWN = "p".repeat(32), HUB = "h".repeat(32), OTHER = "q".repeat(32);
const stored = { name: "My phone", broker: "wss://hub.example:8884" };

const member = (hub, fields = {}) => ({ hub, integration: null, suspended: false, may_switch_privacy: false, ...fields });
const MEMBERS = [member(HUB, { may_switch_privacy: true }), member(OWN, { may_switch_privacy: true }), member(OTHER, { suspended: true, integration: "0123456789abcdef" })];
const camera = (letter, room, name, fields = {}) => ({
  id: letter.repeat(32), room, name, state: "LIVE", reason: null, clock_ahead_s: null, proven_until_us: null, hint: null, hint_since_us: null, privacy: false,
  may_switch_privacy: true, requested_privacy: null, privacy_failed: null, members: MEMBERS, members_changed_us: 1_790_000_000_000_000, rejected: {}, rejected_control: {}, ...fields });
const A = "a".repeat(32), B = "b".repeat(32), C = "c".repeat(32);
const rooms = () => [camera("a", 0, "Front door"), camera("b", 1, "Garden"), camera("c", 2, "Workshop", { may_switch_privacy: false })];
const state = (fields = {}) => ({ type: "state", connected: true, access: "ok", hub: OWN, account: "", cameras: rooms(), rejected: {}, rejected_control: {}, ...fields });
const linked = (fields = {}, live = [A, B, C]) => ({ stored, state: state(fields), live });

const allLive = (page) => page.waitForFunction(() => document.querySelectorAll('.tile[data-state="LIVE"]').length === 3);
const watched = (page) => page.evaluate(() => String(window.fake.link.watched));
const switched = (page) => page.evaluate(() => JSON.stringify(window.fake.switched ?? []));
const focused = (page) => page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName);
const change = (page, fields) => page.evaluate((values) => { Object.assign(window.fake.state, values); window.fake.link.send(); }, fields);

// A screen without actions: its title, and a text that it must contain.
const still = (fake, expected, contains, more = {}) => ({
  fake, ...more,
  async run({ page, shot, shows, until }) {
    await shows("#screen h2", expected);
    await shows("#screen", contains);
    await until("the focus is on the title", () => focused(page), "H2");
    await shot();
  },
});

const linking = (steps, fails) => ({ linking: { steps, fails } });
const ALL_STEPS = ["keys", "waiting", "received", "done"];
const allDone = (page) => page.waitForFunction(() => document.querySelectorAll('.steps [data-state="done"]').length === 4);
const finish = (page) => page.evaluate(() => { window.fake.linking.finished = true; });  // the stand-in of link.js waits for it at the last step
const failing = (reason, expected, steps = ["keys", "waiting"]) => {
  const screen = still(linking(steps, reason), expected, "");
  return { ...screen, hash: `#link/${CODE}`, reports: ["a fault"],
    async run(test) {
      await screen.run(test);
      const marks = () => test.page.locator(".steps li").evaluateAll((items) => items.map((item) => item.dataset.state).join(" "));
      await test.until("the step that failed is marked", marks, (text) => text.split(" ").indexOf("failed") === steps.length - 1);
    } };
};
const step = (name, steps, contains) => ({ hash: `#link/${CODE}`, fake: linking(steps),
  async run({ page, shot, shows, until, expect }) {
    await shows('.steps [aria-current="step"]', contains);
    await shows('.steps [aria-current="step"]', "in progress");
    await until("the steps before are done", () => page.locator('.steps [data-state="done"]').count(), steps.length - 1);
    expect(await page.evaluate(() => location.href.endsWith("/") && location.hash === ""), "the code is in the address");
    expect(JSON.stringify(await page.evaluate(() => window.fake.codes)) === JSON.stringify([CODE]), "the code did not arrive");
    await shot();
  } });
const IOS = "navigator.standalone = false", IOS_APP = "navigator.standalone = true";
const ended = (access, expected, contains) => ({ ...still(linked({ access, cameras: [] }, []), expected, contains) });

export const CASES = {
  // The module does not start. The test moves the time of the animation that shows the advice.
  start: { reports: ["no start"],
    script: `Object.defineProperty(window, 'localStorage', { get: () => { throw new Error('no start'); } });
      addEventListener('DOMContentLoaded', () => { [window.advice] = document.querySelector('.late').getAnimations(); window.advice.pause(); })`,
    async run({ page, shot, shows, expect, text }) {
      await page.waitForFunction(() => window.advice);
      for (const time of [0, 3900]) {
        await page.evaluate((ms) => { window.advice.currentTime = ms; }, time);
        expect(await text("#screen") === "Starting …", `the advice appears after ${time} ms`);
      }
      await page.evaluate(() => window.advice.finish());
      await shows("#screen", "If this text stays");
      await shot();
    } },
  first: {
    async run({ page, shot, expect, shows, until }) {
      await page.waitForSelector("#code");
      const text = await page.locator("#screen").innerText();
      expect(/sealcam phone link "My phone" --app http:\/\/127\.0\.0\.1:\d+/.test(text), `the screen shows '${text}'`);
      await shot();
      await page.keyboard.press("Tab");
      await until("Tab leads to the field", () => focused(page), "code");
      await page.keyboard.type("https://hub.example:8444/#link/short");
      await page.keyboard.press("Enter");
      await shows("#code-error", "complete address");
      await shot("error");
      await page.fill("#code", `https://hub.example:8444/#link/${CODE}`);
      await page.keyboard.press("Enter");
      await page.waitForFunction((code) => window.fake.codes?.[0] === code, CODE);
    },
  },
  // The real link.js and app_link.js. The server of this test has no mailbox, so it answers 404.
  real: { real: true, hash: `#link/${CODE}`, sizes: ["390x844"], schemes: ["dark"], reports: ["404"],
    async run({ page, expect, shot }) {
      await page.waitForFunction(() => document.querySelector("#screen h2")?.textContent === "The code has ended");
      expect(await page.evaluate(() => location.hash === "" && window.fake.codes === undefined), "the real modules did not run");
      await shot();
      await page.getByRole("button", { name: "Back" }).click();
      await page.waitForSelector("#code");
    } },
  "first-ios": still({}, "Link this phone", "Add to Home Screen", { script: IOS }),
  "first-ios-app": still({}, "Link this phone", "Paste the address", { script: IOS_APP }),
  "install-ios": { ...still({}, "Install the app first", "Copy the address"), script: IOS, hash: `#link/${CODE}` },
  "link-1-keys": step("keys", ["keys"], "makes its keys"),
  "link-2-waiting": step("waiting", ["keys", "waiting"], "Your computer"),
  "link-3-received": step("received", ["keys", "waiting", "received"], "checks the answer"),
  "link-4-done": { hash: `#link/${CODE}`, fake: { ...linked(), stored: null, ...linking(ALL_STEPS) },
    async run({ page, shot, expect }) {
      await allDone(page);
      await shot();
      await finish(page);
      await allLive(page);
      expect(await page.locator("#screen h2").count() === 0, "the screen stays over the cameras");
    } },
  "failed-expired": failing("expired", "The code has ended"),
  "failed-used": failing("used", "Another phone used this code", ["keys"]),
  "failed-wrong-code": failing("wrong_code", "The code is not correct", ["keys", "waiting", "received"]),
  "failed-network": { hash: `#link/${CODE}`, fake: linking(["keys"], "network"),
    async run({ page, shot, expect, shows }) {
      await shows("#screen h2", "The hub does not answer");
      await shot();
      await page.evaluate(() => { window.fake.linking = { steps: ["keys", "waiting"] }; });
      await page.getByRole("button", { name: "Try again" }).click();
      await shows('.steps [aria-current="step"]', "Your computer");
      expect((await page.evaluate(() => window.fake.codes)).join() === `${CODE},${CODE}`, "the second attempt has another code");
    } },
  "failed-storage": failing("storage", "This browser stores no keys", ["keys"]),
  "failed-fault": failing("fault", "The app has a fault", ["keys"]),
  relink: { ...still({ ...linked(), ...linking(["keys"]) }, "This phone is already linked", "My phone"), hash: `#link/${CODE}` },
  // A person opens a new address in the tab that shows the cameras.
  "relink-while-watching": { fake: { ...linked(), ...linking(ALL_STEPS) }, schemes: ["light"], sizes: ["390x844"],
    async run({ page, shot, expect, text, until }) {
      await allLive(page);
      await page.evaluate((code) => { location.hash = `#link/${code}`; }, CODE);
      await page.waitForSelector("#screen h2");
      await until("no camera is watched behind the screen", () => watched(page), "");
      const states = await page.evaluate(() => window.fake.states);
      await page.waitForFunction((count) => window.fake.states >= count, states + 3);
      expect(await text("#screen h2") === "This phone is already linked" && await page.evaluate(() => location.hash === ""), "the screen did not stay, or the code is in the address");
      expect(await watched(page) === "", "cameras are watched behind the screen");
      await shot();
      await page.getByRole("button", { name: "Link it again" }).click();
      await allDone(page);
      await finish(page);
      await page.waitForFunction(() => window.fake.codes === undefined && document.querySelectorAll(".tile").length === 3);  // the page loaded again
    } },
  insecure: still({}, "Open this page with https", "https://", { script: "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined })" }),
  "no-decoder": still({}, "This browser cannot play the pictures", "Firefox for Android", { script: "VideoDecoder.isConfigSupported = async () => ({ supported: false })" }),
  "no-storage": still({ storageFails: true }, "This browser stores no keys", "private window", { reports: ["no storage"] }),

  cameras: { fake: linked({ rejected: { wrong_account: 347 } }),
    async run({ page, shot, shows, until, text }) {
      await allLive(page);
      await until("the line about the connection is empty", () => text("#link"), "");
      await shot();
      await page.click("#rejected");
      await shows("#rejected-list", "347 pictures were rejected");
      await shot("rejected");
    } },
  one: { fake: linked(),
    async run({ page, shot, expect, size, until }) {
      await allLive(page);
      if (size.touch) await page.locator(".tile").first().tap();
      else await page.locator(".tile").first().press("Enter");
      await page.waitForSelector("body.one");
      await until("only this camera is watched", () => watched(page), A);
      await shot();
      expect(await page.locator(".chosen .full").isVisible(), "the button for the full screen is missing");
      await page.keyboard.press("w");
      await until("three may watch", () => page.locator("#members-list li").allInnerTexts(),
                  (rows) => rows.length === 3 && rows[0].startsWith("This phone") && rows[2].includes("suspended"));
      await shot("members");
      await page.keyboard.press("Escape");
      const [file] = await Promise.all([page.waitForEvent("download"), page.locator(".chosen .save").click()]);
      expect(/^Front-door \d{4}-\d\d-\d\d .*\.jpg$/.test(file.suggestedFilename()), `the picture is saved as ${file.suggestedFilename()}`);
      await page.keyboard.press("p");
      await until("P closes the sensor", () => switched(page), JSON.stringify([[A, true]]));
      await page.keyboard.press("Escape");
      await page.waitForSelector("body:not(.one)");
    } },
  "no-full-screen": { fake: linked(), script: "Object.defineProperty(document, 'fullscreenEnabled', { value: false })", schemes: ["dark"],
    async run({ page, shot, expect }) {
      await allLive(page);
      await page.locator(".tile").first().press("Enter");
      await page.waitForSelector("body.one");
      await shot();
      expect(!await page.locator(".chosen .full").isVisible(), "a button that does nothing is visible");
    } },
  privacy: { fake: linked({ cameras: [camera("a", 0, "Front door", { state: "OFFLINE", reason: "privacy", privacy: true, proven_until_us: 9e15 }), ...rooms().slice(1)] }, [B, C]),
    async run({ page, shot, shows, until }) {
      await shows(`.tile[data-camera="${A}"] .badge`, "PRIVACY");
      await until("a screen reader gets the privacy", () => page.locator(".tile").first().getAttribute("aria-label"),
                  (label) => /^Front door, PRIVACY, Privacy: the camera's sensor is closed/.test(label));
      await shot();
      await page.locator(".tile").first().click();
      await page.waitForSelector("body.one");
      await page.locator(".chosen .shut").click();
      await shows("#privacy-dialog", "Open the sensor of Front door?");
      await shot("dialog");
      await page.getByRole("button", { name: "Open it" }).click();
      await until("the sensor is opened", () => switched(page), JSON.stringify([[A, false]]));
      await change(page, { cameras: rooms() });
    } },
  // The pictures end while the link continues, and while the script of the page hangs. No frame that the browser draws shows an older picture as LIVE
  // without the overlay. The time is that of the frame, so the check does not depend on the speed of the machine.
  frozen: { fake: linked(), schemes: ["dark"],
    async run({ page, expect, shot, until }) {
      await allLive(page);
      await page.evaluate(() => {
        window.fake.live = [];
        window.frames = { late: 0, wrong: 0 };
        const bare = (tile) => tile.dataset.state === "LIVE" && getComputedStyle(tile.querySelector(".stale-overlay")).opacity !== "1";
        const step = (now) => {
          if (now - window.fake.sent > 5100) {
            ++window.frames.late;
            window.frames.wrong += [...document.querySelectorAll(".tile")].filter(bare).length;
          }
          requestAnimationFrame(step);
        };
        requestAnimationFrame(step);
      });
      await page.waitForFunction(() => document.querySelectorAll('.tile[data-state="STALE"]').length === 3 && window.frames.late > 0);
      const { late, wrong } = await page.evaluate(() => window.frames);
      expect(wrong === 0, `pictures of more than 5 s are LIVE: ${wrong} in ${late} frames`);
      await until("the badge has the age", () => page.locator(`.tile[data-camera="${A}"] .badge`).innerText(), (badge) => /^STALE \d+ s$/.test(badge));
      await until("a stale picture has no colors", () => page.evaluate(() => getComputedStyle(document.querySelector(".tile canvas")).filter),
                  (filter) => filter.includes("grayscale(1)"));
      await shot();
    } },
  "script-hangs": { fake: linked(), schemes: ["dark"], sizes: ["390x844"],
    async run({ page, expect, shot }) {
      await allLive(page);
      const [before, after] = await page.evaluate(() => new Promise((done) => {
        window.fake.live = [];
        const overlay = document.querySelector(".stale-overlay"), before = getComputedStyle(overlay).opacity, end = performance.now() + 5600;
        while (performance.now() < end) { /* the script hangs */ }
        requestAnimationFrame(() => requestAnimationFrame(() => done([before, getComputedStyle(overlay).opacity])));
      }));
      expect(before === "0" && after === "1", `the overlay has the opacity ${before}, then ${after}`);
      await shot();
    } },
  offline: { fake: linked(), reports: ["ERR_INTERNET_DISCONNECTED"],
    async run({ page, context, shot, expect, shows, until }) {
      await allLive(page);
      // The listeners of the app were added before these. So these find what the app shows at once.
      await page.evaluate(() => {
        for (const event of ["offline", "online"]) addEventListener(event, () => { window.atOnce = [event, document.getElementById("link").textContent].join(); });
      });
      const atOnce = () => page.evaluate(() => window.atOnce ?? "");
      await context.setOffline(true);
      expect((await until("the browser is offline", atOnce, (text) => text.startsWith("offline")))?.startsWith("offline,No network"), "the page does not show at once that it is offline");
      await shot();
      await page.keyboard.press("1");
      await page.waitForSelector("body.one");
      expect(await page.locator("#link").isVisible(), "one camera hides the line about the connection");
      await shot("one");
      await context.setOffline(false);
      expect(await until("the browser is online", atOnce, (text) => text.startsWith("online")) === "online,", "the page does not show at once that it is online");
      await change(page, { connected: false, access: "offline" });
      await shows("#link", "No connection to the broker");
      await shot("broker");
    } },
  starting: { fake: { stored, state: null },
    async run({ shot, shows }) {
      await shows("#link", "Starting …");
      await shows("#empty", "No cameras yet");
      await shot();
    } },
  empty: { fake: linked({ cameras: [] }, []),
    async run({ page, shot, shows }) {
      await page.waitForFunction(() => document.getElementById("empty-title").textContent === "No cameras");
      await shows("#empty", "sealcam hub allow");
      await shot();
    } },
  "low-data": { fake: linked(),
    async run({ page, shot, shows, until }) {
      await allLive(page);
      await page.click("#low-data");
      await shows("#link", "still pictures only");
      await until("low-data mode is on", () => page.evaluate(() => window.fake.lowData), true);
      await until("the button is pressed", () => page.getAttribute("#low-data", "aria-pressed"), "true");
      await shot();
      await page.reload();
      await page.waitForFunction(() => window.fake.lowData === true);
    } },
  about: { fake: linked(),
    async run({ page, shot, shows }) {
      await allLive(page);
      await page.click("#about");
      for (const part of ["Connected to the broker.", "My phone", "wss://hub.example:8884", OWN]) await shows("#about-dialog", part);
      await shot();
      await page.getByRole("button", { name: "Delete the link" }).click();
      await shows("#forget-dialog", 'sealcam phone unlink "My phone"');
      await shot("forget");
      await page.locator("#forget-dialog").getByRole("button", { name: "Delete" }).click();
      await page.waitForSelector("#code");  // of the first screen
    } },
  // Another tab deleted the link. This one loads again once, and deletes nothing: the person may have linked the phone again.
  unlinked: { fake: linked({ access: "unlinked", cameras: [] }, []), schemes: ["dark"], sizes: ["390x844"],
    script: "if (sessionStorage.getItem('loads')) window.fake.stored = null; sessionStorage.setItem('loads', Number(sessionStorage.getItem('loads')) + 1)",
    async run({ page, shot, expect }) {
      await page.waitForSelector("#code");
      const [loads, forgotten] = await page.evaluate(() => ["loads", "forgotten"].map((name) => sessionStorage.getItem(name)));
      expect(loads === "2" && forgotten === null, `${loads} loads, forgotten ${forgotten}`);
      await shot();
    } },
  help: { fake: linked(),
    async run({ page, shot }) {
      await allLive(page);
      await page.click("#help");
      await page.waitForSelector("#help-dialog[open]");
      await shot();
    } },
  removed: ended("removed", "This phone may watch no camera now", "the camera appears here"),
  login: ended("login", "The broker rejects this phone", "sealcam phone list"),
  "other-tab": { fake: linked({ access: "other_tab", cameras: [] }, []),
    async run({ page, shot, shows, until }) {
      await shows("#screen h2", "Another tab shows the cameras");
      await until("no camera is watched behind the screen", () => watched(page), "");
      await shot();
      await page.evaluate((cameras) => { window.fake.state.cameras = cameras; window.fake.live = cameras.map(({ id }) => id); }, rooms());
      await page.getByRole("button", { name: "Show them here" }).click();
      await allLive(page);
    } },
  wiped: ended("wiped", "The keys of this phone were deleted", "must be linked again"),
  "storage-fails": ended("storage", "The browser's storage fails", "Close other tabs"),
  // A phone that is removed while it watches shows no picture any more.
  "removed-while-watching": { fake: linked(), schemes: ["dark"],
    async run({ page, shot, expect }) {
      await allLive(page);
      await change(page, { cameras: rooms().map((entry) => ({ ...entry, state: "OFFLINE", reason: "removed", members: [] })), access: "removed" });
      await page.waitForSelector("#screen h2");
      expect(!await page.locator("#grid").isVisible(), "the cameras are beside the screen");
      expect(await page.evaluate(() => [...document.querySelectorAll(".tile canvas")].every((canvas) => getComputedStyle(canvas).visibility === "hidden" || canvas.getBoundingClientRect().width === 0)), "a picture is visible");
      await shot();
    } },
  long: { fake: linked({ cameras: Array.from({ length: 9 }, (_, i) => camera(String.fromCharCode(97 + i), i, `A camera with a very long name that its owner chose, number ${i}`)) }, [A, B, C]), schemes: ["light"],
    async run({ page, shot, expect }) {
      await allLive(page);
      const overlap = await page.evaluate(() => { const [a, b] = [...document.querySelectorAll(".tile")].map((tile) => tile.getBoundingClientRect()); return a.bottom > b.top && a.right > b.left; });
      expect(!overlap, "the tiles overlap");
      await shot();
      await page.keyboard.press("1");
      await page.waitForSelector("body.one");
      await shot("one");
    } },
};

// Faults that faultsOf() must report.
const add = (code) => `(() => { const element = document.createElement("button"); element.textContent = "control"; element.style.cssText = "min-width: 60px; min-height: 60px; "; ${code}; document.querySelector(".page").append(element); })()`;
export const CONTROLS = {
  "a small button": { fault: "small", apply: add('element.style.cssText = "width: 30px; height: 60px"') },
  "a text without contrast": { fault: "contrast", apply: add('element.style.cssText += "color: #333; background: #222"') },
  "a part outside of the window": { fault: "outside", apply: add('element.style.cssText += "position: absolute; left: 350px; width: 100px"') },
  "a page that scrolls sideways": { fault: "outside", apply: add('element.style.cssText += "width: 500px"') },
  "a button without a name": { fault: "unnamed", apply: add('element.textContent = ""') },
};
