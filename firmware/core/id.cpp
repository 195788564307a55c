// SPDX-License-Identifier: Apache-2.0
#include "core/id.hpp"

namespace sealcam {

static constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz234567";

std::string to_base32(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  for (std::byte b : bytes) {
    buffer = buffer << 8 | std::to_integer<std::uint32_t>(b);
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[buffer >> bits & 31];
    }
  }
  if (bits > 0) text += alphabet[buffer << (5 - bits) & 31];
  return text;
}

Result<> from_base32(std::string_view text, MutableBytes out) {
  if (text.size() != (out.size() * 8 + 4) / 5) return fail(Errc::malformed, "base32 of wrong length");
  std::uint32_t buffer = 0;
  unsigned bits = 0;
  std::size_t n = 0;
  for (char c : text) {
    const auto digit = alphabet.find(c);
    if (digit == std::string_view::npos) return fail(Errc::malformed, "not a base32 letter");
    buffer = buffer << 5 | static_cast<std::uint32_t>(digit);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out[n++] = static_cast<std::byte>(buffer >> bits);
      buffer &= (1U << bits) - 1;
    }
  }
  if (buffer != 0) return fail(Errc::malformed, "base32 with bits left over");
  return {};
}

}  // namespace sealcam
