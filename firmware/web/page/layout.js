// SPDX-License-Identifier: Apache-2.0
// Chooses the number of columns that gives the largest 16:9 tiles. Narrow screens scroll one column.

const RATIO = 16 / 9;
const NARROW = 560;

export function arrange(grid, count) {
  const style = getComputedStyle(grid);
  const gap = parseFloat(style.columnGap) || 0;
  const width = grid.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const height = grid.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
  if (count === 0 || width <= 0 || height <= 0) return;
  let best = { columns: 1, width };
  if (width > NARROW) {
    best = { columns: 1, width: 0 };
    for (let columns = 1; columns <= count; ++columns) {
      const rows = Math.ceil(count / columns);
      const fit = Math.min((width - gap * (columns - 1)) / columns, ((height - gap * (rows - 1)) / rows) * RATIO);
      if (fit > best.width) best = { columns, width: fit };
    }
    // The tiles would be too small: scroll tiles of a useful size.
    if (best.width < 240) {
      const columns = Math.max(1, Math.floor((width + gap) / (240 + gap)));
      best = { columns, width: (width - gap * (columns - 1)) / columns };
    }
  }
  grid.style.setProperty("--columns", best.columns);
  grid.style.setProperty("--tile-width", `${Math.floor(best.width)}px`);
}
