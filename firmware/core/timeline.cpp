// SPDX-License-Identifier: Apache-2.0
#include "core/timeline.hpp"

#include <algorithm>
#include <utility>

namespace sealcam {

std::chrono::microseconds Timeline::next(CaptureTime captured, MonotonicTime received) {
  if (!std::exchange(first_, false)) {
    auto step = captured.since_epoch - captured_.since_epoch;
    if (step <= step.zero() || step > longest_gap)
      step = std::chrono::duration_cast<std::chrono::microseconds>(received - received_);
    // A millisecond at least: players and the file's own clock tell neighbours apart.
    now_ += std::max<std::chrono::microseconds>(step, std::chrono::milliseconds(1));
  }
  captured_ = captured;
  received_ = received;
  return now_;
}

}  // namespace sealcam
