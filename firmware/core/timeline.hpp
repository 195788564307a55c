// SPDX-License-Identifier: Apache-2.0
/// Time stamps for films and streams.
#pragma once

#include <chrono>

#include "core/clock.hpp"

namespace sealcam {

/// Time stamps that only grow, of a camera whose clock may jump: differences of capture times, and where these make
/// no sense, of times of arrival. Thread-bound.
class Timeline {
 public:
  static constexpr std::chrono::seconds longest_gap{10};
  /// Microseconds since the first picture; larger than the one before.
  [[nodiscard]] std::chrono::microseconds next(CaptureTime captured, MonotonicTime received);

 private:
  bool first_ = true;
  CaptureTime captured_;
  MonotonicTime received_;
  std::chrono::microseconds now_{0};
};

}  // namespace sealcam
