// SPDX-License-Identifier: Apache-2.0
// h264.js: an access unit must be the picture that its header describes (R-FRAME-9).
import assert from "node:assert/strict";
import test from "node:test";
import { concat, fromHex } from "../../firmware/web/bytes.js";
import { isPicture } from "../../firmware/web/h264.js";

// The fields of a sequence parameter set, with emulation prevention (clause 7.4.1).
class Bits {
  #text = "";
  bits(value, count) {
    this.#text += value.toString(2).padStart(count, "0");
    return this;
  }
  ue(...values) {
    for (const value of values) {
      const code = (value + 1).toString(2);
      this.#text += "0".repeat(code.length - 1) + code;
    }
    return this;
  }
  // Baseline profile with this many macroblocks, without cropping and VUI.
  static baseline(columns, rows) { return new Bits().bits(66, 8).bits(0, 16).ue(0, 0, 2, 1).bits(0, 1).ue(columns - 1, rows - 1).bits(3, 2); }
  get unit() {
    const text = `${this.#text}1`, out = [0x67];
    for (let i = 0; i < text.length; i += 8) {
      const value = Number.parseInt(text.slice(i, i + 8).padEnd(8, "0"), 2);
      if (out.length > 2 && out.at(-1) === 0 && out.at(-2) === 0 && value <= 3) out.push(3);
      out.push(value);
    }
    return Uint8Array.from(out);
  }
}

const START = fromHex("00000001"), PPS = fromHex("68ce38"), SEI = fromHex("0605"), IDR = fromHex("658884"), IDR_MORE = fromHex("654884");
const DELTA = fromHex("419a24"), DELTA_MORE = fromHex("414a24"), SMALL = Bits.baseline(20, 15).bits(0, 2).unit;
const unit = (...units) => concat(...units.flatMap((u) => [START, u]));
const size = (width, height) => ({ width, height });
const key = (sps) => unit(sps.unit ?? sps, PPS, IDR);

test("access units as a camera sends them are pictures", () => {
  for (const content of [unit(SMALL, PPS, SEI, IDR, IDR_MORE), unit(fromHex("09f0"), SMALL, PPS, IDR), key(SMALL), concat(key(SMALL), fromHex("0000")),
                         concat(fromHex("000001"), SMALL, fromHex("000001"), PPS, fromHex("0000000001"), IDR), unit(SMALL, PPS, IDR, fromHex("0cff80"))]) {
    assert.ok(isPicture("key", size(320, 240), content));
    assert.ok(isPicture("still", size(320, 240), content));
  }
  assert.ok(isPicture("delta", size(320, 240), unit(DELTA, DELTA_MORE)));
  assert.ok(isPicture("delta", size(320, 240), unit(SMALL, DELTA)));
  assert.ok(isPicture("delta", size(320, 240), key(SMALL)));  // a key frame may depend on another one
});

test("other bytes are no pictures", () => {
  for (const content of [new Uint8Array(), new Uint8Array(1000), new Uint8Array(100).fill(1), START, unit(SMALL, PPS), unit(IDR), unit(SMALL, IDR), unit(PPS, IDR),
                         unit(PPS, SMALL, IDR), unit(SMALL, PPS, IDR, DELTA_MORE), unit(SMALL, PPS, IDR, IDR), unit(SMALL, PPS, IDR_MORE), unit(SMALL, PPS, IDR, SMALL),
                         unit(SMALL, PPS, IDR, SEI), unit(SMALL, PPS, IDR, PPS), unit(fromHex("e588")), unit(fromHex("c19a")), unit(SMALL, PPS, fromHex("65")),
                         unit(fromHex("429a")), unit(SMALL, PPS, fromHex("0a"), IDR), unit(SMALL, PPS, IDR, fromHex("0b")), concat(fromHex("07"), key(SMALL)),
                         concat(fromHex("00"), key(SMALL)), unit(SMALL.subarray(0, 3), PPS, IDR)])
    for (const kind of ["key", "still"]) assert.equal(isPicture(kind, size(320, 240), content), false);
  assert.equal(isPicture("key", size(320, 240), unit(DELTA)), false);
  assert.equal(isPicture("delta", size(320, 240), unit(DELTA, DELTA)), false);
});

test("each sequence parameter set has the size of the header, or this size in whole macroblocks", () => {
  const cases = [
    [Bits.baseline(80, 45).bits(0, 2), 1280, 720],
    [Bits.baseline(120, 68).bits(1, 1).ue(0, 0, 0, 4).bits(0, 1), 1920, 1080],
    // High profile with scaling lists: one of 16 values that ends early, one of 64 values.
    [new Bits().bits(100, 8).bits(0, 16).ue(0, 1, 0, 0).bits(0, 1).bits(1, 1).bits(1, 1).ue(16).bits(0, 5).bits(1, 1).ue(...Array(64).fill(0))
      .bits(0, 1).ue(0, 0, 0, 4).bits(0, 1).ue(19, 14).bits(3, 2).bits(0, 2), 320, 240],
    // A picture order count of type 1 with negative offsets; two fields.
    [new Bits().bits(77, 8).bits(0, 16).ue(0, 0, 1).bits(0, 1).ue(2, 40_000, 2, 3, 4, 1).bits(0, 1).ue(44, 17).bits(0, 1).bits(1, 1).bits(1, 1).bits(0, 2), 720, 576],
  ];
  for (const [sps, width, height] of cases) {
    assert.ok(isPicture("key", size(width, height), key(sps)), `${width}x${height}`);
    assert.equal(isPicture("key", size(width - 16, height), key(sps)), false);
    assert.equal(isPicture("key", size(width, height + 16), key(sps)), false);
  }
  assert.ok(isPicture("key", size(320, 230), key(SMALL)));  // whole macroblocks without cropping
  assert.equal(isPicture("key", size(320, 224), key(SMALL)), false);
  assert.equal(isPicture("key", size(320, 240), unit(Bits.baseline(256, 144).bits(0, 2).unit, SMALL, PPS, IDR)), false);  // which one a decoder uses does not matter
  for (let n = 4; n + 1 < SMALL.length; ++n) assert.equal(isPicture("key", size(320, 240), key(SMALL.subarray(0, n))), false);
});

test("sizes are even, 32 to 4096, and have at most 9,437,184 pixels", () => {
  const delta = (width, height) => isPicture("delta", size(width, height), unit(DELTA));
  for (const [width, height] of [[32, 32], [4096, 2304], [2304, 4096], [640, 360]]) assert.ok(delta(width, height), `${width}x${height}`);
  for (const [width, height] of [[0, 0], [30, 32], [32, 30], [641, 360], [640, 361], [4098, 32], [32, 4098], [4096, 2306], [4096, 4096], [65535, 65535]])
    assert.equal(delta(width, height), false, `${width}x${height}`);
  assert.equal(isPicture("key", size(4096, 4096), key(Bits.baseline(256, 256).bits(0, 2))), false);
});

test("random bytes end, and take time in proportion to their size", () => {
  const large = new Uint8Array(1 << 20);
  for (const [i, fill] of [[0, 0], [1, 1], [2, 3], [3, 0xff]]) {
    large.fill(fill);
    large.set(concat(START, SMALL, START, PPS, START, IDR));
    const begun = performance.now();
    isPicture("key", size(320, 240), large);
    assert.ok(performance.now() - begun < 2000, `fill ${i}`);
  }
  let state = 12345;
  for (let round = 0; round < 500; ++round) {
    const bytes = Uint8Array.from({ length: 200 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 24 & (round % 3 === 0 ? 3 : 255);
    });
    isPicture(["key", "delta", "still"][round % 3], size(320, 240), concat(key(SMALL), bytes));
    isPicture("key", size(320, 240), concat(START, fromHex("67"), bytes));
  }
});
