// SPDX-License-Identifier: Apache-2.0
// The records that the hub sends to the page, for tests of the page's modules.

// One record of CAMERA.units (firmware/docs/hub-api.md).
export function record({ at, captured = at, key = false, motion = false, continues = true, unit = unitBytes(key), width = 320, height = 240 }) {
  const bytes = new Uint8Array(48 + unit.length), view = new DataView(bytes.buffer);
  bytes.set([1, 2, (key ? 1 : 0) | (motion ? 2 : 0) | (continues ? 4 : 0)]);
  view.setUint32(4, unit.length);
  view.setBigInt64(8, BigInt(Math.round(at * 1000)));
  view.setBigInt64(16, typeof captured === "bigint" ? captured : BigInt(Math.round(captured * 1000)));
  view.setUint16(40, width);
  view.setUint16(42, height);
  bytes.set(unit, 48);
  return bytes;
}
export function endRecord(altered = 0, noKey = 0, undecodable = 0) {
  const bytes = new Uint8Array(48), view = new DataView(bytes.buffer);
  bytes.set([1, 3]);
  [altered, noKey, undecodable].forEach((n, i) => view.setBigUint64(8 + 8 * i, BigInt(n)));
  return bytes;
}
export const unitBytes = (key) => new Uint8Array(key ? [0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x28, 9] : [0, 0, 0, 1, 0x41, 7]);
export const join = (parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
