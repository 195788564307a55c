// SPDX-License-Identifier: Apache-2.0
// Functions that run in the app's page: what is wrong with the window, and a decoder that draws rooms.

// What is wrong: parts outside of the window, small touch targets, texts without contrast, controls without a name. One text for each fault.
export function faultsOf() {
  const faults = [], dialog = [...document.querySelectorAll("dialog[open]")].at(-1) ?? null, root = dialog ?? document.body;
  const name = (element) => `${element.tagName.toLowerCase()}${element.id && `#${element.id}`}${element.className?.baseVal ?? (element.className && `.${String(element.className).replaceAll(" ", ".")}`)} '${element.textContent.trim().slice(0, 40)}'`;
  const visible = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.getBoundingClientRect().width > 1;
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth || page.scrollHeight > innerHeight) faults.push(`outside: the page has ${page.scrollWidth}x${page.scrollHeight} px`);
  for (const element of root.querySelectorAll("*")) {
    if (!visible(element) || element.closest("svg") !== null || element.closest(".visually-hidden")) continue;
    const { left, right, top, bottom, width, height } = element.getBoundingClientRect();
    if (left < -0.5 || right > innerWidth + 0.5) faults.push(`outside: ${name(element)} from ${left} to ${right}`);
    const scroller = element.closest("#screen, #grid, dialog, #event-list");
    if (!scroller && (top < -0.5 || bottom > innerHeight + 0.5)) faults.push(`outside: ${name(element)} from ${top} to ${bottom}`);
    if (scroller && scroller !== element && scroller.scrollWidth > scroller.clientWidth + 1) faults.push(`outside: ${name(scroller)} scrolls sideways`);
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim() !== "");
    if (own && getComputedStyle(element).overflow !== "visible" && element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).textOverflow !== "ellipsis")
      faults.push(`outside: the text of ${name(element)} is cut`);
    if (element.matches("button, a, input, select")) {
      if (width < 44 || height < 44) faults.push(`small: ${name(element)} has ${width.toFixed()}x${height.toFixed()} px`);
      if (!(element.ariaLabel || element.textContent.trim() || element.labels?.length)) faults.push(`unnamed: ${name(element)}`);
    }
    if (own) {
      const ratio = contrast(element), { fontSize, fontWeight } = getComputedStyle(element), size = parseFloat(fontSize);
      const needed = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700) ? 3 : 4.5;
      if (ratio !== null && ratio < needed) faults.push(`contrast: ${ratio.toFixed(2)} of ${name(element)}`);
    }
  }
  return [...new Set(faults)];

  // Of a text and the color behind it. Null above a picture.
  function contrast(element) {
    const color = (text) => {
      const canvas = (window.colorCanvas ??= new OffscreenCanvas(1, 1)).getContext("2d", { willReadFrequently: true });
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    if (element.closest(".tile")) return null;
    let behind = element;
    while (behind && color(getComputedStyle(behind).backgroundColor)[3] < 255) behind = behind.parentElement;
    const [a, b] = [color(getComputedStyle(element).color), color(behind ? getComputedStyle(behind).backgroundColor : "white")].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
}

// In place of VideoDecoder, so that the pictures do not depend on the codecs of the machine. It draws the room of fake_link/app_link.js.
export function fakeDecoder() {
  const ROOMS = [["#8fb3a7", "#4c5b52", "#c9b38a"], ["#b08f6a", "#54432f", "#e0cfae"], ["#7f93b5", "#333d55", "#b9c4dc"]];
  function draw(room, number) {
    const canvas = new OffscreenCanvas(640, 360), paint = canvas.getContext("2d"), [wall, floor, light] = ROOMS[room % ROOMS.length];
    const box = (color, x, y, width, height) => { paint.fillStyle = color; paint.fillRect(x, y, width, height); };
    box(wall, 0, 0, 640, 360);
    box(floor, 0, 240, 640, 120);
    box(light, 60 + 90 * room, 50, 150, 110);
    box("#2c2420", 360 - 60 * room, 130, 90, 160);
    paint.fillStyle = "#d8c34a";
    paint.beginPath();
    paint.arc(120 + ((number * 7) % 400), 300, 22, 0, 7);
    paint.fill();
    return canvas;
  }
  window.VideoDecoder = class {
    state = "unconfigured";
    decodeQueueSize = 0;
    #output;
    static async isConfigSupported({ codec }) { return { supported: codec.startsWith("avc1.") }; }
    constructor({ output }) { this.#output = output; }
    configure() { this.state = "configured"; }
    close() { this.state = "closed"; }
    decode({ data: [room, number], timestamp }) {
      const frame = new VideoFrame(draw(room, number), { timestamp });
      this.#output(frame);
    }
  };
  window.EncodedVideoChunk = class {
    constructor({ timestamp, data }) { Object.assign(this, { timestamp, data: [data.at(-2), data.at(-1)] }); }
  };
}
