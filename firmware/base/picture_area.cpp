// SPDX-License-Identifier: Apache-2.0
#include "base/picture_area.hpp"

#include <charconv>
#include <utility>

#include "base/format.hpp"

namespace sealcam {

std::string to_string(const PictureArea& area) {
  return sealcam::format("{},{},{},{}", area.left, area.top, area.width, area.height);
}

Result<PictureArea> parse_picture_area(std::string_view text) {
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

}  // namespace sealcam
