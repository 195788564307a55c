// SPDX-License-Identifier: Apache-2.0
/// A part of a picture, independent of the picture's size. Privacy masks and motion zones are such parts. Reentrant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace sealcam {

/// A rectangle in thousandths of the picture's width and height. (0, 0) is the top left corner.
struct PictureArea {
  static constexpr std::uint16_t scale = 1000;

  std::uint16_t left = 0, top = 0;
  std::uint16_t width = 0, height = 0;

  /// Not empty, and inside of the picture.
  [[nodiscard]] constexpr bool is_valid() const noexcept {
    const auto fits = [](unsigned from, unsigned length) { return length > 0 && from + length <= scale; };
    return fits(left, width) && fits(top, height);
  }
  friend bool operator==(const PictureArea&, const PictureArea&) = default;
};

using PictureAreas = std::vector<PictureArea>;
/// Of one kind in the owner's settings.
inline constexpr std::size_t max_picture_areas = 8;

/// "left,top,width,height".
[[nodiscard]] std::string to_string(const PictureArea& area);
/// The inverse of to_string(). Errors: malformed (also if the area is not valid).
[[nodiscard]] Result<PictureArea> parse_picture_area(std::string_view text);

}  // namespace sealcam
