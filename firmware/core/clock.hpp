// SPDX-License-Identifier: Apache-2.0
/// Two clocks that must not be mixed: the monotonic one judges ages and timeouts, the wall clock is
/// only ever shown to people. Boards without a battery start with a wrong wall clock.
#pragma once

#include <chrono>
#include <compare>

namespace sealcam {

/// CLOCK_MONOTONIC of this machine since its boot; comparable only on the same machine and boot.
struct MonotonicTime {
  std::chrono::nanoseconds since_boot{};
  friend auto operator<=>(const MonotonicTime&, const MonotonicTime&) = default;
  friend std::chrono::nanoseconds operator-(MonotonicTime a, MonotonicTime b) { return a.since_boot - b.since_boot; }
  friend MonotonicTime operator+(MonotonicTime t, std::chrono::nanoseconds d) { return {t.since_boot + d}; }
  friend MonotonicTime operator-(MonotonicTime t, std::chrono::nanoseconds d) { return {t.since_boot - d}; }
};

/// Wall clock since the Unix epoch, in microseconds, as the device believes it.
struct CaptureTime {
  std::chrono::microseconds since_epoch{};
  friend auto operator<=>(const CaptureTime&, const CaptureTime&) = default;
};

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonotonicTime monotonic() const = 0;
  [[nodiscard]] virtual CaptureTime wall() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime monotonic() const override;
  [[nodiscard]] CaptureTime wall() const override;
};

/// For tests: stands still until moved. Thread-bound.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime monotonic() const override { return monotonic_; }
  [[nodiscard]] CaptureTime wall() const override { return wall_; }
  void advance(std::chrono::nanoseconds d) {
    monotonic_ = monotonic_ + d;
    wall_.since_epoch += std::chrono::duration_cast<std::chrono::microseconds>(d);
  }
  /// Moves the wall clock alone, as NTP or a user does.
  void set_wall(CaptureTime t) { wall_ = t; }

 private:
  MonotonicTime monotonic_{std::chrono::hours(1)};
  CaptureTime wall_{std::chrono::seconds(1'790'000'000)};
};

/// The one conversion between the two: when, by the wall clock, was this monotonic moment?
[[nodiscard]] CaptureTime to_capture_time(MonotonicTime moment, const Clock& clock);

}  // namespace sealcam
