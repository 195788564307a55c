// SPDX-License-Identifier: Apache-2.0
#include "core/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace sealcam {

namespace {

/// The first character of `text`, which is not empty. `bytes` is 1 and `good` false where there is none.
struct Character {
  char32_t point = 0;
  std::size_t bytes = 1;
  bool good = false;
};

Character first_of(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = at(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  static constexpr std::array<char32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};  // by length
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t point = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xc0U) != 0x80) return {};
    point = point << 6 | (at(i) & 0x3fU);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < least[bytes] || point > 0x10ffff || surrogate) return {};
  return {point, bytes, true};
}

bool steers(char32_t c) {
  const auto within = [c](char32_t first, char32_t last) { return c >= first && c <= last; };
  return c < 0x20 || within(0x7f, 0x9f) || c == 0x061c || within(0x200e, 0x200f) || within(0x2028, 0x202e) ||
         within(0x2066, 0x2069) || c == 0xfeff;
}

}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string out;
  out.reserve(std::min(text.size(), most));
  while (!text.empty()) {
    const auto next = first_of(text);
    const auto words = next.good && !steers(next.point) ? text.substr(0, next.bytes) : std::string_view("?");
    if (out.size() + words.size() > most) break;
    out += words;
    text.remove_prefix(next.bytes);
  }
  return out;
}

}  // namespace sealcam
