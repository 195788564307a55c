// SPDX-License-Identifier: Apache-2.0
// Runs the cases of the corpus whose device is a hub, or a phone that joins an account, with the modules of firmware/web. It runs in node and in browsers (../README.md).
import { fromHex, idBytes } from "../../../firmware/web/bytes.js";
import { encode } from "../../../firmware/web/cbor.js";
import { Hub } from "../../../firmware/web/hub.js";
import { MemoryStore } from "../../../firmware/web/store.js";
import { PhoneRun } from "./phone_run.mjs";
import { agreement, framePlaintext, hpkeSeal, identity, pair, readRequest, sealFrame, signControl } from "../../web/support.mjs";

const STRICT = ["rejected", "shown", "not_shown"];  // of a hub: an absent list is an empty list
const RUNS = { hub: (json) => new HubRun(json), phone: (json) => new PhoneRun(json) };

// What an implementation in a browser can be.
export const canRun = (json) => Object.hasOwn(RUNS, json.under_test);

// Keys of one scalar are in many cases.
const known = new Map();
function once(make, scalar) {
  const name = `${make.name} ${scalar}`;
  if (!known.has(name)) known.set(name, make(fromHex(scalar)));
  return known.get(name);
}

class CaseClock {
  monotonic = 3_600_000;
  boot = 3_600_000;
  wall = 1_790_000_000_000;

  // True if the event moves clocks. The device works after each move.
  async move(event, tick) {
    if (event.do === "run") {
      for (let left = event.ms; left > 0; left -= 100) {
        const step = Math.min(left, 100);
        for (const clock of ["monotonic", "boot", "wall"]) this[clock] += step;
        await tick();
      }
    } else if (event.do === "suspend") {
      this.boot += event.ms;
      this.wall += event.ms;
      await tick();
    } else if (event.do === "step") {
      this[event.clock] += event.ms;
      await tick();
    } else {
      return false;
    }
    return true;
  }
}

class FailingStore extends MemoryStore {
  fails = [];
  async save(kind, key, value) {
    if (this.fails.includes(kind)) throw new Error("the disk is full");
    await super.save(kind, key, value);
  }
}

// A message that contains what the hub drew at random, made by the other side.
class Builder {
  challenges = new Map();
  prekeys = new Map();

  constructor(json) {
    this.json = json;
    for (const [name, value] of Object.entries(json.start?.challenges ?? {})) this.challenges.set(name, BigInt(`0x${value}`));
    this.account = idBytes(json.parties.owner.id);
    this.camera = idBytes(json.parties.camera.id);
  }

  epochName(number) {
    for (const [name, epoch] of Object.entries(this.json.epochs ?? {})) if (BigInt(`0x${epoch.number}`) === number) return name;
    return number.toString(16).padStart(16, "0");
  }

  partyName(id) { return Object.entries(this.json.parties).find(([, party]) => party.id === id)?.[0] ?? id; }

  async message(event) {
    if (event.message) return fromHex(this.json.messages[event.message].bytes);
    if (event.frame) return this.#frame(event.frame);
    if (event.grants) return this.#grants(event.grants);
    throw new Error("a delivery needs a message, or a structure");
  }

  async #frame(f) {
    const { suite, base_key: baseKey, number } = this.json.epochs[f.epoch], echoes = f.echo.map((name) => this.challenges.get(name));
    const plaintext = framePlaintext({ ...f, codec: f.kind === "report" ? 0 : 1, echoes }, fromHex(f.content));
    return sealFrame(await once(identity, this.json.parties[f.by].identity), this.account, this.camera, f.kind,
                     { suite, baseKey: fromHex(baseKey), number: BigInt(`0x${number}`) }, f.counter, plaintext);
  }

  async #grants(g) {
    const epoch = this.json.epochs[g.epoch], number = BigInt(`0x${epoch.number}`), sealed = new Map();
    const secret = encode(new Map([[1, fromHex(epoch.base_key)], [2, epoch.name]]));
    const ephemeral = await once(agreement, "0d".padStart(64, "0"));
    for (const to of g.to) {
      const hub = idBytes(this.json.parties[to.hub].id), prekey = this.prekeys.get(to.prekey_of);
      const info = encode(["sealcam/1 grant", this.account, this.camera, hub, number, prekey.number]);
      sealed.set(hub, [16, prekey.number, ...await hpkeSeal(ephemeral, prekey.point, info, secret)]);
    }
    const body = new Map([[1, number], [2, epoch.suite], [3, g.roster_version], [4, fromHex(g.roster_hash)], [5, g.created], [6, sealed]]);
    return signControl(await once(identity, this.json.parties[g.by].identity), "grants", this.account, this.camera, body);
  }
}

class HubRun {
  #clock = new CaseClock();
  #store = new FailingStore();
  #sent = [];
  #shown = [];
  #notShown = [];
  #faults = [];
  #connected = true;
  #permitted = null;
  #recorded = "off";
  #counted = new Map();

  constructor(json) {
    this.json = json;
    this.builder = new Builder(json);
    this.watched = json.start?.watched ?? true;
  }

  async restart() {
    const { parties, device } = this.json, own = parties[device];
    const owner = await once(identity, parties.owner.identity);
    this.hub = await Hub.open(
      { owner: owner.point, identity: await pair(fromHex(own.identity), "ECDSA"), hpke: await pair(fromHex(own.hpke), "ECDH") },
      { clock: this.#clock, store: this.#store, client: this, sink: this, checkPicture: () => true,
        report: (text, error) => { if (error.message !== "the disk is full") this.#faults.push(`${text}: ${error} ${error.stack ?? ""}`); } });
    this.#counted = new Map();
    this.hub.setWatched(this.watched);
    this.#record();
    this.hub.setConnected(this.#connected);
    await this.#settled();
  }

  // The client of MQTT and the sink of pictures.
  publish(topic, bytes) {
    const request = readRequest(bytes), epoch = this.builder.epochName(request.epoch);
    const text = `${request.kind} ${epoch}${request.cannotOpen ? " cannot_open" : ""}${request.nonce ? ` nonce ${request.nonce}` : ""}`;
    this.#sent.push({ ...request, text, epoch });
  }
  subscribe() {}
  unsubscribe() {}
  picture({ epoch, counter, state }) { this.#shown.push(`${this.builder.epochName(epoch)}/${counter} ${state}`); }
  notShown(why) { this.#notShown.push(why); }

  async #settled() {
    await this.hub.settled();
    if (this.#faults.length > 0) throw new Error(this.#faults.splice(0).join("; "));
  }

  async #tick() {
    this.hub.tick();
    await this.#settled();
  }

  #record() {
    const kind = { continuous: "record", motion: "motion" }[this.#recorded];
    this.hub.setRecorded(new Map(kind ? [[this.json.parties.camera.id, kind]] : []));
  }

  async #do(event) {
    const { hub, builder } = this;
    if (await this.#clock.move(event, () => this.#tick())) return undefined;
    switch (event.do) {
      case "deliver": return hub.receive(event.topic, await builder.message(event), event.retained ?? false);
      case "connect":
      case "disconnect":
        this.#connected = event.do === "connect";
        return hub.setConnected(this.#connected);
      case "restart": return this.restart();
      case "watch":
        this.watched = event.on;
        return hub.setWatched(event.on);
      case "record":
        this.#recorded = event.mode;
        return this.#record();
      case "storage":
        this.#store.fails = event.fails;
        return undefined;
      case "take": return this.#take(event);
      case "privacy":
        this.#permitted = hub.switchPrivacy(this.json.parties.camera.id, event.on);
        return undefined;
      case "check": return undefined;
      default: throw new Error(`unknown event '${event.do}'`);
    }
  }

  #take(event) {
    const request = this.#sent.findLast(({ kind, epoch }) => kind === event.request && epoch === event.epoch);
    if (!request) throw new Error(`no request '${event.request}' for epoch ${event.epoch}`);
    this.builder.challenges.set(event.as, request.challenge);
    if (request.prekey) this.builder.prekeys.set(event.as, request.prekey);
  }

  #newRejections() {
    const all = [];
    for (const [reason, count] of this.hub.rejected) {
      for (let i = this.#counted.get(reason) ?? 0; i < count; ++i) all.push(reason);
      this.#counted.set(reason, count);
    }
    return all.sort();
  }

  async verdict(event) {
    const before = this.#sent.length;
    await this.#do(event);
    await this.#settled();
    const camera = this.hub.cameras.get(this.json.parties.camera.id), membership = camera?.membership, epoch = camera?.currentEpoch ?? null;
    return {
      rejected: this.#newRejections(),
      shown: this.#shown.splice(0),
      not_shown: this.#notShown.splice(0).sort(),
      requests: [...new Set(this.#sent.slice(before).map(({ text }) => text))].sort(),
      current: epoch === null ? null : this.builder.epochName(epoch),
      state: camera?.state ?? "OFFLINE",
      reason: camera?.reason ?? "none",
      detects_motion: camera?.detectsMotion ?? null,
      software: softwareText(camera?.software),
      permitted: this.#permitted,
      subscribed: [...this.hub.subscribed].map((id) => this.builder.partyName(id)).sort(),
      member: membership?.member ?? false,
      roster_version: Number(membership?.version ?? 0n),
    };
  }
}

// The software report of a hub's camera, or null.
function softwareText(software) {
  if (!software) return null;
  const { version, update } = software, { image, state, offer, last } = update ?? {};
  return [version, image && `image ${image}`, state && `state ${state}`, offer && `offer ${offer}`,
    last && `last ${last.version} result ${last.result} at ${last.at} because ${last.reason}`].filter(Boolean).join(", ");
}

const text = (value) => JSON.stringify(value);

// The verdicts of one case, restricted to the members that each event compares, and a text for each difference.
export async function runCase(json) {
  const run = RUNS[json.under_test](json), strict = json.under_test === "hub" ? STRICT : [], verdicts = [], faults = [];
  try {
    await run.restart();
    for (const [number, event] of json.events.entries()) {
      const whole = await run.verdict(event);
      const expected = { ...Object.fromEntries(strict.map((field) => [field, []])), ...event.expect };
      const actual = Object.fromEntries(Object.keys(expected).map((field) => [field, whole[field] ?? null]));
      verdicts.push(actual);
      if (text(actual) !== text(expected)) faults.push(`event ${number} (${event.do}): expected ${text(expected)}, was ${text(actual)}`);
    }
  } catch (error) {
    faults.push(`event ${verdicts.length}: ${error} ${error.stack ?? ""}`);
  }
  return { verdicts, faults };
}

// A verdict as one text, whatever the order of its members.
export const normalized = (verdicts) => text(verdicts.map((verdict) => Object.fromEntries(Object.entries(verdict).sort(([a], [b]) => (a < b ? -1 : 1)))));
