// SPDX-License-Identifier: Apache-2.0
// In place of firmware/web/app_link.js in tests of the app's screens. The test sets window.fake before the app starts: stored, state, live, and delay:
// ms until a call has its effect. It reads states (their number), sent (the time of the newest picture), link.watched, switched and lowData.
const WINDOW = 100;  // ms between two pictures
const clock = { get now() { return performance.now(); }, age: (age, sent) => (age === null ? null : age + Math.max(0, performance.now() - sent)) };
const { fake } = window;
const later = (effect) => (fake.delay ? void setTimeout(effect, fake.delay) : effect());

// A picture that the stand-in of the decoder draws: an SPS, and the number of the room.
function picture({ id, room }, number) {
  const unit = Uint8Array.of(0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x65, room, number & 255);
  return { live: true, key: true, still: fake.lowData, cached: false, camera: id, number, captured: Date.now(), age: 40, epoch: "1", width: 640, height: 360,
           sent: performance.now(), unit, clock };
}

export class AppLink {
  #handlers;
  #watched = "all";
  #number = 0;
  #timer;
  open = false;
  lowData = false;

  constructor(handlers) {
    this.#handlers = handlers;
    fake.link = this;
    setTimeout(() => {
      this.open = fake.state !== null;
      if (this.open) handlers.open();
      this.send();
    });
    this.#timer = setInterval(() => this.#tick(), WINDOW);
  }

  static async stored() {
    if (fake.storageFails) throw new DOMException("no storage", "InvalidStateError");
    return sessionStorage.getItem("forgotten") ? null : fake.stored;
  }
  static async forget() { sessionStorage.setItem("forgotten", "yes"); }

  // The newest state of the test.
  send() {
    if (fake.state === null) return;
    const json = structuredClone(fake.state);
    for (const camera of json.cameras) camera.clock = clock;
    later(() => {
      this.#handlers.state({ low_data: this.lowData, ...json });
      fake.states = (fake.states ?? 0) + 1;
    });
  }

  #tick() {
    ++this.#number;
    if (this.#number % 5 === 0) this.send();
    for (const camera of fake.state?.cameras ?? [])
      if (fake.live.includes(camera.id) && (this.#watched === "all" || this.#watched.includes(camera.id)) && (!this.lowData || this.#number % 30 === 0))
        this.#show(picture(camera, this.#number));
  }

  #show(picture) {
    fake.sent = picture.sent;
    later(() => this.#handlers.picture(picture));
  }

  get watched() { return this.#watched; }
  watch(cameras) { later(() => { this.#watched = cameras; }); }
  switchPrivacy(id, on) {
    later(() => { (fake.switched ??= []).push([id, on]); });
    return this.open;
  }
  resend() {}
  keepTime() {}
  setLowData(on) {
    this.lowData = on;
    later(() => { fake.lowData = on; });
    this.send();
  }
  async takeOver() { fake.state.access = "ok"; this.send(); }
  close() { clearInterval(this.#timer); }
}
