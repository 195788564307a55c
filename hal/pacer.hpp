// SPDX-License-Identifier: Apache-2.0
/// The beat of a source that has no sensor to give it one.
#pragma once

#include <chrono>
#include <cstdint>

#include "core/clock.hpp"
#include "core/result.hpp"
#include "core/strong.hpp"

namespace sealcam::hal {

/// Says when the next picture is due and waits for it. It behaves as a sensor does: when nobody calls for
/// more than `depth` pictures, the pictures in between are lost and their numbers with them. Thread-bound.
class Pacer {
 public:
  struct Tick {
    FrameNumber number;
    MonotonicTime due;  ///< never in the future; without pacing it is now
  };

  /// `rate` pictures per second (> 0); number 0 is due at the first call of next(). Without `realtime` every call
  /// answers at once with the next number. The clock must outlive it.
  Pacer(const Clock& clock, double rate, bool realtime, std::uint32_t depth = 4)
      : clock_(clock), rate_(rate), realtime_(realtime), depth_(depth) {}

  /// Waits at most `timeout` in real time. With a FakeClock, which does not move while this sleeps, it
  /// answers at once when the picture is due and with timeout otherwise. Errors: timeout.
  [[nodiscard]] Result<Tick> next(std::chrono::milliseconds timeout);

 private:
  [[nodiscard]] MonotonicTime due(std::uint32_t number) const;

  const Clock& clock_;
  double rate_;
  bool realtime_;
  std::uint32_t depth_;
  bool started_ = false;
  MonotonicTime start_{};
  std::uint32_t next_ = 0;
};

}  // namespace sealcam::hal
