// SPDX-License-Identifier: Apache-2.0
/// A bound on how often.
#pragma once

#include <array>

#include "core/clock.hpp"

namespace sealcam::stream {

/// The moments of the last N that were let through: never more than N in any second. Thread-bound.
template <std::size_t N>
class Window {
 public:
  [[nodiscard]] bool full(MonotonicTime now) const noexcept {
    return used_ == N && now - moments_[next_] < std::chrono::seconds(1);
  }
  void count(MonotonicTime now) noexcept {
    moments_[next_] = now;
    next_ = (next_ + 1) % N;
    if (used_ < N) ++used_;
  }

 private:
  std::array<MonotonicTime, N> moments_{};
  std::size_t next_ = 0;
  std::size_t used_ = 0;
};

}  // namespace sealcam::stream
