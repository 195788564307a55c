// SPDX-License-Identifier: Apache-2.0
/// Timing for a source without a sensor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <thread>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"

namespace sealcam::hal {

/// Waits until the next picture is due. Like a sensor, it loses pictures if the caller is late by more than `depth`
/// pictures; their numbers are then missing. Thread-bound.
class FramePacer {
 public:
  struct Tick {
    FrameNumber number;
    MonotonicTime due;  ///< never in the future; the current time if not `realtime`
  };

  /// `rate`: pictures per second (> 0). Picture 0 is due at the first call of next(). If not `realtime`, each call
  /// returns the next number at once. The clock must outlive it.
  FramePacer(const Clock& clock, double rate, bool realtime, std::uint32_t depth = 4)
      : clock_(clock), rate_(rate), realtime_(realtime), depth_(depth) {}

  /// Waits up to `timeout` in real time. A FakeClock does not move meanwhile, so that the call returns the picture if
  /// it is due, and timeout otherwise. Errors: timeout.
  [[nodiscard]] Result<Tick> next(std::chrono::milliseconds timeout);

 private:
  [[nodiscard]] static FrameNumber frame_number(std::uint64_t number) noexcept {
    return FrameNumber(static_cast<std::uint32_t>(number));
  }
  [[nodiscard]] MonotonicTime due(std::uint64_t number) const;

  const Clock& clock_;
  double rate_;
  bool realtime_;
  std::uint32_t depth_;
  bool started_ = false;
  MonotonicTime start_{};
  std::uint64_t next_ = 0;  // of the picture; FrameNumber wraps
};

inline MonotonicTime FramePacer::due(std::uint64_t number) const {
  return start_ + std::chrono::nanoseconds(std::llround(static_cast<double>(number) * 1e9 / rate_));
}

inline Result<FramePacer::Tick> FramePacer::next(std::chrono::milliseconds timeout) {
  MonotonicTime now = clock_.monotonic();
  if (!realtime_) return Tick{frame_number(next_++), now};
  if (!started_) {
    started_ = true;
    start_ = now;
  }
  const MonotonicTime requested = due(next_);
  if (requested > now) {
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(requested - now, timeout));
    now = clock_.monotonic();
    if (requested > now) return fail(Errc::timeout, "waiting for a picture");
  } else if (const auto newest = std::floor(std::chrono::duration<double>(now - start_).count() * rate_);
             newest - static_cast<double>(next_) > depth_) {
    next_ = static_cast<std::uint64_t>(newest);
  }
  // Because of rounding, the picture `newest` may be due a nanosecond later.
  const Tick tick{frame_number(next_), std::min(due(next_), now)};
  ++next_;
  return tick;
}

}  // namespace sealcam::hal
