// SPDX-License-Identifier: Apache-2.0
// The recorded picture on the page: its time, its marks, and the text in place of it.
import { pictureTime } from "./recordings_text.js";

const $ = (id) => document.getElementById(id);

export function message(text) { if ($("stage-message").textContent !== text) $("stage-message").textContent = text; }

// `unit`: of the picture that the canvas has.
export function show(unit, camera) {
  const { day, time, note } = pictureTime(unit);
  $("stage").dataset.picture = "some";
  $("recorded-picture").dataset.at = unit.at;
  $("recorded-day").textContent = day;
  $("recorded-time").textContent = time;
  $("recorded-clock").textContent = note;
  $("motion-badge").hidden = !unit.motion;
  document.title = `RECORDED ${time} - ${camera}`;
  message("");
}

export function hide() {
  $("stage").dataset.picture = "none";
  $("recorded-day").textContent = $("recorded-time").textContent = $("recorded-clock").textContent = "";
  $("motion-badge").hidden = true;
}
