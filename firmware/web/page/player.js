// SPDX-License-Identifier: Apache-2.0
// Decodes one camera's access units with WebCodecs and draws them on a canvas. If a newer picture is ready, the older one is skipped.

const MAX_WAITING = 20;  // in the decoder's queue; with more the player is too slow and skips to the next key frame

export const supported = () => "VideoDecoder" in window;

const MAX_SIDE = 4096;

// Whether a decoded picture has the size of its signed header. Some encoders do not crop the macroblocks at the edge.
export function sizeMatches(rect, { width, height }) {
  const rounded = (side) => Math.ceil(side / 16) * 16;
  return (rect.width === width && rect.height === height) || (rect.width === rounded(width) && rect.height === rounded(height));
}

// "avc1.PPCCLL" of the sequence parameter set in an Annex B access unit; null without one.
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
  #fault;
  #decoder = null;
  #codec = null;
  #needKey = true;
  #next = 0;
  #pictures = new Map();  // by the timestamp given to the decoder
  #pending = null;        // decoded, not yet drawn
  #frameRequest = 0;

  // shown(picture): it was drawn. fault(error): decoding stopped until the next key frame.
  constructor(canvas, { shown, fault }) {
    this.#canvas = canvas;
    this.#paint = canvas.getContext("2d", { alpha: false });
    this.#shown = shown;
    this.#fault = fault;
  }

  push(picture) {
    const { width, height } = picture;
    if (!(width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE)) return this.#fail(new Error(`a picture of ${width}x${height}`));
    if (this.#needKey && !picture.key) return;
    if (picture.key && !this.#start(picture)) return;
    if (this.#decoder.decodeQueueSize > MAX_WAITING) {
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

  // Configures the decoder for this key frame.
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
    const rect = frame.visibleRect;
    if (!picture || !rect || !sizeMatches(rect, picture)) {
      frame.close();
      return this.#fail(new Error("the decoded picture contradicts its header"));
    }
    this.#pending?.frame.close();
    this.#pending = { frame, picture, rect };
    this.#frameRequest ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#frameRequest = 0;
    const { frame, picture, rect } = this.#pending;
    this.#pending = null;
    const canvas = this.#canvas;
    try {
      // Not displayWidth: it also contains the aspect ratio of the stream, which may be any number.
      if (canvas.width !== rect.width || canvas.height !== rect.height) {
        canvas.width = rect.width;
        canvas.height = rect.height;
      }
      this.#paint.drawImage(frame, 0, 0, rect.width, rect.height);
    } catch (error) {
      return this.#fail(error);
    } finally {
      frame.close();
    }
    this.#shown(picture);
  }

  #fail(error) {
    this.#close();
    this.#fault(error);
  }

  #close() {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#codec = null;
    this.#needKey = true;
    this.#pictures.clear();
  }

  // Removes the drawn picture, too.
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
