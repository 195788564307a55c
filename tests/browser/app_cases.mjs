// SPDX-License-Identifier: Apache-2.0
// The cases of app_screens.mjs: what each screen of the app shows, and what a person can do there.
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

const badge = (page, id) => page.locator(`.tile[data-camera="${id}"] .badge`).innerText();
const allLive = (page) => page.waitForFunction(() => document.querySelectorAll('.tile[data-state="LIVE"]').length === 3);
const title = (page) => page.locator("#screen h2").innerText();
const change = (page, fields) => page.evaluate((values) => { Object.assign(window.fake.state, values); window.fake.link.send(); }, fields);

// A screen without actions: its title, and a text that it must contain.
const still = (fake, expected, contains, more = {}) => ({
  fake, ...more,
  async run({ page, shot, expect }) {
    await page.waitForSelector("#screen h2");
    await page.waitForFunction((text) => document.querySelector("#screen h2")?.textContent === text, expected);
    const text = await page.locator("#screen").innerText();
    expect(text.includes(contains), `the screen shows '${text}'`);
    expect(await page.evaluate(() => document.activeElement?.tagName) === "H2", "the focus is not on the title");
    await shot();
  },
});

const linking = (steps, fails) => ({ linking: { steps, fails } });
const failing = (reason, expected, steps = ["keys", "waiting"]) => {
  const screen = still(linking(steps, reason), expected, "");
  return { ...screen, hash: `#link/${CODE}`, reports: ["a fault"],
    async run(test) {
      await screen.run(test);
      const marks = await test.page.locator(".steps li").evaluateAll((items) => items.map((item) => item.dataset.state));
      test.expect(marks.indexOf("failed") === steps.length - 1, `the steps are marked ${marks}`);
    } };
};
const step = (name, steps, contains) => ({ hash: `#link/${CODE}`, fake: linking(steps),
  async run({ page, shot, expect }) {
    await page.waitForFunction((count) => document.querySelectorAll('.steps [data-state="done"]').length === count, steps.length - 1);
    expect(await page.evaluate(() => location.href.endsWith("/") && location.hash === ""), "the code is in the address");
    const current = await page.locator('.steps [aria-current="step"]').innerText();
    expect(current.includes(contains) && current.includes("in progress"), `the current step is '${current}'`);
    expect(JSON.stringify(await page.evaluate(() => window.fake.codes)) === JSON.stringify([CODE]), "the code did not arrive");
    await shot();
  } });
const IOS = "navigator.standalone = false", IOS_APP = "navigator.standalone = true";
const ended = (access, expected, contains) => ({ ...still(linked({ access, cameras: [] }, []), expected, contains) });

export const CASES = {
  // The module does not start.
  start: { script: "Object.defineProperty(window, 'localStorage', { get: () => { throw new Error('no start'); } })", reports: ["no start"],
    async run({ page, shot, expect, text }) {
      expect(await text("#screen") === "Starting …", "the advice appears at once");
      await page.waitForTimeout(4200);
      expect((await text("#screen")).includes("If this text stays"), await text("#screen"));
      await shot();
    } },
  first: {
    async run({ page, shot, expect }) {
      await page.waitForSelector("#code");
      const text = await page.locator("#screen").innerText();
      expect(/sealcam phone link "My phone" --app http:\/\/127\.0\.0\.1:\d+/.test(text), `the screen shows '${text}'`);
      await shot();
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.id) === "code", "Tab does not lead to the field");
      await page.keyboard.type("https://hub.example:8444/#link/short");
      await page.keyboard.press("Enter");
      expect((await page.locator("#code-error").innerText()).includes("complete address"), "a wrong address has no error");
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
  "link-4-done": { hash: `#link/${CODE}`, fake: { ...linked(), stored: null, ...linking(["keys", "waiting", "received", "done"]) },
    async run({ page, shot, expect }) {
      await page.waitForFunction(() => document.querySelectorAll('.steps [data-state="done"]').length === 4);
      await shot();
      await allLive(page);
      expect(await page.locator("#screen h2").count() === 0, "the screen stays over the cameras");
    } },
  "failed-expired": failing("expired", "The code has ended"),
  "failed-used": failing("used", "Another phone used this code", ["keys"]),
  "failed-wrong-code": failing("wrong_code", "The code is not correct", ["keys", "waiting", "received"]),
  "failed-network": { hash: `#link/${CODE}`, fake: linking(["keys"], "network"),
    async run({ page, shot, expect }) {
      await page.waitForFunction(() => document.querySelector("#screen h2")?.textContent === "The hub does not answer");
      await shot();
      await page.evaluate(() => { window.fake.linking = { steps: ["keys", "waiting"] }; });
      await page.getByRole("button", { name: "Try again" }).click();
      await page.waitForFunction(() => document.querySelector('.steps [aria-current="step"]')?.textContent.includes("Your computer"));
      expect((await page.evaluate(() => window.fake.codes)).join() === `${CODE},${CODE}`, "the second attempt has another code");
    } },
  "failed-storage": failing("storage", "This browser stores no keys", ["keys"]),
  "failed-fault": failing("fault", "The app has a fault", ["keys"]),
  relink: { ...still({ ...linked(), ...linking(["keys"]) }, "This phone is already linked", "My phone"), hash: `#link/${CODE}` },
  // A person opens a new address in the tab that shows the cameras.
  "relink-while-watching": { fake: { ...linked(), ...linking(["keys", "waiting", "received", "done"]) }, schemes: ["light"], sizes: ["390x844"],
    async run({ page, shot, expect }) {
      await allLive(page);
      await page.evaluate((code) => { location.hash = `#link/${code}`; }, CODE);
      await page.waitForSelector("#screen h2");
      await page.waitForTimeout(1500);  // states arrive meanwhile
      expect(await title(page) === "This phone is already linked" && await page.evaluate(() => location.hash === ""), "the screen did not stay, or the code is in the address");
      expect((await page.evaluate(() => window.fake.link.watched)).length === 0, "cameras are watched behind the screen");
      await shot();
      await page.getByRole("button", { name: "Link it again" }).click();
      await page.waitForFunction(() => document.querySelectorAll('.steps [data-state="done"]').length === 4);
      await page.waitForFunction(() => window.fake.codes === undefined && document.querySelectorAll(".tile").length === 3);  // the page loaded again
    } },
  insecure: still({}, "Open this page with https", "https://", { script: "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined })" }),
  "no-decoder": still({}, "This browser cannot play the pictures", "Firefox for Android", { script: "VideoDecoder.isConfigSupported = async () => ({ supported: false })" }),
  "no-storage": still({ storageFails: true }, "This browser stores no keys", "private window", { reports: ["no storage"] }),

  cameras: { fake: linked({ rejected: { wrong_account: 347 } }),
    async run({ page, shot, expect, text }) {
      await allLive(page);
      expect(await text("#link") === "", "the line about the connection is not empty");
      await shot();
      await page.click("#rejected");
      expect((await text("#rejected-list")).includes("347 pictures were rejected"), "the list of rejections");
      await shot("rejected");
    } },
  one: { fake: linked(),
    async run({ page, shot, expect, size }) {
      await allLive(page);
      if (size.touch) await page.locator(".tile").first().tap();
      else await page.locator(".tile").first().press("Enter");
      await page.waitForSelector("body.one");
      expect((await page.evaluate(() => window.fake.link.watched)).join() === A, "the other cameras are watched, too");
      await shot();
      await page.keyboard.press("w");
      const rows = await page.locator("#members-list li").allInnerTexts();
      expect(rows.length === 3 && rows[0].startsWith("This phone") && rows[2].includes("suspended"), `who may watch: ${rows}`);
      await shot("members");
      await page.keyboard.press("Escape");
      const [file] = await Promise.all([page.waitForEvent("download"), page.locator(".chosen .save").click()]);
      expect(/^Front-door \d{4}-\d\d-\d\d .*\.jpg$/.test(file.suggestedFilename()), `the picture is saved as ${file.suggestedFilename()}`);
      await page.keyboard.press("p");
      expect(JSON.stringify(await page.evaluate(() => window.fake.switched)) === JSON.stringify([[A, true]]), "P does not close the sensor");
      await page.keyboard.press("Escape");
      await page.waitForSelector("body:not(.one)");
    } },
  privacy: { fake: linked({ cameras: [camera("a", 0, "Front door", { state: "OFFLINE", reason: "privacy", privacy: true, proven_until_us: 9e15 }), ...rooms().slice(1)] }, [B, C]),
    async run({ page, shot, expect, text }) {
      await page.waitForFunction((id) => document.querySelector(`.tile[data-camera="${id}"] .badge`)?.textContent === "PRIVACY", A);
      const label = await page.locator(".tile").first().getAttribute("aria-label");
      expect(/^Front door, PRIVACY, Privacy: the camera's sensor is closed/.test(label), `a screen reader gets '${label}'`);
      await shot();
      await page.locator(".tile").first().click();
      await page.waitForSelector("body.one");
      await page.locator(".chosen .shut").click();
      expect((await text("#privacy-dialog")).includes("Open the sensor of Front door?"), "no confirmation");
      await shot("dialog");
      await page.getByRole("button", { name: "Open it" }).click();
      expect(JSON.stringify(await page.evaluate(() => window.fake.switched)) === JSON.stringify([[A, false]]), "the sensor was not opened");
      await change(page, { cameras: rooms() });
    } },
  // The pictures end while the link continues, and while the script of the page hangs.
  frozen: { fake: linked(), schemes: ["dark"],
    async run({ page, shot, expect }) {
      await allLive(page);
      await page.evaluate(() => { window.fake.live = []; });
      await page.waitForFunction(() => document.querySelectorAll('.tile[data-state="STALE"]').length === 3, null, { timeout: 6500 });
      expect(/^STALE \d+ s$/.test(await badge(page, A)), `the badge shows ${await badge(page, A)}`);
      expect((await page.evaluate(() => getComputedStyle(document.querySelector(".tile canvas")).filter)).includes("grayscale(1)"), "a stale picture has colors");
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
    async run({ page, context, shot, expect, text }) {
      await allLive(page);
      await context.setOffline(true);
      await page.waitForFunction(() => document.getElementById("link").textContent.startsWith("No network"), null, { timeout: 500 });
      await shot();
      await page.keyboard.press("1");
      await page.waitForSelector("body.one");
      expect(await page.locator("#link").isVisible(), "one camera hides the line about the connection");
      await shot("one");
      await context.setOffline(false);
      await page.waitForFunction(() => document.getElementById("link").textContent === "", null, { timeout: 500 });
      await change(page, { connected: false, access: "offline" });
      expect((await text("#link")).startsWith("No connection to the broker"), "the broker's connection is not in words");
      await shot("broker");
    } },
  starting: { fake: { stored, state: null },
    async run({ page, shot, expect, text }) {
      await page.waitForFunction(() => document.getElementById("link").textContent !== "");
      expect(await text("#link") === "Starting …" && (await text("#empty")).includes("No cameras yet"), `${await text("#link")}, ${await text("#empty")}`);
      await shot();
    } },
  empty: { fake: linked({ cameras: [] }, []),
    async run({ page, shot, expect, text }) {
      await page.waitForFunction(() => document.getElementById("empty-title").textContent === "No cameras");
      expect((await text("#empty")).includes("sealcam hub allow"), await text("#empty"));
      await shot();
    } },
  "low-data": { fake: linked(),
    async run({ page, shot, expect, text }) {
      await allLive(page);
      await page.click("#low-data");
      expect((await text("#link")).includes("still pictures only") && await page.evaluate(() => window.fake.lowData === true), "low-data mode is not on");
      expect(await page.getAttribute("#low-data", "aria-pressed") === "true", "the button is not pressed");
      await shot();
      await page.reload();
      await page.waitForFunction(() => window.fake.lowData === true);
    } },
  about: { fake: linked(),
    async run({ page, shot, expect, text }) {
      await allLive(page);
      await page.click("#about");
      const shown = await text("#about-dialog");
      for (const part of ["Connected to the broker.", "My phone", "wss://hub.example:8884", OWN]) expect(shown.includes(part), `the dialog lacks ${part}`);
      await shot();
      await page.getByRole("button", { name: "Delete the link" }).click();
      expect((await text("#forget-dialog")).includes('sealcam phone unlink "My phone"'), await text("#forget-dialog"));
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
      await shot();
    } },
  removed: ended("removed", "This phone may watch no camera now", "the camera appears here"),
  login: ended("login", "The broker rejects this phone", "sealcam phone list"),
  "other-tab": { fake: linked({ access: "other_tab", cameras: [] }, []),
    async run({ page, shot, expect }) {
      await page.waitForSelector("#screen h2");
      expect(await title(page) === "Another tab shows the cameras", await title(page));
      expect((await page.evaluate(() => window.fake.link.watched)).length === 0, "cameras are watched behind the screen");
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
