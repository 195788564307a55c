// SPDX-License-Identifier: Apache-2.0
// Whether an access unit is the picture that its signed header describes (R-FRAME-9). It reads start codes, types of NAL units, and the size in
// sequence parameter sets (ITU-T H.264, clauses 7.3.1, 7.3.2.1.1, Annex B). It decodes nothing.

const MIN_SIDE = 32, MAX_SIDE = 4096, MAX_PIXELS = 9_437_184;
const SLICE = 1, IDR = 5, SEI = 6, SPS = 7, PPS = 8, DELIMITER = 9, FILLER = 12;
// Profiles with chroma_format_idc.
const HIGH_PROFILES = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);

const isSide = (side) => side % 2 === 0 && side >= MIN_SIDE && side <= MAX_SIDE;
const isSize = (width, height) => isSide(width) && isSide(height) && width * height <= MAX_PIXELS;

const rounded = (side) => Math.ceil(side / 16) * 16;  // some encoders do not crop the macroblocks at the edge

// The bits of a NAL unit without emulation prevention bytes (clause 7.4.1). After the end each bit is 0, and `good` is false.
class Bits {
  good = true;
  #bytes;
  #at;
  #byte = 0;
  #left = 0;
  #zeros = 0;

  constructor(bytes, at) {
    this.#bytes = bytes;
    this.#at = at;
  }

  #bit() {
    if (this.#left === 0) {
      if (this.#zeros >= 2 && this.#bytes[this.#at] === 3) {
        ++this.#at;
        this.#zeros = 0;
      }
      if (this.#at >= this.#bytes.length) {
        this.good = false;
        return 0;
      }
      this.#byte = this.#bytes[this.#at++];
      this.#zeros = this.#byte === 0 ? this.#zeros + 1 : 0;
      this.#left = 8;
    }
    return (this.#byte >> --this.#left) & 1;
  }

  // At most 32 bits.
  bits(count) {
    let value = 0;
    for (let i = 0; i < count; ++i) value = value * 2 + this.#bit();
    return value;
  }

  // ue(v), clause 9.1, with at most `zeros` leading zeros.
  ue(max = 16) {
    let zeros = 0;
    while (this.#bit() === 0 && this.good) ++zeros;
    if (zeros > max) this.good = false;
    return this.good ? 2 ** zeros - 1 + this.bits(zeros) : 0;
  }

  // se(v), clause 9.1.1.
  se() {
    const code = this.ue(32);
    return code % 2 === 0 ? -code / 2 : (code + 1) / 2;
  }
}

function skipScalingList(bits, size) {
  let last = 8, next = 8;
  for (let i = 0; i < size && bits.good; ++i) {
    if (next !== 0) next = (((last + bits.se()) % 256) + 256) % 256;
    if (next !== 0) last = next;
  }
}

// ChromaArrayType of a profile with chroma_format_idc.
function readHighProfile(bits) {
  const format = bits.ue(), separate = format === 3 && bits.bits(1) === 1;
  bits.ue();  // bit depths
  bits.ue();
  bits.bits(1);
  if (bits.bits(1) === 1)
    for (let i = 0; i < (format === 3 ? 12 : 8) && bits.good; ++i) if (bits.bits(1) === 1) skipScalingList(bits, i < 6 ? 16 : 64);
  return separate ? 0 : format;
}

function skipPictureOrder(bits) {
  const type = bits.ue();
  if (type === 0) bits.ue();
  if (type !== 1) return;
  bits.bits(1);
  bits.se();
  bits.se();
  for (let left = bits.ue(); left > 0 && bits.good; --left) bits.se();
}

// Width and height after cropping, or null for a malformed set. `at`: the first byte behind the header of the unit.
function spsSize(bytes, at) {
  const bits = new Bits(bytes, at), profile = bits.bits(8);
  bits.bits(16);
  bits.ue();  // seq_parameter_set_id
  const chroma = HIGH_PROFILES.has(profile) ? readHighProfile(bits) : 1;
  bits.ue();  // log2_max_frame_num_minus4
  skipPictureOrder(bits);
  bits.ue();  // max_num_ref_frames
  bits.bits(1);
  const columns = bits.ue() + 1, rows = bits.ue() + 1, fields = bits.bits(1) === 1 ? 1 : 2;
  if (fields === 2) bits.bits(1);
  bits.bits(1);
  const crop = bits.bits(1) === 1 ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0];  // left, right, top, bottom
  if (!bits.good || chroma > 3) return null;
  const across = chroma === 1 || chroma === 2 ? 2 : 1, down = (chroma === 1 ? 2 : 1) * fields;
  return { width: 16 * columns - across * (crop[0] + crop[1]), height: 16 * rows * fields - down * (crop[2] + crop[3]) };
}

// Calls take(begin, end) for each NAL unit in Annex B form, without the zeros behind it, until take() returns false. False if a call did, or if
// the bytes do not begin with a start code of 3 or 4 bytes.
function forEachUnit(bytes, take) {
  let begin = bytes[0] === 0 && bytes[1] === 0 ? (bytes[2] === 1 ? 3 : bytes[2] === 0 && bytes[3] === 1 ? 4 : -1) : -1;
  if (begin < 0) return false;
  while (begin < bytes.length) {
    let one = begin - 1;
    do one = bytes.indexOf(1, one + 1);
    while (one >= 0 && !(one >= begin + 2 && bytes[one - 1] === 0 && bytes[one - 2] === 0));
    const next = one < 0 ? bytes.length : one + 1;
    let end = one < 0 ? bytes.length : one - 2;
    while (end > begin && bytes[end - 1] === 0) --end;
    if (end > begin && !take(begin, end)) return false;
    begin = next;
  }
  return true;
}

// The rule, as checkPicture of a hub. kind: key, delta or still.
export function isPicture(kind, { width, height }, content) {
  if (!isSize(width, height)) return false;
  let slices = 0, idr = false, sps = false, pps = false;
  const takeSlice = (begin, end, type) => {
    if (end - begin < 2) return false;
    const first = content[begin + 1] >= 0x80;  // first_mb_in_slice is 0
    if (first !== (slices === 0) || (slices > 0 && idr !== (type === IDR)) || (type === IDR && !(sps && pps))) return false;
    idr = type === IDR;
    ++slices;
    return true;
  };
  const takeSps = (begin, end) => {
    const size = end - begin < 4 ? null : spsSize(content.subarray(0, end), begin + 1);
    sps = true;
    const is = (w, h) => size.width === w && size.height === h;
    return size !== null && (is(width, height) || is(rounded(width), rounded(height)));
  };
  const valid = forEachUnit(content, (begin, end) => {
    if (content[begin] >= 0x80) return false;  // forbidden_zero_bit
    const type = content[begin] & 31;
    if (type === SLICE || type === IDR) return takeSlice(begin, end, type);
    if (type === FILLER) return true;
    if (slices > 0) return false;              // a second access unit begins
    if (type === SPS) return takeSps(begin, end);
    if (type === PPS) pps = sps;
    return type === PPS || type === SEI || type === DELIMITER;
  });
  return valid && slices > 0 && (kind === "delta" || idr);
}
