// SPDX-License-Identifier: Apache-2.0
#include "base/format.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

namespace sealcam {

namespace {

/// A character at the start of a text. If there is no valid one, `good` is false and `bytes` is 1.
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
  static constexpr std::array<char32_t, 5> min_point = {0, 0, 0x80, 0x800, 0x10000};  // by length
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  char32_t point = lead & (0x7fU >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xc0U) != 0x80) return {};
    point = point << 6 | (at(i) & 0x3fU);
  }
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < min_point[bytes] || point > 0x10ffff || surrogate) return {};
  return {point, bytes, true};
}

/// Code points that a terminal or a browser may act on, and characters without a visible form (the property
/// Default_Ignorable_Code_Point of Unicode 16, without the variation selectors that follow symbols). Ascending.
constexpr std::array<std::pair<char32_t, char32_t>, 20> not_printable{{
    {0x0, 0x1f},      {0x7f, 0x9f},       {0xad, 0xad},       {0x34f, 0x34f},     {0x61c, 0x61c},
    {0x115f, 0x1160}, {0x17b4, 0x17b5},   {0x180b, 0x180f},   {0x200b, 0x200f},   {0x2028, 0x202e},
    {0x2060, 0x206f}, {0x3164, 0x3164},   {0xfe00, 0xfe0d},   {0xfeff, 0xfeff},   {0xffa0, 0xffa0},
    {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}, {0x10fffe, 0x10ffff},
}};

bool is_control(char32_t c) {
  return std::ranges::any_of(not_printable, [c](const auto& range) { return c >= range.first && c <= range.second; });
}

}  // namespace

std::string vformat(std::string_view format, std::format_args arguments) { return std::vformat(format, arguments); }

void vprint(std::FILE* file, std::string_view format, std::format_args arguments, bool line_end) {
  std::string text = std::vformat(format, arguments);
  if (line_end) text += '\n';
  // A terminal that was closed must not end a command, and there is no place to report this.
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() && file != stderr)
    throw std::system_error(errno, std::generic_category(), "writing the output");
}

std::string printable(std::string_view text, std::size_t max) {
  std::string out;
  out.reserve(std::min(text.size(), max));
  while (!text.empty()) {
    const auto next = first_of(text);
    const auto piece = next.good && !is_control(next.point) ? text.substr(0, next.bytes) : std::string_view("?");
    if (out.size() + piece.size() > max) break;
    out += piece;
    text.remove_prefix(next.bytes);
  }
  return out;
}

}  // namespace sealcam
