// SPDX-License-Identifier: Apache-2.0
#include "hal/fake/picture_mark.hpp"

#include <algorithm>
#include <cstring>

namespace sealcam::hal::fake {

namespace {

constexpr int columns = 16;
constexpr int rows = 4;
constexpr auto black = std::byte{16};
constexpr auto white = std::byte{235};

struct Rectangle {
  int left, top, right, bottom;
};

Rectangle cell(Size size, int column, int row) noexcept {
  return {size.width * (column + 1) / 40, size.height * (row + 1) / 24, size.width * (column + 2) / 40,
          size.height * (row + 2) / 24};
}

/// CRC-16/CCITT-FALSE: polynomial 0x1021, start 0xffff, so that an all-black mark does not fit.
std::uint16_t crc16(std::uint64_t value, int bytes) noexcept {
  unsigned crc = 0xffff;
  for (int i = bytes - 1; i >= 0; --i) {
    crc ^= static_cast<unsigned>(value >> (8 * i) & 0xff) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? crc << 1 ^ 0x1021 : crc << 1;
  }
  return static_cast<std::uint16_t>(crc);
}

void fill(const LumaPlane& plane, const Rectangle& r, std::byte value) noexcept {
  for (int y = r.top; y < r.bottom; ++y)
    std::memset(plane.data + static_cast<std::size_t>(y) * plane.stride + r.left, std::to_integer<int>(value),
                static_cast<std::size_t>(r.right - r.left));
}

/// Returns 1 for white, 0 for black, and nothing for other cells. Reads the middle half of the cell only, because
/// encoding and scaling blur the edges.
std::optional<unsigned> read_cell(const Plane& plane, const Rectangle& r) noexcept {
  const int dx = (r.right - r.left) / 4;
  const int dy = (r.bottom - r.top) / 4;
  unsigned sum = 0;
  unsigned n = 0;
  for (int y = r.top + dy; y < r.bottom - dy; ++y) {
    for (int x = r.left + dx; x < r.right - dx; ++x, ++n)
      sum += std::to_integer<unsigned>(
          plane.data[static_cast<std::size_t>(y) * plane.stride + static_cast<std::size_t>(x)]);
  }
  if (n == 0) return std::nullopt;
  const unsigned mean = sum / n;
  if (mean > 90 && mean < 160) return std::nullopt;
  return mean >= 160 ? 1u : 0u;
}

/// Seven rows of five dots, the leftmost in bit 4.
struct Glyph {
  char letter;
  unsigned char dots[7];
};
constexpr Glyph glyphs[] = {
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}}, {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e}},
    {'2', {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}}, {'3', {0x1e, 0x01, 0x01, 0x0e, 0x01, 0x01, 0x1e}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02}}, {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}},
    {'6', {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}}, {'7', {0x1f, 0x01, 0x02, 0x04, 0x04, 0x08, 0x08}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}}, {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}},
    {'#', {0x0a, 0x0a, 0x1f, 0x0a, 0x1f, 0x0a, 0x0a}},
};

void draw_letter(const LumaPlane& plane, int x, int y, int scale, char letter) noexcept {
  const auto* glyph = std::ranges::find(glyphs, letter, &Glyph::letter);
  for (int row = 0; row < 7; ++row) {
    for (int column = 0; column < 6; ++column) {
      const bool dot = glyph != std::end(glyphs) && column < 5 && (glyph->dots[row] >> (4 - column) & 1) != 0;
      fill(plane, {x + column * scale, y + row * scale, x + (column + 1) * scale, y + (row + 1) * scale},
           dot ? white : black);
    }
  }
}

}  // namespace

void draw_mark(const LumaPlane& plane, const PictureMark& mark) noexcept {
  std::uint64_t bits = std::uint64_t{mark.number.value()} << 16 | mark.camera;
  bits = bits << 16 | crc16(bits, 6);
  for (int i = 0; i < columns * rows; ++i)
    fill(plane, cell(plane.size, i % columns, i / columns), (bits >> (63 - i) & 1) != 0 ? white : black);
}

std::optional<PictureMark> read_mark(const Picture& picture) noexcept {
  const bool planar = picture.format == PixelFormat::yu12 || picture.format == PixelFormat::nv12;
  if (!planar || !is_valid(picture.size) || picture.planes[0].data == nullptr) return std::nullopt;
  std::uint64_t bits = 0;
  for (int i = 0; i < columns * rows; ++i) {
    const auto bit = read_cell(picture.planes[0], cell(picture.size, i % columns, i / columns));
    if (!bit) return std::nullopt;
    bits = bits << 1 | *bit;
  }
  if (crc16(bits >> 16, 6) != (bits & 0xffff)) return std::nullopt;
  return PictureMark{FrameNumber(static_cast<std::uint32_t>(bits >> 32)), static_cast<std::uint16_t>(bits >> 16)};
}

void draw_text(const LumaPlane& plane, int x, int y, int scale, std::string_view text) noexcept {
  if (scale <= 0 || x < 0 || y < 0 || y + 7 * scale > plane.size.height) return;
  for (const char letter : text) {
    if (x + 6 * scale > plane.size.width) return;
    draw_letter(plane, x, y, scale, letter);
    x += 6 * scale;
  }
}

}  // namespace sealcam::hal::fake
