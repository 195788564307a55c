// SPDX-License-Identifier: Apache-2.0
// An owner, a camera and a hub under test, with clocks that a test moves.
import { concat, fromHex } from "../../firmware/web/bytes.js";
import { encode } from "../../firmware/web/cbor.js";
import { Hub } from "../../firmware/web/hub.js";
import { sha256 } from "../../firmware/web/keys.js";
import { topicOf } from "../../firmware/web/messages.js";
import { MemoryStore } from "../../firmware/web/store.js";
import { agreement, framePlaintext, hpkeSeal, identity, pair, readRequest, sealFrame, signControl } from "./support.mjs";

const scalar = (n) => fromHex(n.toString(16).padStart(64, "0"));
const bytesOf = (n) => Uint8Array.from({ length: 16 }, (_, i) => (n + i) & 255);

export class Scene {
  clock = { boot: 1e6, monotonic: 1e6, wall: 1.79e12 };
  store = new MemoryStore();
  shown = [];          // "<counter> LIVE" or "<counter> STALE"
  pictures = [];
  requests = [];
  notShownReasons = [];
  reports = [];
  topics = new Set();
  checkPicture = () => true;

  static async open() {
    const scene = new Scene();
    [scene.owner, scene.camera, scene.other] = await Promise.all([identity(scalar(11)), identity(scalar(12)), identity(scalar(13))]);
    scene.cameraHpke = await agreement(scalar(14));
    scene.keys = { owner: scene.owner.point, identity: await pair(scalar(15), "ECDSA"), hpke: await pair(scalar(16), "ECDH") };
    scene.hubIdentity = await identity(scalar(15));
    await scene.restart();
    return scene;
  }

  async restart() {
    this.hub = await Hub.open(this.keys, { clock: this.clock, store: this.store, client: this, sink: this, checkPicture: this.checkPicture,
                                           report: (text, error) => this.reports.push(`${text}: ${error.message}`) });
    this.hub.setWatched(true);
    this.hub.setConnected(true);
    await this.hub.settled();
  }

  publish(topic, bytes) { this.requests.push({ topic, bytes, ...readRequest(bytes) }); }
  subscribe(topic) { this.topics.add(topic); }
  unsubscribe(topic) { this.topics.delete(topic); }
  picture(picture) {
    this.shown.push(`${picture.counter} ${picture.state}`);
    this.pictures.push(picture);
  }
  notShown(why) { this.notShownReasons.push(why); }

  get account() { return this.owner.id; }
  topic(leaf, camera = this.camera) { return topicOf(this.owner.text, camera.text, leaf); }
  get entry() { return new Map([[1, this.keys.identity.point], [2, this.keys.hpke.point]]); }
  get newestChallenge() { return this.requests.at(-1).challenge; }

  // The counts of reject reasons that are not 0.
  get rejected() { return Object.fromEntries([...this.hub.rejected].filter(([, count]) => count > 0)); }

  async roster(version, { hubs = [this.entry], camera = this.camera, by = this.owner, suspended = [] } = {}) {
    const payload = new Map([[1, version], [2, camera.point], [3, this.cameraHpke.point], [4, hubs], [5, suspended], [6, 0]]);
    this.rosterHash = await sha256(encode(payload));
    this.rosterVersion = version;
    return signControl(by, "roster", this.account, camera.id, payload);
  }

  // An epoch for frame() and grants(). `n` is its counter.
  epoch(n, suite = 4) {
    const baseKey = suite === 4 ? bytesOf(n) : concat(bytesOf(n), bytesOf(n + 7));
    return { suite, number: BigInt(n) << 32n | 5n, baseKey };
  }

  async grants(epoch, { by = this.camera } = {}) {
    const info = encode(["sealcam/1 grant", this.account, this.camera.id, this.hubIdentity.id, epoch.number, 0]);
    const sealed = await hpkeSeal(await agreement(scalar(17)), this.keys.hpke.point, info, encode(new Map([[1, epoch.baseKey], [2, "Door"]])));
    const payload = new Map([[1, epoch.number], [2, epoch.suite], [3, this.rosterVersion], [4, this.rosterHash], [5, 0],
                             [6, new Map([[this.hubIdentity.id, [16, 0, ...sealed]]])]]);
    return signControl(by, "grants", this.account, this.camera.id, payload);
  }

  // Counter and number are the same unless a test sets the number.
  frame(epoch, kind, counter, { number = counter, echoes = [], depends = counter - 1, content = Uint8Array.of(counter), by = this.camera } = {}) {
    const report = kind === "report";
    const plaintext = framePlaintext({ codec: report ? 0 : 1, number, depends: kind === "delta" ? depends : counter, echoes },
                                     report ? encode(new Map([[1, this.rosterVersion], [2, this.rosterHash]])) : content);
    return sealFrame(by, this.account, this.camera.id, kind, epoch, counter, plaintext);
  }

  // Delivers messages [leaf, bytes] without a pause, and waits for their verdicts.
  async deliver(...messages) {
    for (const [leaf, bytes] of messages) this.hub.receive(this.topic(leaf), bytes);
    await this.hub.settled();
  }

  // The hub is a member, and an epoch is current.
  async begin() {
    const epoch = this.epoch(1);
    await this.deliver(["roster", await this.roster(1)]);
    await this.deliver(["grants", await this.grants(epoch)]);
    await this.deliver(["video", await this.frame(epoch, "key", 0, { echoes: [this.newestChallenge] })]);
    return epoch;
  }

  async pass(ms) {
    for (const clock of ["boot", "monotonic", "wall"]) this.clock[clock] += ms;
    this.hub.tick();
    await this.hub.settled();
  }
}
