// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/pace.hpp"

#include <cmath>

#include "core/assert.hpp"

namespace sealcam::hal::libcamera {

Pace::Pace(double rate) : interval_(std::llround(1e9 / rate)) { SC_ASSERT(rate > 0); }

void Pace::saw(MonotonicTime captured) noexcept {
  if (holds_) return;
  MonotonicTime& oldest = last_[seen_ % window];
  if (seen_ >= window && captured - oldest < interval_ * static_cast<int>(window) * 2 / 3) {
    holds_ = true;
    due_ = captured + interval_;
  }
  oldest = captured;
  ++seen_;
}

MonotonicTime Pace::due(MonotonicTime now) noexcept {
  if (now - due_ > interval_ * depth) {
    const auto beats = (now - due_) / interval_;
    missed_ += static_cast<std::uint32_t>(beats);
    due_ = due_ + interval_ * beats;
  }
  return due_;
}

}  // namespace sealcam::hal::libcamera
