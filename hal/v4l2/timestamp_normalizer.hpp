// SPDX-License-Identifier: Apache-2.0
/// Corrects the timestamps and sequence numbers of drivers, so that both never decrease.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"
#include "base/types.hpp"

namespace sealcam::hal::v4l2 {

/// Thread-bound.
class TimestampNormalizer {
 public:
  /// `start`: when streaming started; no picture is older. `interval`: between two pictures.
  TimestampNormalizer(MonotonicTime start, std::chrono::nanoseconds interval) : interval_(interval), last_(start) {}

  /// Returns when the picture was taken. `timestamp`: the driver's time of CLOCK_MONOTONIC, if it has one. `queued`:
  /// when the driver received the empty buffer. A picture must not look newer than it is, because it echoes challenges
  /// that arrived before it was taken. So a time in the future, or far before the previous picture, is not used, and
  /// the picture counts as taken one interval before its buffer was queued: the driver filled the buffer after that,
  /// with a picture whose exposure began at most one interval earlier. Drivers that calculate the time have a jitter of
  /// less than a second: a small step back becomes the time of the previous picture. An old time that does not go back
  /// stays.
  [[nodiscard]] MonotonicTime time(std::optional<MonotonicTime> timestamp, MonotonicTime queued,
                                   MonotonicTime now) noexcept;

  /// Returns 0 for the first picture, then the difference that the driver counts, also across the wrap at 2^32. If the
  /// driver's number does not increase, the result increases by 1. Call it for damaged pictures too.
  [[nodiscard]] FrameNumber number(std::uint32_t sequence) noexcept;

  /// The number of corrected timestamps and sequence numbers, for the log.
  [[nodiscard]] std::uint64_t corrected_times() const noexcept { return corrected_times_; }
  [[nodiscard]] std::uint64_t corrected_numbers() const noexcept { return corrected_numbers_; }

 private:
  std::chrono::nanoseconds interval_;
  MonotonicTime last_;
  std::optional<std::uint32_t> sequence_;
  FrameNumber number_;
  std::uint64_t corrected_times_ = 0;
  std::uint64_t corrected_numbers_ = 0;
};

inline MonotonicTime TimestampNormalizer::time(std::optional<MonotonicTime> timestamp, MonotonicTime queued,
                                               MonotonicTime now) noexcept {
  constexpr auto jitter = std::chrono::seconds(1);
  MonotonicTime taken = queued - interval_;
  if (timestamp && *timestamp <= now && *timestamp >= last_) taken = *timestamp;
  else if (timestamp && *timestamp < last_ && last_ - *timestamp < jitter) taken = last_;
  else if (timestamp && (*timestamp < last_ || *timestamp - now >= jitter)) ++corrected_times_;
  last_ = std::max(last_, taken);
  return last_;
}

inline FrameNumber TimestampNormalizer::number(std::uint32_t sequence) noexcept {
  if (!sequence_) {
    sequence_ = sequence;
    return number_;
  }
  const std::uint32_t forward = sequence - *sequence_;
  sequence_ = sequence;
  const bool grew = forward != 0 && forward < (1U << 31);
  if (!grew) ++corrected_numbers_;
  number_ = FrameNumber(number_.value() + (grew ? forward : 1));
  return number_;
}

}  // namespace sealcam::hal::v4l2
