// SPDX-License-Identifier: Apache-2.0
/// Reads the input of a fuzzer, and checks two properties that many fuzzers assert.
#pragma once

#include <sanitizer/allocator_interface.h>

#include <algorithm>
#include <atomic>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sealcam::fuzz {

/// Reads from the front. Numbers are zero at the end of the input. Does not copy the bytes.
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
  /// Returns at most `size` bytes.
  [[nodiscard]] ByteView take(std::size_t size) noexcept {
    const auto taken = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  /// Returns all remaining bytes.
  [[nodiscard]] ByteView rest() noexcept { return take(rest_.size()); }
  [[nodiscard]] std::string_view text() noexcept { return as_text(rest()); }

 private:
  ByteView rest_;
};

/// Returns whether a view is part of the parsed bytes.
[[nodiscard]] inline bool inside(ByteView part, ByteView whole) noexcept {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

/// On destruction, asserts that at most `limit` bytes were allocated during its lifetime, including freed ones. Only
/// one object may exist at a time.
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
