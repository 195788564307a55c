// SPDX-License-Identifier: Apache-2.0
// The app's link: its states, its connection, its tabs, and which pictures it requests.
import assert from "node:assert/strict";
import test from "node:test";
import { AppLink } from "../../firmware/web/app_link.js";
import { linkPhone } from "../../firmware/web/link.js";
import { updateText } from "../../firmware/web/software.js";
import { MemoryStore } from "../../firmware/web/store.js";
import { AppScene, Tab, until } from "./app_scene.mjs";
import * as owners from "./mailbox.mjs";

const NO_LOGIN = 0x87, TAKEN_OVER = 0x8e;

test("the login is the phone's id with its password, for MQTT 5, over TLS", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), { address, options } = tab.mqtt.newest;
  assert.equal(address, "wss://hub.home.arpa:8884");
  const { text } = app.scene.hubIdentity;
  assert.deepEqual([options.protocolVersion, options.clientId, options.username, options.password, options.clean], [5, text, text, "A".repeat(43), true]);
  assert.deepEqual([tab.opened, tab.closed, tab.link.open], [1, 0, true]);
  assert.deepEqual(await AppLink.stored(tab), { name: "Phone", broker: "wss://hub.home.arpa:8884" });
});

test("a picture is LIVE with its age now, and the state has what tiles need", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  const [picture] = tab.pictures, { camera } = app.scene;
  assert.deepEqual([picture.camera, picture.live, picture.key, picture.still, picture.number, picture.width], [camera.text, true, true, false, 0, 640]);
  app.pass(1200);
  assert.equal(picture.clock.age(picture.age, picture.sent), picture.age + 1200);
  await until(() => tab.camera?.state === "LIVE", "LIVE");
  assert.deepEqual([tab.camera.id, tab.camera.name, tab.state.connected, tab.state.access], [camera.text, "Door", true, "ok"]);
  assert.deepEqual(tab.camera.hubs, [{ hub: app.scene.hubIdentity.text, integration: null, suspended: false, may_switch_privacy: false, own: true }]);
  assert.equal(tab.camera.clock.now, app.scene.clock.boot);
  app.pass(5000);
  await until(() => tab.camera.state !== "LIVE", "the end of LIVE");
  assert.ok(picture.clock.age(picture.age, picture.sent) > 5000);
});

test("a picture without an echo of this phone is not LIVE", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), epoch = await app.live(tab);
  app.pass(6000);
  tab.mqtt.newest.deliver(app.topic("video"), await app.scene.frame(epoch, "key", 1));
  await until(() => tab.pictures.length === 2, "the second picture");
  assert.deepEqual(tab.pictures.map(({ live }) => live), [true, false]);
});

test("a tile exists before its first picture", async (t) => {
  const app = await AppScene.open(t), tab = app.tab(), order = [];
  tab.states.push = (state) => { order.push(`state ${state.cameras.length}`); return Array.prototype.push.call(tab.states, state); };
  tab.pictures.push = (picture) => { order.push("picture"); return Array.prototype.push.call(tab.pictures, picture); };
  await app.connected(tab);
  await app.live(tab);
  assert.ok(order.slice(0, order.indexOf("picture")).includes("state 1"), order.join());
});

test("frames and control messages are counted apart", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), epoch = await app.live(tab);
  tab.mqtt.newest.deliver(app.topic("video"), await app.scene.frame(epoch, "key", 1, { by: app.scene.other }));
  tab.mqtt.newest.deliver(app.topic("status"), Uint8Array.of(1));
  await until(() => tab.camera.rejected.wrong_account === 1 && tab.camera.rejected_control.malformed === 1, "both counts");
  assert.deepEqual([tab.camera.rejected.malformed, tab.camera.rejected_control.wrong_account, tab.state.rejected.wrong_account], [0, 0, 1]);
});

test("without a connection the access is offline at once, and another attempt follows", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  const { newest } = tab.mqtt;
  newest.emit("close");
  assert.deepEqual([tab.state.access, tab.state.connected, newest.ended], ["offline", false, true]);
  await until(() => tab.mqtt.clients.length === 2 && tab.state.access === "ok", "another connection");
  assert.ok(tab.mqtt.newest.topics.has(app.topic("video")) && tab.mqtt.newest.topics.has(app.topic("roster")));
});

test("a packet of more than 3 MiB ends the connection at its length", async (t) => {
  class Socket extends EventTarget {
    received = 0;
    close() { this.closed = true; }
    receive(...bytes) { this.dispatchEvent(Object.assign(new Event("message"), { data: Uint8Array.from(bytes.flat()).buffer })); }
  }
  globalThis.WebSocket = Socket;
  t.after(() => { delete globalThis.WebSocket; });
  const app = await AppScene.open(t), tab = await app.connected(), maxLength = [0x80, 0x80, 0x80 | 0x40, 0x01];  // 3 MiB
  const open = () => {
    const client = tab.mqtt.newest, socket = client.options.createWebsocket("wss://hub.home.arpa:8884/", ["mqtt"]);
    socket.addEventListener("message", () => { ++socket.received; });  // that of the package
    return { client, socket };
  };
  // The control: what is allowed arrives, with lengths that are in two messages, and several packets in one.
  const { client, socket } = open();
  socket.receive([0xd0, 0, 0x30, 2, 1]);
  socket.receive([0xff, 0x30, ...maxLength.slice(0, 2)]);
  socket.receive(maxLength.slice(2));
  for (let i = 0; i < 3; ++i) socket.receive(new Array(1 << 20).fill(0xff));
  socket.receive([0xd0, 0]);
  assert.deepEqual([socket.received, socket.closed, client.ended, tab.state.access], [7, undefined, false, "ok"]);
  socket.receive([0x30, 0x81, ...maxLength.slice(1)]);
  assert.deepEqual([socket.received, socket.closed, client.ended, tab.state.access], [7, true, true, "offline"]);
  socket.receive([0xd0, 0]);
  assert.equal(socket.received, 7);
  for (const bytes of [[0x30, 0xff, 0xff, 0xff, 0x7f], [0x30, 0x80, 0x80, 0x80, 0x80, 0], null]) {
    await until(() => tab.mqtt.newest.ended === false && tab.state.access === "ok", "another connection");
    const next = open();
    if (bytes === null) next.socket.dispatchEvent(Object.assign(new Event("message"), { data: "text" }));
    else next.socket.receive(bytes);
    assert.deepEqual([next.socket.received, next.socket.closed, next.client.ended], [0, true, true]);
  }
});

test("messages of an old connection are ignored", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), old = tab.mqtt.newest;
  tab.change("network");
  await until(() => tab.mqtt.clients.length === 2 && tab.state.access === "ok", "another connection");
  old.deliver(app.topic("roster"), await app.scene.roster(1));
  old.emit("close");
  tab.mqtt.newest.deliver("sealcam/1/x", new Uint8Array());  // judged after the roster, if that was accepted
  await until(() => tab.state.rejected.not_member === 1, "the message of the new connection");
  assert.deepEqual([tab.state.access, tab.state.cameras.length], ["ok", 0]);
});

test("a rejected login is not offline, and is not repeated at once", async (t) => {
  const app = await AppScene.open(t), tab = app.tab();
  tab.mqtt.accept = NO_LOGIN;
  tab.begin();
  await until(() => tab.state?.access === "login", "login");
  await new Promise((resolve) => { setTimeout(resolve, 1200); });
  assert.equal(tab.mqtt.clients.length, 1);
});

test("a login that is rejected later ends the pictures at once", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  await until(() => tab.state.cameras.length === 1, "a camera");
  tab.mqtt.accept = NO_LOGIN;
  tab.mqtt.newest.emit("close");
  await until(() => tab.state.access === "login", "the state of the login");
  assert.deepEqual(tab.state.cameras, []);
});

test("a roster without this phone removes it, also after the page is opened again", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), epoch = await app.live(tab);
  tab.mqtt.newest.deliver(app.topic("roster"), await app.scene.roster(2, { hubs: [] }));
  await until(() => tab.state.access === "removed", "removed");
  assert.deepEqual([tab.camera.state, tab.camera.reason], ["OFFLINE", "removed"]);
  const shown = tab.pictures.length;
  tab.mqtt.newest.deliver(app.topic("video"), await app.scene.frame(epoch, "key", 1, { echoes: [tab.requests.at(-1).challenge] }));
  await until(() => tab.state.rejected.not_member === 1, "the rejected frame");
  assert.equal(tab.pictures.length, shown);
  tab.mqtt.newest.emit("close");
  assert.equal(tab.state.access, "removed");
  tab.mqtt.accept = NO_LOGIN;
  await until(() => tab.state.access === "login", "the state of an unlinked phone");
  tab.link.close();
  const again = app.tab().begin();
  await until(() => again.state?.access === "removed", "removed after a restart");
});

test("a tab that is opened later shows the cameras, the earlier one reports that, and continues when the later one ends", async (t) => {
  const app = await AppScene.open(t), first = await app.connected();
  await app.live(first);
  const second = await app.connected();
  await until(() => first.state.access === "other_tab", "the first tab's state");
  assert.deepEqual([first.state.cameras, first.link.open, first.closed, first.mqtt.newest.ended], [[], false, 1, true]);
  first.mqtt.newest.deliver(app.topic("video"), new Uint8Array(100));
  assert.equal(first.mqtt.clients.length, 1);
  second.link.close();
  await until(() => first.state.access === "ok", "the first tab again");
  assert.equal(first.mqtt.clients.length, 2);
});

test("a new link ends the hub of the old one before it replaces what is stored", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), keys = await owners.deriveLink(new Uint8Array(16)), mailbox = new owners.Mailbox();
  mailbox.open(keys.slot);
  let access = null;
  const store = { load: (...a) => app.store.load(...a), save: (...a) => app.store.save(...a),
                  replaceAll: (...a) => { access = tab.state.access; return app.store.replaceAll(...a); } };
  const linked = linkPhone({ code: "A".repeat(22), store, fetch: mailbox.fetch, locks: app.locks });
  await until(() => mailbox.slots.get(keys.slot).descriptor !== null, "a descriptor");
  const phone = await owners.readDescriptor(mailbox.slots.get(keys.slot).descriptor, keys);
  mailbox.slots.get(keys.slot).enrollment = await owners.makeEnrollment(app.scene.other, phone, keys);
  await linked;
  assert.equal(access, "other_tab");
  await until(() => tab.state.access === "ok" && tab.state.hub === phone.identity.text, "the tab with the new link");
});

test("takeOver() and a tab that becomes visible show the cameras there", async (t) => {
  const app = await AppScene.open(t), first = await app.connected(), second = await app.connected();
  await until(() => first.state.access === "other_tab", "the first tab's state");
  first.link.takeOver();
  await until(() => first.state.access === "ok" && second.state.access === "other_tab", "the first tab took over");
  second.change("visible");
  await until(() => second.state.access === "ok" && first.state.access === "other_tab", "the second tab became visible");
});

test("a page that is opened in the background does not take over", async (t) => {
  const app = await AppScene.open(t), first = await app.connected(), second = app.tab();
  second.hidden = true;
  second.begin();
  await new Promise((resolve) => { setTimeout(resolve, 100); });
  assert.deepEqual([first.state.access, second.mqtt.clients.length], ["ok", 0]);
  second.change("visible", { hidden: false });
  await until(() => second.state?.access === "ok", "the second tab became visible");
});

test("a connection that another one replaced is not repeated at once", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  tab.mqtt.newest.emit("disconnect", { reasonCode: TAKEN_OVER });
  tab.mqtt.newest.emit("close");
  assert.equal(tab.state.access, "offline");
  await new Promise((resolve) => { setTimeout(resolve, 1500); });
  assert.equal(tab.mqtt.clients.length, 1);
});

test("a hidden page requests nothing and receives no pictures", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  tab.change("visible", { hidden: true });
  assert.deepEqual(tab.videoTopics, []);
  const before = tab.requests.length;
  app.pass(3000);
  await new Promise((resolve) => { setTimeout(resolve, 500); });
  assert.equal(tab.requests.length, before);
  tab.change("visible", { hidden: false });
  assert.deepEqual(tab.videoTopics, [app.topic("video")]);
  await until(() => tab.requests.length > before, "requests");
});

test("a page that was hidden for a while has no connection, and connects when it is shown", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), { setTimeout: real } = globalThis;
  t.mock.method(globalThis, "setTimeout", (call, ms, ...more) => real(call, ms === 30_000 ? 10 : ms, ...more));
  tab.change("visible", { hidden: true });
  await until(() => tab.mqtt.newest.ended, "the end of the connection");
  tab.change("visible", { hidden: false });
  await until(() => tab.state.access === "ok" && tab.mqtt.clients.length === 2, "another connection");
  tab.change("visible", { hidden: true });
  await until(() => tab.mqtt.newest.ended, "the end of the connection");
  const second = await app.connected();
  await until(() => tab.state.access === "other_tab", "the other tab");
  tab.change("visible", { hidden: false });
  await until(() => tab.state.access === "ok" && second.state.access === "other_tab", "a connection after another tab had it");
});

test("watch() decides which pictures the broker sends", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  tab.link.watch([]);
  assert.deepEqual(tab.videoTopics, []);
  assert.ok(tab.mqtt.newest.topics.has(app.topic("grants")));
  tab.link.watch([app.scene.camera.text]);
  assert.deepEqual(tab.videoTopics, [app.topic("video")]);
});

test("low data requests stills only", async (t) => {
  const app = await AppScene.open(t), tab = app.tab();
  tab.saveData = true;
  await app.connected(tab);
  const epoch = await app.live(tab);
  assert.deepEqual([tab.state.low_data, tab.videoTopics, tab.mqtt.newest.topics.has(app.topic("still"))], [true, [], true]);
  assert.deepEqual([...new Set(tab.requests.map(({ kind }) => kind))], ["still"]);
  tab.mqtt.newest.deliver(app.topic("still"), await app.scene.frame(epoch, "still", 1, { echoes: [tab.requests.at(-1).challenge] }));
  await until(() => tab.pictures.some(({ still, live }) => still && live), "a still");
  tab.link.setLowData(false);
  assert.deepEqual([tab.state.low_data, tab.videoTopics], [false, [app.topic("video")]]);
  await until(() => tab.requests.at(-1).kind === "live", "requests for video");
});

test("after a sleep the connection is made again, and no picture from before is LIVE", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  const [picture] = tab.pictures, { now } = Date;
  t.mock.method(Date, "now", () => now() + 60_000);  // the timers stood still
  app.pass(60_000);
  await until(() => tab.mqtt.clients.length === 2, "another connection");
  assert.ok(picture.clock.age(picture.age, picture.sent) > 5000);
  assert.notEqual(tab.camera.state, "LIVE");
});

test("storage that is deleted while the page is open ends the hub", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  tab.wipe();
  assert.deepEqual([tab.state.access, tab.state.cameras, tab.link.open, tab.mqtt.newest.ended], ["wiped", [], false, true]);
});

test("nothing stored, keys that are missing, and a store that fails are told apart", async (t) => {
  const app = await AppScene.open(t), empty = new Tab(new MemoryStore(), app.locks, app.scene.clock);
  app.tabs.push(empty);
  empty.begin();
  await until(() => empty.state?.access === "unlinked", "unlinked");
  assert.equal(await AppLink.stored(empty), null);
  empty.link.close();
  await app.store.remove("identity", "hpke");
  const half = app.tab().begin();
  await until(() => half.state?.access === "unlinked", "unlinked without a key");
  assert.equal(await AppLink.stored(half), null);
  half.link.close();
  const failing = app.tab();
  failing.openStore = async () => { throw new Error("no storage"); };
  failing.begin();
  await until(() => failing.state?.access === "storage", "a failing store");
});

test("forget() ends the link and deletes everything", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected();
  await app.live(tab);
  await AppLink.forget(tab);
  assert.deepEqual([tab.state.access, tab.link.open, tab.mqtt.newest.ended], ["unlinked", false, true]);
  for (const kind of ["roster", "epoch", "request", "prekey", "identity", "link"]) assert.equal((await app.store.load(kind)).size, 0, kind);
  assert.equal(await AppLink.stored(tab), null);
});

test("forget() deletes everything before another tab can use it", async (t) => {
  const { AppLink: Other } = await import("../../firmware/web/app_link.js?another_tab");
  const app = await AppScene.open(t), other = app.tab().begin(Other), { clients } = other.mqtt, { replaceAll } = app.store;
  await until(() => other.state?.access === "ok", "a connection");
  const tab = await app.connected();
  await until(() => other.state.access === "other_tab", "the state of the other tab");
  app.store.replaceAll = async (values) => {
    await new Promise((resolve) => { setTimeout(resolve, 100); });  // a slow disk
    assert.equal(other.state.access, "other_tab");
    return replaceAll.call(app.store, values);
  };
  await AppLink.forget(tab);
  await until(() => other.state.access === "unlinked", "the other tab without a link");
  assert.deepEqual([clients.length, tab.state.access], [1, "unlinked"]);
  assert.ok(tab.states.every(({ access }) => access !== "other_tab"));
});

test("a change of privacy that is not possible says why", async (t) => {
  const app = await AppScene.open(t), tab = await app.connected(), { text } = app.scene.camera;
  assert.equal(tab.link.switchPrivacy(text, true), true);
  await app.live(tab);
  tab.link.switchPrivacy(text, true);
  assert.deepEqual(tab.rejections.map(({ camera, why }) => [camera === text, why]), [[true, "no_such_camera"], [true, "not_allowed"]]);
  tab.link.close();
  assert.equal(tab.link.switchPrivacy(text, true), false);
});

test("a software report of a hostile camera cannot change the text around it", () => {
  const last = { version: "0.1.0", result: 2, at: 0, reason: "caf\u00e9\u{e0041}" };
  assert.equal(updateText({ offer: "\u202e0.2.0\n", state: 2, last }),
               "update ?0.2.0? is offered; 0.1.0 failed its check and was rolled back: caf\u00e9?");
});
