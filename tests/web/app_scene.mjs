// SPDX-License-Identifier: Apache-2.0
// The app's link with a browser and a broker in memory. Scene (scene.mjs) is the owner and the camera.
import { AppLink } from "../../firmware/web/app_link.js";
import { MemoryStore } from "../../firmware/web/store.js";
import { Scene } from "./scene.mjs";
import { readRequest } from "./support.mjs";

// The Web Locks of all tabs of one browser, as far as the app uses them.
export class Locks {
  #held = new Map();       // name: { reject }
  #queue = [];

  request(name, { steal = false, signal = null }, callback) {
    return new Promise((resolve, reject) => {
      const waiting = { name, callback, resolve, reject };
      signal?.addEventListener("abort", () => {
        if (!this.#queue.includes(waiting)) return;
        this.#queue = this.#queue.filter((other) => other !== waiting);
        reject(new DOMException("aborted", "AbortError"));
      });
      if (steal) {
        const before = this.#held.get(name);
        this.#held.delete(name);
        this.#grant(waiting);
        before?.reject(new DOMException("stolen", "AbortError"));
      } else if (this.#held.has(name)) {
        this.#queue.push(waiting);
      } else {
        this.#grant(waiting);
      }
    });
  }

  #grant(waiting) {
    this.#held.set(waiting.name, waiting);
    Promise.resolve().then(waiting.callback).then((value) => {
      waiting.resolve(value);
      if (this.#held.get(waiting.name) !== waiting) return;
      this.#held.delete(waiting.name);
      const next = this.#queue.findIndex(({ name }) => name === waiting.name);
      if (next >= 0) this.#grant(this.#queue.splice(next, 1)[0]);
    }, waiting.reject);
  }
}

// The package `mqtt`, as far as broker.js uses it. Tests are the broker.
export class FakeMqtt {
  clients = [];
  accept = true;           // or the reason code of a CONNACK
  connect(address, options) {
    const client = new FakeClient(address, options);
    this.clients.push(client);
    queueMicrotask(() => {
      if (this.accept === true) client.emit("connect", {});
      else if (this.accept !== null) {
        client.emit("error", Object.assign(new Error("no login"), { code: this.accept }));
        client.emit("close");
      }
    });
    return client;
  }
  get newest() { return this.clients.at(-1); }
}

class FakeClient {
  topics = new Set();
  published = [];
  ended = false;
  #handlers = {};
  constructor(address, options) { Object.assign(this, { address, options }); }
  on(event, handler) { this.#handlers[event] = handler; }
  emit(event, ...values) { this.#handlers[event]?.(...values); }
  publish(topic, bytes, options) { this.published.push({ topic, bytes, options }); }
  subscribe(topics) { for (const topic of Object.keys(topics)) this.topics.add(topic); }
  unsubscribe(topic) { this.topics.delete(topic); }
  end() { this.ended = true; }
  deliver(topic, bytes, retain = false) { this.emit("message", topic, Buffer.from(bytes), { retain }); }
}

// One tab.
export class Tab {
  mqtt = new FakeMqtt();
  hidden = false;
  saveData = false;
  reports = [];
  states = [];
  pictures = [];
  rejections = [];
  opened = 0;
  closed = 0;
  checkPicture = () => true;
  #changed = () => {};
  #lost = () => {};

  constructor(store, locks, clock) { Object.assign(this, { store, locks, clock }); }

  async openStore(onlost) {
    this.#lost = onlost;
    return { load: (...a) => this.store.load(...a), save: (...a) => this.store.save(...a), remove: (...a) => this.store.remove(...a),
             replaceAll: (...a) => this.store.replaceAll(...a), close() {} };
  }
  loadMqtt() { return Promise.resolve(this.mqtt); }
  observe(changed) {
    this.#changed = changed;
    return () => { this.#changed = () => {}; };
  }
  report(text, error) { this.reports.push(`${text}: ${error.message}`); }
  change(what, values = {}) {
    Object.assign(this, values);
    this.#changed(what);
  }
  wipe() { this.#lost(); }

  // Link: the class of another tab's modules.
  begin(Link = AppLink) {
    this.link = new Link({
      state: (state) => this.states.push(state), picture: (picture) => this.pictures.push(picture), rejected: (json) => this.rejections.push(json),
      open: () => { ++this.opened; }, closed: () => { ++this.closed; } }, this);
    return this;
  }

  get state() { return this.states.at(-1); }
  get camera() { return this.state?.cameras[0]; }
  get requests() { return this.mqtt.newest.published.map(({ topic, bytes }) => ({ topic, ...readRequest(bytes) })); }
  get videoTopics() { return [...this.mqtt.newest.topics].filter((topic) => topic.endsWith("/video")); }
}

const WAIT = Number(process.env.SEALCAM_WAIT_MS ?? 30_000);  // until an expected effect is a failure

export async function until(condition, what, ms = WAIT) {
  const end = performance.now() + ms;
  while (!await condition()) {
    if (performance.now() > end) throw new Error(`${what}: this did not happen`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

// A linked phone with one camera.
export class AppScene {
  locks = new Locks();
  store = new MemoryStore();
  tabs = [];

  static async open(t) {
    const app = new AppScene();
    app.scene = await Scene.open();
    const { keys, hubIdentity } = app.scene;
    await app.store.replaceAll([["identity", "identity", keys.identity], ["identity", "hpke", keys.hpke],
      ["link", "broker", { owner: keys.owner, address: "wss://hub.home.arpa:8884", password: "A".repeat(43), name: "Phone", id: hubIdentity.text }]]);
    t.after(() => { for (const tab of app.tabs) tab.link?.close(); });
    return app;
  }

  tab() {
    const tab = new Tab(this.store, this.locks, this.scene.clock);
    this.tabs.push(tab);
    return tab;
  }

  async connected(tab = this.tab()) {
    tab.begin();
    await until(() => tab.state?.access === "ok", "a connection");
    return tab;
  }

  topic(leaf) { return this.scene.topic(leaf); }

  // The camera is a member, and its picture is LIVE.
  async live(tab, epoch = this.scene.epoch(1)) {
    const { newest } = tab.mqtt;
    newest.deliver(this.topic("roster"), await this.scene.roster(1), true);
    newest.deliver(this.topic("grants"), await this.scene.grants(epoch), true);
    await until(() => tab.requests.length > 0, "a request");
    newest.deliver(this.topic("video"), await this.scene.frame(epoch, "key", 0, { echoes: [tab.requests.at(-1).challenge] }));
    await until(() => tab.pictures.length > 0, "a picture");
    return epoch;
  }

  // Moves the clocks. The link's own timer judges.
  pass(ms) { for (const clock of ["boot", "monotonic", "wall"]) this.scene.clock[clock] += ms; }
}
