// SPDX-License-Identifier: Apache-2.0
/// Writes a frame number and a camera number into the pixels of a picture, so that tests can identify a decoded
/// picture. All functions are reentrant and allocate nothing.
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

/// A writable luma plane. Rows are `stride` bytes apart.
struct LumaPlane {
  std::byte* data = nullptr;
  std::size_t stride = 0;
  Size size;
};

/// Draws the mark: 4 rows of 16 black (16) or white (235) cells, each 1/40 of the width and 1/24 of the
/// height, one cell away from the top left corner. Row by row, most significant bit first: number (32), camera (16),
/// CRC-16/CCITT-FALSE of those six bytes (16). In a picture below 160x96, cells have fewer than 4 pixels and reading is
/// unreliable. Chroma there should be neutral.
void draw_mark(const LumaPlane& plane, const PictureMark& mark) noexcept;

/// Reads the mark of a YU12 or NV12 picture, even a scaled one. Returns nothing if a cell is neither black nor white,
/// or if the CRC is wrong.
[[nodiscard]] std::optional<PictureMark> read_mark(const Picture& picture) noexcept;

/// Draws `text` in white on black, with its top left corner at (x, y). Letters have 5x7 dots of `scale` pixels.
/// Characters other than digits and '#' are drawn as spaces. The part outside the plane is not drawn.
void draw_text(const LumaPlane& plane, int x, int y, int scale, std::string_view text) noexcept;

}  // namespace sealcam::hal::fake
