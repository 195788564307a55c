// SPDX-License-Identifier: Apache-2.0
/// Three clocks with different types, and the time of the next attempt after a failure.
///
/// A hub measures every age, lease, timeout and window with BootTime, because a machine that slept must not regard an
/// old picture as new. MonotonicTime is the clock of a camera's sensor (V4L2), and of waits that need not count sleep:
/// backoff and limits of log lines. The wall clock is for people only: boards without a battery start with a wrong one.
#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>

namespace sealcam {

/// Time since boot, by one of the kernel's clocks. Two values are comparable only if machine and boot are the same.
template <class Clockid>
struct TimeSinceBoot {
  std::chrono::nanoseconds since_boot{};
  friend auto operator<=>(const TimeSinceBoot&, const TimeSinceBoot&) = default;
  friend std::chrono::nanoseconds operator-(TimeSinceBoot a, TimeSinceBoot b) { return a.since_boot - b.since_boot; }
  friend TimeSinceBoot operator+(TimeSinceBoot t, std::chrono::nanoseconds d) { return {t.since_boot + d}; }
  friend TimeSinceBoot operator-(TimeSinceBoot t, std::chrono::nanoseconds d) { return {t.since_boot - d}; }
};
/// CLOCK_MONOTONIC: stands still while the machine sleeps.
using MonotonicTime = TimeSinceBoot<struct MonotonicClockid>;
/// CLOCK_BOOTTIME: continues while the machine sleeps.
using BootTime = TimeSinceBoot<struct BootClockid>;

/// Wall clock of the device since the Unix epoch, in microseconds. It may be wrong.
struct CaptureTime {
  std::chrono::microseconds since_epoch{};
  friend auto operator<=>(const CaptureTime&, const CaptureTime&) = default;
};

/// False for a wall clock that nothing has set: before 2025, or from 2125 on.
[[nodiscard]] bool is_plausible(CaptureTime now) noexcept;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
  [[nodiscard]] virtual BootTime boot() const = 0;
  [[nodiscard]] virtual CaptureTime wall() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime monotonic() const override;
  [[nodiscard]] BootTime boot() const override;
  [[nodiscard]] CaptureTime wall() const override;
};

/// Converts a monotonic time to the wall clock of now. Nothing else converts between the two.
[[nodiscard]] CaptureTime to_capture_time(MonotonicTime moment, const Clock& clock);

/// Timestamps for recordings and streams of a camera whose clock may jump. They use the difference of capture times. If
/// that is not positive or larger than `max_gap`, they use the difference of arrival times. A capture time may be any
/// 64 bits. Thread-bound.
class Timeline {
 public:
  static constexpr std::chrono::seconds max_gap{10};
  /// Microseconds since the first picture; always larger than the previous value.
  [[nodiscard]] std::chrono::microseconds next(CaptureTime captured, BootTime received);

 private:
  bool first_ = true;
  CaptureTime captured_;
  BootTime received_;
  std::chrono::microseconds now_{0};
};

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
