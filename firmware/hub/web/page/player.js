// SPDX-License-Identifier: Apache-2.0
// One camera's access units through WebCodecs onto a canvas. Pictures that nobody would see any more are not drawn.

const MOST_WAITING = 20;  // for the decoder; beyond it this machine is too slow and goes on at a key frame

export const supported = () => "VideoDecoder" in window;

// "avc1.PPCCLL" of the sequence parameter set in an Annex B access unit; null when there is none.
export function codecOf(unit) {
  for (let i = 0; i + 6 < unit.length; ++i) {
    if (unit[i] || unit[i + 1] || unit[i + 2] !== 1) continue;
    if ((unit[i + 3] & 31) === 7)
      return "avc1." + [...unit.subarray(i + 4, i + 7)].map((b) => b.toString(16).padStart(2, "0")).join("");
    i += 2;
  }
  return null;
}

export class Player {
  #canvas;
  #paint;
  #shown;
  #trouble;
  #decoder = null;
  #codec = null;
  #needKey = true;
  #next = 0;
  #pictures = new Map();  // by the timestamp given to the decoder
  #pending = null;        // decoded, not yet drawn
  #frameRequest = 0;

  // shown(picture) after it was drawn; trouble(why) when decoding cannot go on before the next key frame
  constructor(canvas, { shown, trouble }) {
    this.#canvas = canvas;
    this.#paint = canvas.getContext("2d", { alpha: false });
    this.#shown = shown;
    this.#trouble = trouble;
  }

  push(picture) {
    if (this.#needKey && !picture.key) return;
    if (picture.key && !this.#start(picture)) return;
    if (this.#decoder.decodeQueueSize > MOST_WAITING) {
      this.#needKey = true;
      return;
    }
    this.#needKey = false;
    const timestamp = this.#next++;
    this.#pictures.set(timestamp, picture);
    try {
      this.#decoder.decode(new EncodedVideoChunk({ type: picture.key ? "key" : "delta", timestamp, data: picture.unit }));
    } catch (error) {
      this.#fail(error);
    }
  }

  // The decoder, set up for this key frame.
  #start(picture) {
    const codec = codecOf(picture.unit);
    if (!codec) return false;
    if (this.#decoder && codec === this.#codec) return true;
    this.#close();
    try {
      const decoder = new VideoDecoder({
        output: (frame) => this.#decoded(frame),
        error: (error) => { if (decoder === this.#decoder) this.#fail(error); },
      });
      decoder.configure({ codec, optimizeForLatency: true });
      this.#decoder = decoder;
      this.#codec = codec;
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #decoded(frame) {
    for (const timestamp of this.#pictures.keys()) {
      if (timestamp >= frame.timestamp) break;
      this.#pictures.delete(timestamp);
    }
    const picture = this.#pictures.get(frame.timestamp);
    this.#pictures.delete(frame.timestamp);
    this.#pending?.frame.close();
    this.#pending = { frame, picture };
    this.#frameRequest ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frameRequest = 0;
    const { frame, picture } = this.#pending;
    this.#pending = null;
    const canvas = this.#canvas;
    if (canvas.width !== frame.displayWidth || canvas.height !== frame.displayHeight) {
      canvas.width = frame.displayWidth;
      canvas.height = frame.displayHeight;
    }
    this.#paint.drawImage(frame, 0, 0);
    frame.close();
    this.#shown(picture);
  }

  #fail(error) {
    this.#close();
    this.#trouble(error);
  }

  #close() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#codec = null;
    this.#needKey = true;
    this.#pictures.clear();
  }

  // Nothing of what was drawn stays.
  clear() {
    this.stop();
    this.#paint.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
  }

  stop() {
    this.#close();
    if (this.#frameRequest) cancelAnimationFrame(this.#frameRequest);
    this.#frameRequest = 0;
    this.#pending?.frame.close();
    this.#pending = null;
  }
}
