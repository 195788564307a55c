// SPDX-License-Identifier: Apache-2.0
// Functions that run in the hub's page. chromium.mjs and firefox.py use them.

// The visible content of each tile.
export function readTiles() {
  return [...document.querySelectorAll(".tile")].map((tile) => {
    const text = (selector) => tile.querySelector(selector).textContent;
    const box = tile.getBoundingClientRect();
    const canvas = tile.querySelector("canvas");
    return {
      camera: tile.dataset.camera, state: tile.dataset.state, badge: text(".badge"), name: text(".name"),
      taken: text(".taken"), why: text(".why"), note: text(".note"), reason: tile.dataset.reason, label: tile.ariaLabel,
      number: canvas.dataset.number === undefined ? null : Number(canvas.dataset.number),
      width: box.width, height: box.height, visible: box.width > 0,
      filter: getComputedStyle(canvas).filter, pictures: tile.dataset.pictures,
    };
  });
}

// Reads the mark of hal/fake/fake_source.hpp from the pixels of a camera's canvas, or of the canvas #id: number and camera of the picture.
export function readMark(camera) {
  const canvas = document.querySelector(camera.startsWith("#") ? camera : `.tile[data-camera="${camera}"] canvas`);
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, Math.ceil(height / 4)).data;
  const bits = [];
  for (let row = 0; row < 4; ++row)
    for (let column = 0; column < 16; ++column) {
      const x = Math.floor(((column + 1.5) * width) / 40), y = Math.floor(((row + 1.5) * height) / 24);
      const green = data[4 * (y * width + x) + 1];
      if (green > 80 && green < 175) return null;
      bits.push(green > 127 ? 1 : 0);
    }
  const bytes = Array.from({ length: 8 }, (_, i) => parseInt(bits.slice(8 * i, 8 * i + 8).join(""), 2));
  let crc = 0xffff;
  for (const byte of bytes.slice(0, 6)) {
    crc ^= byte << 8;
    for (let i = 0; i < 8; ++i) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  if (crc !== ((bytes[6] << 8) | bytes[7])) return null;
  return { number: bytes.slice(0, 4).reduce((n, b) => n * 256 + b, 0), camera: bytes[4] * 256 + bytes[5] };
}
