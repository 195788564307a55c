// SPDX-License-Identifier: Apache-2.0
/// When to try again. Waits double from a first to a longest one and differ by up to a fifth, so that thousands of
/// devices do not come back to a broker in one moment.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace sealcam::transport {

/// Thread-bound.
class Backoff {
 public:
  using milliseconds = std::chrono::milliseconds;
  Backoff(milliseconds first, milliseconds longest, std::uint32_t seed) noexcept
      : first_(first), longest_(longest), next_(first), random_(seed | 1U) {}

  /// The wait before the next attempt.
  [[nodiscard]] milliseconds next() noexcept {
    const auto base = next_;
    next_ = std::min(next_ * 2, longest_);
    random_ = random_ * 1'664'525U + 1'013'904'223U;
    const auto permille = static_cast<long>(random_ >> 16) % 400 - 200;
    return std::min(base + base * permille / 1000, longest_);
  }
  /// It worked.
  void reset() noexcept { next_ = first_; }

 private:
  milliseconds first_, longest_, next_;
  std::uint32_t random_;
};

}  // namespace sealcam::transport
