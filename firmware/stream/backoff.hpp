// SPDX-License-Identifier: Apache-2.0
/// When to try again.
#pragma once

#include <algorithm>

#include "core/clock.hpp"

namespace sealcam::stream {

/// Doubles the pause after each failure up to `longest`. Thread-bound.
class Backoff {
 public:
  Backoff(std::chrono::nanoseconds first, std::chrono::nanoseconds longest) : first_(first), longest_(longest) {}
  /// The pause is over, or nothing failed yet.
  [[nodiscard]] bool due(MonotonicTime now) const noexcept { return now >= next_; }
  [[nodiscard]] std::chrono::nanoseconds remaining(MonotonicTime now) const noexcept {
    return due(now) ? std::chrono::nanoseconds(0) : next_ - now;
  }
  void failed(MonotonicTime now) noexcept {
    pause_ = pause_.count() == 0 ? first_ : std::min(pause_ * 2, longest_);
    next_ = now + pause_;
  }
  void reset() noexcept {
    pause_ = {};
    next_ = {};
  }

 private:
  std::chrono::nanoseconds first_;
  std::chrono::nanoseconds longest_;
  std::chrono::nanoseconds pause_{};
  MonotonicTime next_;
};

}  // namespace sealcam::stream
