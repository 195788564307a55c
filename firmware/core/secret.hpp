// SPDX-License-Identifier: Apache-2.0
/// Secret bytes of a fixed size: move-only, wiped when moved from and when destroyed, not printable.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

#include "core/bytes.hpp"

namespace sealcam {

/// Overwrites memory in a way the compiler may not remove.
void wipe(MutableBytes memory) noexcept;

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

  /// The only ways to the content, so that every use can be found by searching for them.
  [[nodiscard]] std::span<const std::byte, N> reveal() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte, N> fill() noexcept { return bytes_; }
  static constexpr std::size_t size() noexcept { return N; }

 private:
  std::array<std::byte, N> bytes_{};
};

}  // namespace sealcam
