// SPDX-License-Identifier: Apache-2.0
/// Clocks that tests move, and a log that tests read.
#pragma once

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/format.hpp"
#include "base/log.hpp"

namespace sealcam {

/// Stands still until a test moves it. The three clocks move independently, and start with different values.
/// Thread-bound.
class FakeClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime monotonic() const override { return monotonic_; }
  [[nodiscard]] BootTime boot() const override { return boot_; }
  [[nodiscard]] CaptureTime wall() const override { return wall_; }
  /// Time passes while the machine runs.
  void advance(std::chrono::nanoseconds d) {
    step_monotonic(d);
    suspend(d);
  }
  /// Time passes while the machine sleeps. The monotonic clock stands still.
  void suspend(std::chrono::nanoseconds d) {
    step_boot(d);
    step_wall(d);
  }
  /// Moves the wall clock only, like NTP or a user. `d` may be negative.
  void step_wall(std::chrono::nanoseconds d) {
    wall_.since_epoch += std::chrono::duration_cast<std::chrono::microseconds>(d);
  }
  void set_wall(CaptureTime t) { wall_ = t; }
  /// Move one clock only, which no kernel does. They show which clock a rule uses.
  void step_monotonic(std::chrono::nanoseconds d) { monotonic_ = monotonic_ + d; }
  void step_boot(std::chrono::nanoseconds d) { boot_ = boot_ + d; }

 private:
  MonotonicTime monotonic_{std::chrono::hours(1)};
  BootTime boot_{std::chrono::hours(30)};
  CaptureTime wall_{std::chrono::seconds(1'790'000'000)};
};

/// Keeps the lines. Thread-safe.
class MemoryLog final : public Log {
 public:
  [[nodiscard]] std::vector<std::string> lines() const;
  [[nodiscard]] bool contains(std::string_view part) const;

 private:
  void write(LogLevel level, std::string_view line) override;
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

inline std::vector<std::string> MemoryLog::lines() const {
  std::scoped_lock lock(mutex_);
  return lines_;
}

inline bool MemoryLog::contains(std::string_view part) const {
  std::scoped_lock lock(mutex_);
  return std::ranges::any_of(lines_, [&](const std::string& line) { return line.contains(part); });
}

inline void MemoryLog::write(LogLevel level, std::string_view line) {
  std::scoped_lock lock(mutex_);
  lines_.push_back(sealcam::format("{}{}", prefix(level), line));
}

}  // namespace sealcam
