// SPDX-License-Identifier: Apache-2.0
#include "core/bytes.hpp"

#include <algorithm>

namespace sealcam {

std::string to_hex(ByteView bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte b : bytes) {
    const auto v = std::to_integer<unsigned>(b);
    text += digits[v >> 4];
    text += digits[v & 15];
  }
  return text;
}

static int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::malformed, "hexadecimal of odd length");
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return fail(Errc::malformed, "not a hexadecimal digit");
    bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return bytes;
}

bool equal(ByteView a, ByteView b) noexcept { return std::ranges::equal(a, b); }

}  // namespace sealcam
