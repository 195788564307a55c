// SPDX-License-Identifier: Apache-2.0
/// Bytes: views, owned buffers, big-endian numbers, secrets, and text forms: hexadecimal, base32 and base64url
/// (RFC 4648).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

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
/// The pointer types of C libraries.
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

/// In variable time: not for secrets.
[[nodiscard]] bool equal(ByteView a, ByteView b) noexcept;

/// Overwrites memory in a way that the compiler may not remove.
void wipe(MutableBytes memory) noexcept;

/// Secret bytes of a fixed size. Move-only, wiped when moved from and when destroyed, not printable.
template <std::size_t N>
class Secret {
 public:
  Secret() noexcept = default;  ///< all zero
  /// Copies the bytes in; the caller wipes its own copy.
  explicit Secret(std::span<const std::byte, N> bytes) noexcept {
    for (std::size_t i = 0; i < N; ++i) bytes_[i] = bytes[i];
  }
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      wipe(other.bytes_);
    }
    return *this;
  }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { wipe(bytes_); }

  /// Only reveal() and fill() reach the content, so that a search finds every use.
  [[nodiscard]] std::span<const std::byte, N> reveal() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte, N> fill() noexcept { return bytes_; }
  static constexpr std::size_t size() noexcept { return N; }

 private:
  std::array<std::byte, N> bytes_{};
};

/// Lower case.
[[nodiscard]] std::string to_hex(ByteView bytes);
/// Either case, no separators. Errors: malformed.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);

/// RFC 4648 section 6, lower case, no padding.
[[nodiscard]] std::string to_base32(ByteView bytes);
/// Lower case only. The text must encode exactly out.size() bytes. Errors: malformed.
[[nodiscard]] Result<> from_base32(std::string_view text, MutableBytes out);

/// RFC 4648 section 5, no padding.
[[nodiscard]] std::string to_base64url(ByteView bytes);
/// Errors: malformed.
[[nodiscard]] Result<Bytes> from_base64url(std::string_view text);

}  // namespace sealcam
