// SPDX-License-Identifier: Apache-2.0
// Decodes recorded access units with WebCodecs: in order for the player, and key frames for thumbnails.
import { codecOf, sizeMatches } from "./player.js";
import { fetchKey } from "./recordings_api.js";

// Decodes access units in order. Each result is drawn or dropped by its owner, who closes its frame.
export class UnitDecoder {
  #decoder = null;
  #codec = null;
  #next = 0;
  #units = new Map();  // by the timestamp given to the decoder
  #output;
  #fault;

  constructor(output, fault) {
    this.#output = output;
    this.#fault = fault;
  }

  get waiting() { return this.#units.size; }

  decode(unit) {
    try {
      const codec = unit.key ? codecOf(unit.unit) : this.#codec;
      if (!codec) throw new Error("the recording does not start with a key frame");
      if (!this.#decoder || codec !== this.#codec) this.#start(codec);
      this.#units.set(this.#next, unit);
      this.#decoder.decode(new EncodedVideoChunk({ type: unit.key ? "key" : "delta", timestamp: this.#next++, data: unit.unit }));
    } catch (error) {
      this.reset();
      this.#fault(error);
    }
  }

  #start(codec) {
    this.reset();
    const decoder = new VideoDecoder({
      output: (frame) => (decoder === this.#decoder ? this.#decoded(frame) : frame.close()),
      error: (error) => { if (decoder === this.#decoder) { this.reset(); this.#fault(error); } },
    });
    decoder.configure({ codec, optimizeForLatency: true });
    this.#decoder = decoder;
    this.#codec = codec;
  }

  #decoded(frame) {
    const unit = this.#units.get(frame.timestamp);
    for (const timestamp of this.#units.keys()) {
      if (timestamp > frame.timestamp) break;
      this.#units.delete(timestamp);
    }
    const rect = frame.visibleRect;
    if (!unit || !rect || !sizeMatches(rect, unit)) {
      frame.close();
      this.reset();
      return this.#fault(new Error("a decoded picture contradicts its header"));
    }
    this.#output({ frame, unit, rect });
  }

  reset() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#codec = null;
    this.#units.clear();
  }
}

export function drawOn(canvas, { frame, rect }) {
  if (canvas.width !== rect.width || canvas.height !== rect.height) {
    canvas.width = rect.width;
    canvas.height = rect.height;
  }
  canvas.getContext("2d", { alpha: false }).drawImage(frame, 0, 0, rect.width, rect.height);
}

// Shows the key frame at a time, for thumbnails and while a person scrubs. One request at a time; the newest time replaces a waiting one.
export class KeyPreview {
  #camera = null;
  #next = null;
  #busy = false;
  #shown;
  #failed;
  #decoder = new UnitDecoder((picture) => this.#onPicture(picture), () => this.#failed());
  #at = 0;

  // shown(unit, at, draw): draw(canvas) paints the picture. failed(): there is no picture.
  constructor({ shown, failed }) {
    this.#shown = shown;
    this.#failed = failed;
  }

  request(camera, at) {
    if (camera !== this.#camera) this.#decoder.reset();
    this.#camera = camera;
    this.#next = at;
    if (!this.#busy) this.#run();
  }

  cancel() { this.#next = null; }

  async #run() {
    this.#busy = true;
    while (this.#next !== null) {
      const at = this.#next, camera = this.#camera;
      this.#next = null;
      const unit = await fetchKey(camera, at).catch(() => null);
      if (camera !== this.#camera) continue;
      this.#at = at;
      if (unit?.key) this.#decoder.decode(unit);
      else this.#failed();
    }
    this.#busy = false;
  }

  #onPicture(picture) {
    try {
      this.#shown(picture.unit, this.#at, (canvas) => drawOn(canvas, picture));
    } finally {
      picture.frame.close();
    }
  }
}
