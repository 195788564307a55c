// SPDX-License-Identifier: Apache-2.0
/// A part of a picture, independent of the picture's size. Privacy masks and motion zones are such parts. Reentrant.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/format.hpp"
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
[[nodiscard]] inline std::string to_string(const PictureArea& area) {
  return sealcam::format("{},{},{},{}", area.left, area.top, area.width, area.height);
}

/// The inverse of to_string(). Errors: malformed (also if the area is not valid).
[[nodiscard]] inline Result<PictureArea> parse_picture_area(std::string_view text) {
  PictureArea area;
  const char* at = text.data();
  const char* const end = at + text.size();
  bool first = true;
  for (std::uint16_t* const number : {&area.left, &area.top, &area.width, &area.height}) {
    if (!std::exchange(first, false) && (at == end || *at++ != ','))
      return fail(Errc::malformed, "an area has four numbers: left,top,width,height");
    const auto [next, error] = std::from_chars(at, end, *number);
    if (error != std::errc()) return fail(Errc::malformed, "an area has four numbers: left,top,width,height");
    at = next;
  }
  if (at != end) return fail(Errc::malformed, "an area has four numbers: left,top,width,height");
  if (!area.is_valid()) return fail(Errc::malformed, "an area lies inside of the picture of 1000 by 1000");
  return area;
}

/// A list that needs no memory of the heap.
class FewAreas {
 public:
  FewAreas() noexcept = default;
  /// Takes at most max_picture_areas.
  explicit FewAreas(std::span<const PictureArea> areas) noexcept : count_(std::min(areas.size(), max_picture_areas)) {
    std::ranges::copy(areas.first(count_), areas_.begin());
  }
  [[nodiscard]] std::span<const PictureArea> list() const noexcept { return {areas_.data(), count_}; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

 private:
  std::array<PictureArea, max_picture_areas> areas_{};
  std::size_t count_ = 0;
};

}  // namespace sealcam
