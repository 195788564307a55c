// SPDX-License-Identifier: Apache-2.0
/// The time of the next attempt after a failure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace sealcam {

/// Doubles the wait after each failure, from `first` to `max`. With a seed, each wait differs by up to a fifth, so that
/// devices that lost a broker together do not reconnect together. Thread-bound.
class Backoff {
 public:
  using Duration = std::chrono::nanoseconds;
  Backoff(Duration first, Duration max, std::optional<std::uint32_t> seed = {}) noexcept
      : first_(first), max_(max), wait_(first) {
    if (seed) random_ = *seed | 1U;
  }

  /// The wait before the next attempt.
  [[nodiscard]] Duration next() noexcept {
    const auto wait = wait_;
    wait_ = std::min(wait_ * 2, max_);
    if (!random_) return wait;
    *random_ = *random_ * 1'664'525U + 1'013'904'223U;
    const auto permille = static_cast<std::int64_t>(*random_ >> 16) % 400 - 200;
    return std::min(wait + wait / 1000 * permille, max_);
  }

  /// Starts the wait before the next attempt.
  void failed(MonotonicTime now) noexcept { due_ = now + next(); }
  /// The wait is over, or nothing failed yet.
  [[nodiscard]] bool due(MonotonicTime now) const noexcept { return now >= due_; }
  [[nodiscard]] Duration remaining(MonotonicTime now) const noexcept { return due(now) ? Duration(0) : due_ - now; }

  /// After a success: the next wait is `first` again.
  void reset() noexcept {
    wait_ = first_;
    due_ = {};
  }

 private:
  Duration first_, max_, wait_;
  MonotonicTime due_;
  std::optional<std::uint32_t> random_;
};

}  // namespace sealcam
