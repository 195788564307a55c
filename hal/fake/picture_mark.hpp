// SPDX-License-Identifier: Apache-2.0
/// A number written into a picture so that it survives encoding, and read back from decoded pixels: how
/// tests know whose picture was shown, and which. All functions are reentrant and allocate nothing.
#pragma once

#include <cstdint>
#include <optional>

#include "hal/picture.hpp"

namespace sealcam::hal::fake {

struct PictureMark {
  FrameNumber number;
  std::uint16_t camera = 0;
  friend bool operator==(const PictureMark&, const PictureMark&) = default;
};

/// A luma plane that may be written. Rows are `stride` bytes apart.
struct LumaPlane {
  std::byte* data = nullptr;
  std::size_t stride = 0;
  Size size;
};

/// Draws the mark: 4 rows of 16 black (16) or white (235) cells, each 1/40 of the width and 1/24 of the
/// height, beginning one cell from the top left. Row by row, most significant bit first: number (32), camera (16),
/// CRC-16/CCITT-FALSE of those six bytes (16). Cells are below 4 pixels when the picture is smaller
/// than 160x96; reading is then not reliable. Chroma there should be neutral.
void draw_mark(const LumaPlane& plane, const PictureMark& mark) noexcept;

/// Reads the mark of a YU12 or NV12 picture, also one that was scaled since. Nothing when there is no mark, a cell
/// is neither black nor white, or the CRC does not fit.
[[nodiscard]] std::optional<PictureMark> read_mark(const Picture& picture) noexcept;

/// Draws `text` (digits, '#' and spaces; anything else is a space) in 5x7 letters of `scale` pixels a dot, white on
/// black, top left at (x, y). What does not fit is left out.
void draw_text(const LumaPlane& plane, int x, int y, int scale, std::string_view text) noexcept;

}  // namespace sealcam::hal::fake
