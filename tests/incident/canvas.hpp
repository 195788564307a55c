// SPDX-License-Identifier: Apache-2.0
/// Draws rectangles, ellipses and letters into a YU12 picture, and clips them. Thread-bound.
#pragma once

#include <cstdint>
#include <string_view>

#include "hal/picture.hpp"

namespace sealcam::incident {

struct Color {
  std::uint8_t red = 0, green = 0, blue = 0;
};
/// Hue in degrees; saturation and lightness 0 to 1.
[[nodiscard]] Color from_hsl(double hue, double saturation, double lightness) noexcept;

class Canvas {
 public:
  /// `pixels`: width * height * 3 / 2 bytes without padding; outlives the canvas.
  Canvas(MutableBytes pixels, hal::Size size) noexcept : pixels_(pixels), size_(size) {}

  void rectangle(int x, int y, int width, int height, Color color) noexcept;
  void ellipse(int x, int y, int width, int height, Color color) noexcept;
  /// Capital letters, digits and " :+-.#", 5x7 dots of `scale` pixels; other characters are spaces. Returns the x after
  /// the text.
  int text(int x, int y, int scale, std::string_view text, Color color) noexcept;

 private:
  void span(int y, int from, int to, Color color) noexcept;
  MutableBytes pixels_;
  hal::Size size_;
};

}  // namespace sealcam::incident
