// SPDX-License-Identifier: Apache-2.0
/// What a fuzzer does with the bytes it is given, and two properties that many of them assert.
#pragma once

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <atomic>

#include "core/assert.hpp"
#include "core/bytes.hpp"

namespace sealcam::fuzz {

/// Reads from the front; numbers are zero once nothing is left. Views the bytes it was made of.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : rest_(std::as_bytes(std::span(data, size))) {}
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::uint8_t byte() noexcept { return number<std::uint8_t>(); }
  template <class Int>
  [[nodiscard]] Int number() noexcept {
    std::array<std::byte, sizeof(Int)> bytes{};
    std::ranges::copy(take(sizeof(Int)), bytes.begin());
    return load_be<Int>(bytes);
  }
  /// At most `size` bytes.
  [[nodiscard]] ByteView take(std::size_t size) noexcept {
    const auto taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// All that is left.
  [[nodiscard]] ByteView rest() noexcept { return take(rest_.size()); }
  [[nodiscard]] std::string_view text() noexcept { return as_text(rest()); }

 private:
  ByteView rest_;
};

/// A view that a parser returned lies inside what it parsed.
[[nodiscard]] inline bool inside(ByteView part, ByteView whole) noexcept {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// Asserts on destruction that no more than `limit` bytes were allocated meanwhile, freed ones included. One at a time.
class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t limit) noexcept : limit_(limit) {
    static const bool installed =
        __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t size) { allocated += size; },
                                                  [](const volatile void*) {}) != 0;
    SC_ASSERT(installed);
    allocated = 0;
  }
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
  ~AllocationLimit() { SC_ASSERT(allocated <= limit_); }

 private:
  static inline std::atomic<std::size_t> allocated{0};
  std::size_t limit_;
};

}  // namespace sealcam::fuzz
