// SPDX-License-Identifier: Apache-2.0
// The connection of a phone to its broker: MQTT 5 over WebSocket with TLS, with the npm package `mqtt`. It connects again by itself.

const RETRY = { first: 500, max: 30_000 };          // ms between two attempts
const RETRY_LOGIN = 60_000;                       // ms, after the broker rejected the login
const CONNECT_MS = 10_000, KEEP_ALIVE = 8;          // ms; s
const MAX_PACKET = 3 << 20;                         // bytes: above the greatest frame of the protocol
const BAD_LOGIN = new Set([0x84, 0x85, 0x86, 0x87, 0x8a, 0x8c]);  // CONNACK: the broker does not accept this client (MQTT 5, section 3.2.2.2)
const TAKEN_OVER = 0x8e;
const MAX_TOPICS = 64;                              // in one SUBSCRIBE

// Reads the lengths of the packets in a stream (MQTT 5, section 2.1.4). The package judges a packet only after it has received all of it, and a
// broker may announce 256 MiB. The browser collects one WebSocket message, so this does not limit its size.
class PacketLengths {
  #left = 0;     // bytes of the packet that follow
  #factor = 0;   // of the next byte of a length; 0: the type comes next
  #length = 0;

  // Whether all packets of the stream up to here are small enough.
  allow(bytes) {
    for (let at = 0; at < bytes.length;) {
      const skipped = Math.min(this.#left, bytes.length - at);
      if (skipped > 0) {
        this.#left -= skipped;
        at += skipped;
      } else if (this.#factor === 0) {
        ++at;
        this.#factor = 1;
        this.#length = 0;
      } else {
        const byte = bytes[at++];
        this.#length += (byte & 127) * this.#factor;
        this.#factor *= 128;
        if (this.#length > MAX_PACKET || this.#factor > 128 ** 4) return false;
        if (byte >= 128) continue;
        this.#left = this.#length;
        this.#factor = 0;
      }
    }
    return true;
  }
}

export class Broker {
  #mqtt;
  #login;
  #handlers;
  #desired = new Map();   // topic: qos
  #made = new Set();      // topics of this connection
  #selected = () => true;
  #client = null;
  #connected = false;
  #closed = false;
  #retry = RETRY.first;
  #timer = null;

  // mqtt: the module. login: { address, id, password }. handlers: message({ topic, payload, retained }), state(connected, why): why is "lost",
  // "login" or "taken_over" (another connection with this id).
  constructor(mqtt, login, handlers) {
    this.#mqtt = mqtt;
    this.#login = login;
    this.#handlers = handlers;
  }

  get connected() { return this.#connected; }

  // -- the client of hub.js

  publish(topic, bytes, { qos, retain, expiry }) {
    if (this.#connected) this.#client.publish(topic, bytes, { qos, retain, properties: { messageExpiryInterval: expiry } });
  }

  subscribe(topic, qos) {
    this.#desired.set(topic, qos);
    this.#update();
  }

  unsubscribe(topic) {
    this.#desired.delete(topic);
    this.#update();
  }

  // -- the app's part

  // Which of the hub's topics the broker shall send. The others stay on its list.
  setSelected(selected) {
    this.#selected = selected;
    this.#update();
  }

  // Connects now. An attempt that waits is made at once, for example because the network returned.
  open() {
    this.#closed = false;
    if (this.#client !== null) return;
    clearTimeout(this.#timer);
    const { address, id, password } = this.#login;
    const client = this.#mqtt.connect(address, {
      protocolVersion: 5, clientId: id, username: id, password, clean: true, keepalive: KEEP_ALIVE, connectTimeout: CONNECT_MS,
      reconnectPeriod: 0, resubscribe: false, queueQoSZero: false, timerVariant: "native",
      reschedulePings: false,  // a hub sends requests each second, and they have no answer
      properties: { sessionExpiryInterval: 0, maximumPacketSize: MAX_PACKET },
      createWebsocket: (url, protocols) => this.#openSocket(url, protocols, () => { if (client === this.#client) this.#onClosed("lost"); }),
    });
    let why = "lost";
    this.#client = client;
    client.on("connect", () => { if (client === this.#client) this.#onConnected(); });
    client.on("message", (topic, payload, { retain }) => {
      // A plain array: the slice() of the package's buffers does not copy.
      if (client === this.#client) this.#handlers.message({ topic, payload: new Uint8Array(payload.buffer, payload.byteOffset, payload.length), retained: retain });
    });
    client.on("error", (error) => { if (BAD_LOGIN.has(error.code)) why = "login"; });
    client.on("disconnect", ({ reasonCode }) => { if (reasonCode === TAKEN_OVER) why = "taken_over"; });
    client.on("close", () => { if (client === this.#client) this.#onClosed(why); });
  }

  // Ends the connection until open(). The hub's topics stay on the list.
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#client !== null) this.#onClosed("closed");
  }

  // The network changed: the old connection may never report its end.
  reconnect() { if (!this.#closed) this.restart(); }

  // The same, also after close().
  restart() {
    this.#retry = RETRY.first;
    if (this.#client !== null) this.#onClosed("lost");
    this.open();
  }

  // -- inside

  // Its listener is the first one, so that the package does not receive what is too large.
  #openSocket(url, protocols, end) {
    const socket = new WebSocket(url, protocols), lengths = new PacketLengths();
    let ended = false;
    socket.addEventListener("message", (event) => {
      if (!ended && event.data instanceof ArrayBuffer && lengths.allow(new Uint8Array(event.data))) return;
      event.stopImmediatePropagation();
      if (ended) return;
      ended = true;
      socket.close();
      end();
    });
    return socket;
  }

  #onConnected() {
    this.#connected = true;
    this.#retry = RETRY.first;
    this.#made.clear();
    this.#update();
    this.#handlers.state(true, null);
  }

  #onClosed(why) {
    const client = this.#client;
    this.#client = null;
    this.#connected = false;
    this.#made.clear();
    client.end(why !== "closed");
    this.#handlers.state(false, why);
    if (this.#closed || why === "taken_over") return;
    const pause = why === "login" ? RETRY_LOGIN : this.#retry * (0.5 + Math.random());
    this.#retry = Math.min(2 * this.#retry, RETRY.max);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), pause);
  }

  #update() {
    if (!this.#connected) return;
    const failed = () => {};  // the connection ends then, and the next one subscribes again
    for (const topic of this.#made) {
      if (this.#desired.has(topic) && this.#selected(topic)) continue;
      this.#made.delete(topic);
      this.#client.unsubscribe(topic, {}, failed);
    }
    const missing = [...this.#desired].filter(([topic]) => !this.#made.has(topic) && this.#selected(topic));
    for (let i = 0; i < missing.length; i += MAX_TOPICS)
      this.#client.subscribe(Object.fromEntries(missing.slice(i, i + MAX_TOPICS).map(([topic, qos]) => [topic, { qos }])), failed);
    for (const [topic] of missing) this.#made.add(topic);
  }
}
