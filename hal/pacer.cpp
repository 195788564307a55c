// SPDX-License-Identifier: Apache-2.0
#include "hal/pacer.hpp"

#include <algorithm>
#include <cmath>
#include <thread>

namespace sealcam::hal {

MonotonicTime Pacer::due(std::uint32_t number) const {
  return start_ + std::chrono::nanoseconds(std::llround(static_cast<double>(number) * 1e9 / rate_));
}

Result<Pacer::Tick> Pacer::next(std::chrono::milliseconds timeout) {
  MonotonicTime now = clock_.monotonic();
  if (!realtime_) return Tick{FrameNumber(next_++), now};
  if (!started_) {
    started_ = true;
    start_ = now;
  }
  const MonotonicTime wanted = due(next_);
  if (wanted > now) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(wanted - now, timeout));
    now = clock_.monotonic();
    if (wanted > now) return fail(Errc::timeout, "waiting for a picture");
  } else if (const auto newest = std::floor(std::chrono::duration<double>(now - start_).count() * rate_);
             newest - next_ > depth_) {
    next_ = static_cast<std::uint32_t>(newest);
  }
  // Rounding in `newest` may name a picture that is due a nanosecond from now.
  const Tick tick{FrameNumber(next_), std::min(due(next_), now)};
  ++next_;
  return tick;
}

}  // namespace sealcam::hal
