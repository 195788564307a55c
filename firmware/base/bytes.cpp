// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <algorithm>
#include <cstring>

namespace sealcam {

bool equal(ByteView a, ByteView b) noexcept { return std::ranges::equal(a, b); }

void wipe(MutableBytes memory) noexcept {
  if (!memory.empty()) ::explicit_bzero(memory.data(), memory.size());  // an empty span may hold a null pointer
}

namespace {

constexpr std::string_view base32_alphabet = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view base64url_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Encodes the bytes in letters of `Bits` bits. Zeros fill the last letter.
template <unsigned Bits>
std::string encode(ByteView bytes, std::string_view alphabet) {
  constexpr std::uint32_t mask = (1U << Bits) - 1;
  std::string text;
  text.reserve((bytes.size() * 8 + Bits - 1) / Bits);
  std::uint32_t buffer = 0;
  unsigned held = 0;
  for (const std::byte b : bytes) {
    buffer = buffer << 8 | std::to_integer<std::uint32_t>(b);
    for (held += 8; held >= Bits; held -= Bits) text += alphabet[buffer >> (held - Bits) & mask];
  }
  if (held > 0) text += alphabet[buffer << (Bits - held) & mask];
  return text;
}

/// `out` has room for all whole bytes of `text`.
template <unsigned Bits>
Result<> decode(std::string_view text, std::string_view alphabet, MutableBytes out) {
  std::uint32_t buffer = 0;
  unsigned held = 0;
  for (const char c : text) {
    const auto digit = alphabet.find(c);
    if (digit == std::string_view::npos) return fail(Errc::malformed, "unknown letter in an encoded text");
    buffer = buffer << Bits | static_cast<std::uint32_t>(digit);
    held += Bits;
    if (held < 8) continue;
    held -= 8;
    out[0] = static_cast<std::byte>(buffer >> held);
    out = out.subspan(1);
  }
  if (held >= Bits || (buffer & ((1U << held) - 1)) != 0)
    return fail(Errc::malformed, "unused bits at the end of an encoded text");
  return {};
}

}  // namespace

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

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return fail(Errc::malformed, "hexadecimal text has an odd length");
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_digit(text[2 * i]);
    const int low = hex_digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return fail(Errc::malformed, "not a hexadecimal digit");
    bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  return bytes;
}

std::string to_base32(ByteView bytes) { return encode<5>(bytes, base32_alphabet); }

Result<> from_base32(std::string_view text, MutableBytes out) {
  if (text.size() != (out.size() * 8 + 4) / 5) return fail(Errc::malformed, "base32 text has the wrong length");
  return decode<5>(text, base32_alphabet, out);
}

std::string to_base64url(ByteView bytes) { return encode<6>(bytes, base64url_alphabet); }

Result<Bytes> from_base64url(std::string_view text) {
  Bytes bytes(text.size() * 3 / 4);
  if (auto r = decode<6>(text, base64url_alphabet, bytes); !r) return std::unexpected(r.error());
  return bytes;
}

}  // namespace sealcam
