// SPDX-License-Identifier: Apache-2.0
// A hub of one account: decides which messages of the broker are valid, which pictures are shown, and which of them are LIVE.
//
// All messages pass one queue, so that they are judged in the order of their arrival. WebCrypto verifies frames in parallel while they wait.
// No method throws because of a message. A hub is thread-bound: use it in one page or one worker.
import { Reject, RejectCounts, copy, idBytes, idText, reject, require } from "./bytes.js";
import { Camera } from "./camera.js";
import { MAX_CONTROL } from "./envelope.js";
import { claimedKind } from "./frame.js";
import { isPicture } from "./h264.js";
import { AgreementKey, IdentityKey, Verifier } from "./keys.js";
import { indexTopic, openIndex, openRoster, parseTopic, requestTopic, signRequest, topicOf } from "./messages.js";
import { Prekeys } from "./prekeys.js";
import { Budget, RequestNumbers, Room, Tasks } from "./queue.js";

const CONTROL_BURST = 20, ROSTER_BURST = 256;                    // R-LIMIT-1
const MAX_CAMERAS = 1024, MAX_EARLY = 64;                        // R-LIMIT-2
const MAX_FRAMES = 64, MAX_FRAME_BYTES = 4 << 20;                // of one camera in the queue
const MAX_QUEUED = 1024, MAX_QUEUED_BYTES = 32 << 20;            // control messages in the queue
const LEAVES = ["roster", "status", "grants", "still", "video"];

export class Hub {
  account;               // id, 20 bytes
  own;                   // { identity, hpke }: the points in rosters
  identity;
  prekeys;
  clock;
  checkPicture;
  connected = false;
  cameras = new Map();   // id as text: Camera
  rejected = new RejectCounts();  // of all messages; each camera has its own, too
  rejectedControl = new RejectCounts();  // of those, the control messages
  dropped = 0;           // messages without a verdict, because the queue was full or a budget was used up
  #accountText;
  #owner;
  #deps;
  #counters;             // camera: greatest epoch counter
  #index = null;
  #early = new Map();    // "<camera>/<leaf>": message
  #rosterBudget = new Budget(ROSTER_BURST);
  #budgets = new Map();  // camera: Budget
  #rooms = new Map();    // camera: Room
  #unknownRoom = new Room(MAX_FRAMES, MAX_FRAME_BYTES);  // frames of cameras without a roster
  #controlRoom = new Room(MAX_QUEUED, MAX_QUEUED_BYTES);
  #received;
  #sent;
  #ticking = false;
  #watched = () => null;
  #recorded = new Map();
  #subscribed = new Set();
  #numbers;

  // owner: 65 bytes. identity, hpke: pairs { privateKey, point } of generateIdentity() and generateAgreement().
  // deps:
  //   clock         { boot, monotonic, wall }: ms; clock.js has the one of a browser
  //   store         store.js
  //   client        { publish(topic, bytes, { qos, retain, expiry }), subscribe(topic, qos), unsubscribe(topic) } of MQTT 5
  //   sink          { picture(picture) }: camera, kind, state, age (ms or null), at (ms), epoch, counter, header, content, received (ms)
  //   checkPicture  (kind, header, content) => boolean, R-FRAME-9; absent: isPicture() of h264.js
  //   report        (text, error): failures of the store and of the program, for a log
  // Throws if the store cannot be read, or if a stored roster is damaged.
  static async open({ owner, identity, hpke }, deps) {
    const hub = new Hub();
    hub.#deps = deps;
    hub.#received = new Tasks((error) => deps.report("a fault in the program, while it judged a message", error));
    hub.#sent = new Tasks((error) => deps.report("cannot send a view request", error));
    hub.clock = deps.clock;
    hub.checkPicture = deps.checkPicture ?? isPicture;
    hub.#owner = await Verifier.open(owner);
    hub.account = hub.#owner.id;
    hub.#accountText = hub.#owner.text;
    hub.identity = await IdentityKey.open(identity);
    hub.own = { identity: identity.point, hpke: hpke.point };
    hub.prekeys = await Prekeys.open(new AgreementKey(hpke), deps);
    hub.#counters = await deps.store.load("epoch");
    hub.#numbers = new RequestNumbers((await deps.store.load("request")).get("seq") ?? 1n,
                                      (end) => hub.#save("request", "seq", end, "cannot reserve request numbers"));
    for (const [camera, message] of await deps.store.load("roster"))
      await hub.#adopt(camera, await openRoster(message, hub.account, idBytes(camera), hub.#owner));
    deps.client.subscribe(indexTopic(hub.#accountText, hub.identity.text), 1);
    return hub;
  }

  // -- what a program calls

  // A message from the broker. The caller does not change its bytes afterwards.
  receive(topic, message, retained = false) {
    const parsed = parseTopic(topic);
    if (parsed === null || parsed.account !== this.#accountText) return this.rejected.add("not_member");
    const frame = parsed.leaf === "video" || parsed.leaf === "still";
    const room = frame ? this.#roomOf(parsed.id) : this.#controlRoom;
    const fits = frame ? room.addFrame(message.length, claimedKind(message)) : room.add(message.length);
    if (!fits) return this.#drop();
    const arrival = { message, retained, at: this.clock.boot };
    if (frame) this.cameras.get(parsed.id)?.prepare(arrival);
    this.#received.add(async () => {
      room.remove(message.length);
      try {
        await this.#judge(parsed, arrival);
      } catch (error) {
        if (!(error instanceof Reject)) throw error;
        this.reject(parsed.id, error.reason, !frame);
      }
    });
  }

  setConnected(connected) {
    this.connected = connected;
    if (connected) for (const camera of this.cameras.values()) camera.onConnected();
  }

  // all: a client watches each camera; otherwise the ids in `cameras` (R-ROLL-6). kind: live, or still for one picture every few seconds.
  setWatched(all, cameras = new Set(), kind = "live") {
    this.#watched = (id) => (all || cameras.has(id) ? kind : null);
    this.#updateKinds();
  }

  // By id, the kind of requests for cameras that no client watches: record or motion.
  setRecorded(cameras) {
    this.#recorded = cameras;
    this.#updateKinds();
  }

  // False if this hub may not do it, or is not connected.
  switchPrivacy(camera, on) { return this.cameras.get(camera)?.switchPrivacy(on) ?? false; }

  // Periodic work. Call it several times a second. A call is skipped while an earlier one waits.
  tick() {
    if (this.#ticking) return;
    this.#ticking = true;
    this.#received.add(async () => {
      this.#ticking = false;
      await this.prekeys.tick();
      for (const camera of this.cameras.values()) await camera.tick();
    });
  }

  // Ends when all messages are judged and all requests are sent.
  async settled() {
    while (!this.#received.idle || !this.#sent.idle) {
      await this.#received.settled();
      await this.#sent.settled();
    }
  }

  // The cameras to whose topics the hub subscribes (R-TOPIC-2). The stored rosters come first, so that no index can hide a camera.
  get subscribed() { return this.#subscribed; }

  // -- what its cameras call

  reject(camera, reason, control = false) {
    for (const counted of [this, this.cameras.get(camera)]) {
      counted?.rejected.add(reason);
      if (control) counted?.rejectedControl.add(reason);
    }
  }

  notShown(why) { this.#deps.sink.notShown?.(why); }

  show(picture) { this.#deps.sink.picture(picture); }

  saveCounter(camera, counter) {
    this.#counters.set(camera, counter);
    const failed = "cannot store the newest epoch; after a restart, the hub may accept an older one";
    this.#sent.add(() => this.#save("epoch", camera, counter, failed));
  }

  // Signs and publishes a view request, in the order of the calls. A lost request needs no action: the next one follows within a second.
  send(camera, request) {
    this.#sent.add(async () => {
      const seq = await this.#numbers.take();
      if (seq === null) return;
      const message = await signRequest(this.identity, this.account, camera, { ...request, seq });
      const topic = requestTopic(this.#accountText, idText(camera), this.identity.text);
      this.#deps.client.publish(topic, message, { qos: 0, retain: false, expiry: 5 });
    });
  }

  // -- inside

  async #save(kind, key, value, what) {
    try {
      await this.#deps.store.save(kind, key, value);
      return true;
    } catch (error) {
      this.#deps.report(what, error);
      return false;
    }
  }

  #roomOf(camera) {
    if (!this.cameras.has(camera)) return this.#unknownRoom;
    if (!this.#rooms.has(camera)) this.#rooms.set(camera, new Room(MAX_FRAMES, MAX_FRAME_BYTES));
    return this.#rooms.get(camera);
  }

  #drop() { ++this.dropped; }

  async #judge({ id, leaf }, arrival) {
    const { message } = arrival;
    if (leaf === "index") return this.#onIndex(id, message);
    if (leaf === "roster") return this.#onRoster(id, message);
    if (leaf === "grants" || leaf === "status") return this.#onControl(id, leaf, message);
    if (leaf === "command" || leaf === "request") return reject("malformed");
    const camera = this.cameras.get(id);
    if (leaf === "past") return camera === undefined ? reject("not_member") : camera.rejectPast();
    if (camera !== undefined) return camera.onFrame(arrival);
    require(message.length === 0, "not_member");
  }

  async #onIndex(hub, message) {
    if (message.length === 0) return;
    require(hub === this.identity.text, "not_member");
    if (!this.#rosterBudget.take(this.clock.monotonic)) return this.#drop();
    const index = await openIndex(message, this.account, this.identity.id, this.#owner);
    require(this.#index === null || index.version >= this.#index.version, "out_of_order");
    if (this.#index !== null && index.version === this.#index.version) return;
    this.#index = index;
    this.#updateSubscriptions();
  }

  async #onRoster(id, message) {
    if (message.length === 0) return;
    if (!this.#rosterBudget.take(this.clock.monotonic)) return this.#drop();
    const roster = await openRoster(message, this.account, idBytes(id), this.#owner);
    const camera = this.cameras.get(id);
    if (camera !== undefined) {
      const { membership } = camera;
      require(roster.version >= membership.version, "out_of_order");
      if (roster.version === membership.version) {
        if (!membership.isHash(roster.hash)) membership.conflict = true;
        return;
      }
    } else if (this.cameras.size >= MAX_CAMERAS) {
      return this.#drop();
    }
    if (!await this.#save("roster", id, copy(message), "cannot store a roster, not applying it")) return;
    await this.#adopt(id, roster);
  }

  // Applies a stored roster, and then the messages of its camera that arrived before it.
  async #adopt(id, roster) {
    if (!this.cameras.has(id)) {
      this.cameras.set(id, new Camera(this, id, this.#counters.get(id)));
      this.#updateKinds();
    }
    const camera = this.cameras.get(id);
    await camera.onRoster(roster);
    this.#updateSubscriptions();
    if (!camera.membership.member) return;
    for (const leaf of ["status", "grants"]) {
      const message = this.#early.get(`${id}/${leaf}`);
      if (message === undefined) continue;
      this.#early.delete(`${id}/${leaf}`);
      try {
        await (leaf === "status" ? camera.onStatus(message) : camera.onGrants(message));
      } catch (error) {
        if (!(error instanceof Reject)) throw error;
        this.reject(id, error.reason, true);
      }
    }
  }

  async #onControl(id, leaf, message) {
    if (message.length === 0) return;
    const camera = this.cameras.get(id);
    if (camera !== undefined && !this.#budgetOf(id).take(this.clock.monotonic)) return this.#drop();
    if (camera?.membership.member !== true) return this.#keepEarly(id, leaf, message);
    await (leaf === "grants" ? camera.onGrants(message) : camera.onStatus(message));
  }

  #budgetOf(id) {
    if (!this.#budgets.has(id)) this.#budgets.set(id, new Budget(CONTROL_BURST));
    return this.#budgets.get(id);
  }

  // A broker delivers retained messages in any order. These are verified when a roster has named the camera's key.
  #keepEarly(id, leaf, message) {
    require(message.length <= MAX_CONTROL);
    const key = `${id}/${leaf}`, before = this.#early.get(key);
    if (before !== undefined && before.length === message.length && before.every((byte, i) => byte === message[i])) return;
    if (before !== undefined || this.#early.size < MAX_EARLY) this.#early.set(key, copy(message));
    require(before === undefined && this.#early.has(key), "not_member");
  }

  #updateKinds() {
    for (const [id, camera] of this.cameras) camera.setKind(this.#watched(id) ?? this.#recorded.get(id) ?? null);
  }

  #updateSubscriptions() {
    const desired = new Set();
    for (const [id, { membership }] of this.cameras) if (membership.listed) desired.add(id);
    for (const id of this.#index?.cameras ?? []) if (desired.size < MAX_CAMERAS) desired.add(idText(id));
    const { client } = this.#deps, topics = (id) => LEAVES.map((leaf) => [topicOf(this.#accountText, id, leaf), leaf]);
    for (const id of this.#subscribed)
      if (!desired.has(id)) for (const [topic] of topics(id)) client.unsubscribe(topic);
    for (const id of desired)
      if (!this.#subscribed.has(id))
        for (const [topic, leaf] of topics(id)) client.subscribe(topic, leaf === "still" || leaf === "video" ? 0 : 1);
    this.#subscribed = desired;
  }
}
