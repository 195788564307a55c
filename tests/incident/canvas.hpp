// SPDX-License-Identifier: Apache-2.0
/// Painting into a YU12 picture: rectangles, ellipses, letters. Everything is clipped. Thread-bound.
#pragma once

#include <cstdint>
#include <string_view>

#include "hal/picture.hpp"

namespace sealcam::incident {

struct Colour {
  std::uint8_t red = 0, green = 0, blue = 0;
};
/// Hue in degrees; saturation and lightness 0 to 1.
[[nodiscard]] Colour from_hsl(double hue, double saturation, double lightness) noexcept;

class Canvas {
 public:
  /// `pixels`: width * height * 3 / 2 bytes without padding; outlives the canvas.
  Canvas(MutableBytes pixels, hal::Size size) noexcept : pixels_(pixels), size_(size) {}

  void rectangle(int x, int y, int width, int height, Colour colour) noexcept;
  void ellipse(int x, int y, int width, int height, Colour colour) noexcept;
  /// Capital letters, digits and " :+-.#", 5x7 dots of `scale` pixels; others are spaces. Returns the x behind it.
  int text(int x, int y, int scale, std::string_view text, Colour colour) noexcept;

 private:
  void span(int y, int from, int to, Colour colour) noexcept;
  MutableBytes pixels_;
  hal::Size size_;
};

}  // namespace sealcam::incident
