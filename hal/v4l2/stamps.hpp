// SPDX-License-Identifier: Apache-2.0
/// What drivers say about when and which, made to fit FrameSource's promise: both only grow. Logic only.
#pragma once

#include <cstdint>
#include <optional>

#include "core/clock.hpp"
#include "core/strong.hpp"

namespace sealcam::hal::v4l2 {

/// Thread-bound.
class Stamps {
 public:
  /// `start`: when streaming began; no picture is older.
  explicit Stamps(MonotonicTime start) : last_(start) {}

  /// When the picture was taken. `stamp` is the driver's, of CLOCK_MONOTONIC, if it has one. One from the future, or
  /// far in the past of a picture before it (a counter that wrapped, a clock that is none), is worth nothing and `now`
  /// is taken. Less than a second is the jitter of drivers that compute the time, and no fault: a small step back gives
  /// the time of the picture before, a small step ahead gives now. A stamp
  /// that is merely old stays: the picture waited, and must not pass for a new one.
  [[nodiscard]] MonotonicTime time(std::optional<MonotonicTime> stamp, MonotonicTime now) noexcept;

  /// 0 for the first one, then as far apart as the driver counts, over the wrap of 2^32. A driver that does not count
  /// (always the same, or backwards) gets 1 more each time. Call it for damaged pictures too.
  [[nodiscard]] FrameNumber number(std::uint32_t sequence) noexcept;

  /// Stamps and sequence numbers that could not be true, for the log.
  [[nodiscard]] std::uint64_t mended_times() const noexcept { return mended_times_; }
  [[nodiscard]] std::uint64_t mended_numbers() const noexcept { return mended_numbers_; }

 private:
  MonotonicTime last_;
  std::optional<std::uint32_t> sequence_;
  FrameNumber number_;
  std::uint64_t mended_times_ = 0;
  std::uint64_t mended_numbers_ = 0;
};

}  // namespace sealcam::hal::v4l2
