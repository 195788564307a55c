// SPDX-License-Identifier: Apache-2.0
/// Bytes: views, owned buffers, big-endian numbers, hexadecimal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/assert.hpp"
#include "core/result.hpp"

namespace sealcam {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// The bytes of a text, without copying. The view is valid as long as the text is.
[[nodiscard]] inline ByteView as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}
[[nodiscard]] inline std::string_view as_text(ByteView bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
/// What C libraries want.
[[nodiscard]] inline const unsigned char* c_bytes(ByteView b) noexcept {
  return reinterpret_cast<const unsigned char*>(b.data());
}
[[nodiscard]] inline unsigned char* c_bytes(MutableBytes b) noexcept {
  return reinterpret_cast<unsigned char*>(b.data());
}

/// Writes `value` big-endian into the first sizeof(Int) bytes of `out`.
template <class Int>
constexpr void store_be(MutableBytes out, Int value) noexcept {
  SC_ASSERT(out.size() >= sizeof(Int));
  for (std::size_t i = 0; i < sizeof(Int); ++i)
    out[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * (sizeof(Int) - 1 - i)));
}
/// Reads a big-endian number from the first sizeof(Int) bytes of `in`.
template <class Int>
[[nodiscard]] constexpr Int load_be(ByteView in) noexcept {
  SC_ASSERT(in.size() >= sizeof(Int));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) value = value << 8 | std::to_integer<std::uint64_t>(in[i]);
  return static_cast<Int>(value);
}

/// Lower-case hexadecimal.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Either case, no separators. Errors: malformed.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);

[[nodiscard]] bool equal(ByteView a, ByteView b) noexcept;

}  // namespace sealcam
