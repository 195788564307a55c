// SPDX-License-Identifier: Apache-2.0
// The app's link: a hub in this browser, behind the interface of the link to a hub (firmware/hub/web/page/link.js). The same tiles show both.
import { RejectCounts, equal, idText, viewOf } from "./bytes.js";
import { Broker } from "./broker.js";
import { BrowserClock, PictureClock, Stopwatch, clockAhead } from "./clock.js";
import { Hub } from "./hub.js";
import { LOCK, alone } from "./link.js";
import { parseTopic } from "./messages.js";
import { printable, updateText } from "./software.js";
import { BrowserStore } from "./store.js";

const DATABASE = "sealcam-phone";
const TICK_MS = 200, STATE_MS = 500;
const HIDDEN_MS = 30_000;              // a hidden page keeps its connection for this time
const SLEPT_MS = 10_000;               // without a tick: the connection may be dead
const AGAIN_MS = 5000;

const counts = (all, less) => Object.fromEntries([...all].map(([reason, n]) => [reason, n - (less?.get(reason) ?? 0)]));

const hex64 = (n) => n.toString(16).padStart(16, "0");

// What differs between a browser and a test.
export class Browser {
  clock = new BrowserClock();
  openStore(onlost) { return BrowserStore.open(DATABASE, onlost); }
  loadMqtt() { return import("./mqtt.js").then((module) => module.default ?? module); }
  get locks() { return navigator.locks; }
  get hidden() { return document.hidden; }
  get online() { return navigator.onLine !== false; }
  get saveData() { return navigator.connection?.saveData === true; }
  // changed("visible" | "network" | "data"): a property may have another value. Returns a function that ends it.
  observe(changed) {
    const end = new AbortController(), { signal } = end;
    document.addEventListener("visibilitychange", () => changed("visible"), { signal });
    for (const event of ["online", "offline"]) addEventListener(event, () => changed("network"), { signal });
    addEventListener("pageshow", () => changed("visible"), { signal });
    navigator.connection?.addEventListener?.("change", () => changed("data"), { signal });
    return () => end.abort();
  }
  // Asks the browser to keep the keys when its disk becomes full. Not all browsers do.
  persist() { navigator.storage?.persist?.().catch(() => {}); }
  report(text, error) { console.warn(text, error); }
}

const running = new Set();

export class AppLink {
  #handlers;
  #browser;
  #clock;
  #store = null;
  #link = null;            // { owner, address, password, name, id }
  #hub = null;
  #broker = null;
  #requested = "all";
  #access = "offline";
  #lowData = null;         // chosen by a person; null: what the browser prefers
  #open = false;
  #ended = false;
  #ahead = new Map();      // camera: seconds by which its clock is ahead, or null
  #announced = new Set();  // cameras of the newest state
  #waiting = null;         // AbortController of the request for the lock
  #release = null;         // ends the lock
  #generation = 0;         // of this tab's turn with the lock
  #timers = [];
  #hiddenTimer = null;
  #parked = false;         // the page was hidden for a while, and has no connection
  #stated = new Stopwatch();
  #ticked = new Stopwatch();
  #unobserve;

  // handlers: state(json), picture(picture), rejected(json), open(), closed(). state has what the hub's page receives, with `access`, `hubs` of
  // each camera, and `low_data`.
  //
  // access: "ok"; "offline" (no connection to the broker); "removed" (no list of a camera has this phone; it is still linked); "login" (the
  // broker does not accept its login); "other_tab" (another tab of this browser shows the cameras; takeOver() shows them here); "wiped" (the
  // stored keys were deleted while the page was open); "storage" (the browser's storage fails); "unlinked" (nothing is stored).
  constructor(handlers, browser = new Browser()) {
    this.#handlers = handlers;
    this.#browser = browser;
    this.#clock = new PictureClock(browser.clock);
    this.#unobserve = browser.observe((what) => this.#onChanged(what));
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
    running.add(this);
    this.#acquire(!browser.hidden);  // a page that a browser opens in the background does not take over
  }

  // { name, broker } of the link, or null.
  static async stored(browser = new Browser()) {
    const store = await browser.openStore(() => {});
    try {
      const link = (await store.load("link")).get("broker"), keys = await store.load("identity");
      return link === undefined || !keys.has("identity") || !keys.has("hpke") ? null : { name: link.name, broker: link.address };
    } finally {
      store.close();
    }
  }

  // Deletes keys, credential and everything else that is stored. The owner's list still has this phone until `sealcam phone unlink`.
  // No other tab can begin with the old keys meanwhile, because the lock is free only after they are deleted.
  static async forget(browser = new Browser()) {
    for (const link of [...running]) link.#end("unlinked");
    await alone(browser.locks, async () => {
      const store = await browser.openStore(() => {});
      try {
        await store.replaceAll([]);
      } finally {
        store.close();
      }
    });
  }

  // -- the interface of link.js

  get open() { return this.#open; }

  watch(cameras) {
    this.#requested = cameras;
    this.#updateWatched();
  }

  // False if there is no connection.
  switchPrivacy(camera, on) {
    if (!this.#open || this.#hub === null) return false;
    if (!this.#hub.switchPrivacy(camera, on)) {
      const known = this.#hub.cameras.get(camera);
      const why = known === undefined ? "no_such_camera" : known.membership.maySwitchPrivacy ? "no_broker" : "not_allowed";
      this.#handlers.rejected({ type: "privacy_rejected", camera, why });
    }
    this.#state();
    return true;
  }

  // Requests pictures of one camera again. The camera then makes a key frame.
  resend(camera) {
    if (this.#hub === null || !this.#isWatched(camera)) return;
    this.#hub.setWatched(false, new Set([...this.#hub.cameras.keys()].filter((id) => id !== camera && this.#isWatched(id))));
    this.#updateWatched();
  }

  keepTime() {}  // the clock of this link needs no requests

  // -- the app's part

  get lowData() { return this.#lowData ?? this.#browser.saveData; }

  // true: one still every few seconds instead of video. null: what the browser prefers.
  setLowData(on) {
    this.#lowData = on;
    this.#updateWatched();
    this.#state();
  }

  // Shows the cameras in this tab. Another tab of this browser then stops.
  async takeOver() {
    if (this.#ended || this.#release !== null) return;
    await this.#acquire(true);
  }

  // Ends everything, for good.
  close() {
    this.#end("offline");
    this.#release?.();
  }

  // The same, and the tab keeps the lock.
  #end(access) {
    this.#ended = true;
    running.delete(this);
    this.#unobserve();
    for (const timer of this.#timers) clearInterval(timer);
    clearTimeout(this.#hiddenTimer);
    this.#waiting?.abort();
    this.#stop(access);
  }

  // -- one tab at a time

  // One connection, one set of request numbers and one set of prekeys: two hubs with the same keys would replace each other at the broker.
  async #acquire(steal) {
    this.#waiting?.abort();
    this.#waiting = null;
    const options = { mode: "exclusive" };
    if (steal) options.steal = true;
    else options.signal = (this.#waiting = new AbortController()).signal;
    let own = null;
    const held = () => {
      this.#waiting = null;
      const released = new Promise((resolve) => { this.#release = own = resolve; });
      this.#begin();
      return released;
    };
    try {
      await this.#browser.locks.request(LOCK, options, held);
    } catch (error) {
      if (own === null || this.#release !== own || this.#ended) return;  // a request that waited
      // Another tab took over. If it is closed, this one continues.
      this.#release = null;
      this.#stop("other_tab");
      this.#acquire(false);
    }
  }

  async #begin() {
    const turn = ++this.#generation, current = () => turn === this.#generation && !this.#ended;
    this.#access = "offline";
    try {
      const store = await this.#browser.openStore(() => { if (current()) this.#stop("wiped"); });
      if (!current()) return store.close();
      this.#store = store;
      const [link, keys] = [await store.load("link"), await store.load("identity")];
      if (!current()) return;
      this.#link = link.get("broker") ?? null;
      if (this.#link === null || !keys.has("identity") || !keys.has("hpke")) return this.#stop("unlinked");
      await this.#start(keys, current);
    } catch (error) {
      if (!current()) return;
      this.#browser.report("the hub in this page cannot start", error);
      this.#stop("storage");
    }
  }

  async #start(keys, current) {
    const mqtt = await this.#mqtt(current);
    if (!current()) return;
    const broker = new Broker(mqtt, { address: this.#link.address, id: this.#link.id, password: this.#link.password }, {
      message: ({ topic, payload, retained }) => { if (current()) this.#hub?.receive(topic, payload, retained); },
      state: (connected, why) => { if (current()) this.#onBroker(connected, why); },
    });
    broker.setSelected((topic) => this.#isSelected(topic));
    this.#broker = broker;
    const hub = await Hub.open({ owner: this.#link.owner, identity: keys.get("identity"), hpke: keys.get("hpke") }, {
      clock: this.#browser.clock, store: this.#store, client: broker, checkPicture: this.#browser.checkPicture,
      report: (text, error) => { if (current()) this.#browser.report(text, error); },
      sink: { picture: (picture) => { if (current()) this.#onPicture(picture); } },
    });
    if (!current()) return broker.close();
    this.#hub = hub;
    this.#setOpen(true);
    this.#updateWatched();
    this.#state();
    this.#openBroker();
    this.#browser.persist?.();
  }

  // The module. Without the service worker's copy it needs the network.
  async #mqtt(current) {
    for (;;) {
      try {
        return await this.#browser.loadMqtt();
      } catch (error) {
        if (!current()) return null;
        this.#browser.report("cannot load the MQTT client", error);
        await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
      }
    }
  }

  // There is nothing to show. The tab keeps the lock, so that no other one shows something else.
  #stop(access) {
    ++this.#generation;
    this.#broker?.close();
    this.#hub?.setConnected(false);
    this.#hub = this.#broker = null;
    this.#store?.close();
    this.#store = null;
    this.#ahead.clear();
    this.#access = access;
    this.#state();
    this.#setOpen(false);
  }

  #setOpen(open) {
    if (open === this.#open) return;
    this.#open = open;
    if (open) this.#handlers.open();
    else this.#handlers.closed();
  }

  // -- the connection

  #onBroker(connected, why) {
    this.#access = connected ? "ok" : why === "login" ? "login" : "offline";
    this.#hub?.setConnected(connected);
    this.#state();
    // If another tab has the connection, this one learns it from the lock. Otherwise the other side is a copy of this browser's storage.
    if (why === "taken_over") setTimeout(() => this.#openBroker(), AGAIN_MS);
  }

  #openBroker() { if (!this.#parked) this.#broker?.open(); }

  #onChanged(what) {
    if (this.#ended) return;
    if (what === "network") return this.#broker?.reconnect();
    if (what === "visible") this.#onVisible();
    this.#updateWatched();
    this.#state();
  }

  #onVisible() {
    clearTimeout(this.#hiddenTimer);
    if (this.#browser.hidden) {
      this.#hiddenTimer = setTimeout(() => {
        this.#parked = true;
        this.#broker?.close();
      }, HIDDEN_MS);
      return;
    }
    const again = this.#parked || this.#ticked.ms >= SLEPT_MS;
    this.#parked = false;
    if (this.#release === null) this.takeOver();
    else if (again) this.#broker?.restart();
  }

  #tick() {
    const slept = this.#ticked.ms >= SLEPT_MS;
    this.#ticked = new Stopwatch();
    if (slept && !this.#browser.hidden && !this.#parked) this.#broker?.reconnect();
    this.#hub?.tick();
    if (this.#stated.ms >= STATE_MS) this.#state();
  }

  // -- which pictures

  #watched() {
    if (this.#browser.hidden) return { all: false, ids: new Set() };
    return this.#requested === "all" ? { all: true, ids: new Set() } : { all: false, ids: new Set(this.#requested) };
  }

  #isWatched(camera) {
    const { all, ids } = this.#watched();
    return all || ids.has(camera);
  }

  // Other hubs may have leases. Their pictures are on the same topics, and would cost this phone's data while it does not show them.
  #isSelected(topic) {
    const { id, leaf } = parseTopic(topic);
    if (leaf === "video") return !this.lowData && this.#isWatched(id);
    return leaf === "still" ? this.#isWatched(id) : true;
  }

  #updateWatched() {
    this.#broker?.setSelected((topic) => this.#isSelected(topic));  // first, so that the answers to the requests arrive
    const { all, ids } = this.#watched();
    this.#hub?.setWatched(all, ids, this.lowData ? "still" : "live");
  }

  #onPicture({ camera, kind, state, age, at, epoch, header, content }) {
    const live = state === "LIVE", captured = Number(header.captured) / 1000;
    if (live) this.#ahead.set(camera, clockAhead(captured, this.#browser.clock.wall));
    if (!this.#open) return;
    if (!this.#announced.has(camera)) this.#state();  // a tile exists before its first picture
    this.#handlers.picture({
      live, key: kind !== "delta", still: kind === "still", cached: false, camera, number: header.number, captured, age, epoch: hex64(epoch),
      width: header.width, height: header.height, sent: at, unit: content, clock: this.#clock });
  }

  // -- the state

  #state() {
    this.#stated = new Stopwatch();
    const hub = this.#hub, access = this.#accessNow(), cameras = [];
    // A broker that rejects the login is the first sign that the owner unlinked this phone.
    for (const camera of access === "login" ? [] : hub?.cameras.values() ?? []) if (camera.membership.listed || camera.membership.removed) cameras.push(this.#cameraState(camera));
    this.#announced = new Set(cameras.map(({ id }) => id));
    const none = new RejectCounts();
    this.#handlers.state({
      type: "state", connected: this.#access === "ok", access, low_data: this.lowData, name: this.#link?.name ?? "",
      hub: this.#link?.id ?? "", account: hub === null ? "" : idText(hub.account), cameras,
      rejected: counts(hub?.rejected ?? none, hub?.rejectedControl), rejected_control: counts(hub?.rejectedControl ?? none),
    });
  }

  // After `sealcam phone unlink` both are true, and only a phone with a login can be allowed again.
  #accessNow() {
    if (this.#access === "login") return "login";
    const cameras = [...this.#hub?.cameras.values() ?? []];
    return cameras.length > 0 && cameras.every(({ membership }) => !membership.listed) ? "removed" : this.#access;
  }

  #cameraState(camera) {
    const { membership, hint, provenUntil } = camera, state = camera.state, ahead = this.#ahead.get(camera.id) ?? null;
    const reason = state === "LIVE" && camera.reason === "none" && ahead !== null ? "clock" : camera.reason;
    const hubs = membership.hubs.map(({ id, integration, active, privacy }) => ({
      hub: idText(id), integration: integration === undefined ? null : hex64(viewOf(integration).getBigUint64(0)), suspended: !active,
      may_switch_privacy: privacy === true, own: equal(id, this.#hub.identity.id) }));
    return {
      id: camera.id, name: camera.name, state, reason: reason === "none" ? null : reason, clock_ahead_s: ahead,
      proven_until_us: provenUntil === null ? null : 1000 * provenUntil, hint: hint?.state ?? null,
      hint_since_us: hint === null ? null : 1000 * hint.since, privacy: reason === "privacy", may_switch_privacy: membership.maySwitchPrivacy,
      requested_privacy: camera.requestedPrivacy, privacy_failed: camera.privacyFailed, members: hubs, members_changed_us: membership.hubsChanged ?? 0,
      software: camera.software && { version: printable(camera.software.version), update: camera.software.update ? updateText(camera.software.update) : "" },
      hubs, rejected: counts(camera.rejected, camera.rejectedControl), rejected_control: counts(camera.rejectedControl), clock: this.#clock,
    };
  }
}
