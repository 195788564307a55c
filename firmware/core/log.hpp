// SPDX-License-Identifier: Apache-2.0
/// Log lines. Under systemd each carries its priority (sd-daemon(3), "<6>"); on a terminal the level
/// in words. Never key bytes, never per frame above debug.
#pragma once

#include <format>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.hpp"

namespace sealcam {

enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };

/// Where lines go. Thread-safe.
class Log {
 public:
  virtual ~Log() = default;
  template <class... Args>
  void error(std::format_string<Args...> f, Args&&... args) {
    put(LogLevel::error, f, std::forward<Args>(args)...);
  }
  template <class... Args>
  void warning(std::format_string<Args...> f, Args&&... args) {
    put(LogLevel::warning, f, std::forward<Args>(args)...);
  }
  template <class... Args>
  void info(std::format_string<Args...> f, Args&&... args) {
    put(LogLevel::info, f, std::forward<Args>(args)...);
  }
  template <class... Args>
  void debug(std::format_string<Args...> f, Args&&... args) {
    put(LogLevel::debug, f, std::forward<Args>(args)...);
  }
  void set_level(LogLevel level) noexcept { level_ = level; }

 private:
  template <class... Args>
  void put(LogLevel level, std::format_string<Args...> f, Args&&... args) {
    if (level <= level_) write(level, std::format(f, std::forward<Args>(args)...));
  }
  virtual void write(LogLevel level, std::string_view line) = 0;
  LogLevel level_ = LogLevel::info;
};

/// Standard error, one write(2) a line.
class StderrLog final : public Log {
 public:
  StderrLog();

 private:
  void write(LogLevel level, std::string_view line) override;
  bool journal_;
};

/// Keeps the lines, for tests.
class MemoryLog final : public Log {
 public:
  [[nodiscard]] std::vector<std::string> lines() const {
    std::scoped_lock lock(mutex_);
    return lines_;
  }
  [[nodiscard]] bool contains(std::string_view part) const;

 private:
  void write(LogLevel level, std::string_view line) override;
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

/// Lets through the first of a kind, then at most one each `interval` with the number left out, for
/// lines that a stranger can trigger. Thread-bound.
class RateLimit {
 public:
  explicit RateLimit(std::chrono::nanoseconds interval) : interval_(interval) {}
  /// True when a line may be written now; `suppressed()` then says how many were left out before it.
  [[nodiscard]] bool allow(MonotonicTime now);
  [[nodiscard]] unsigned long suppressed() const noexcept { return reported_; }

 private:
  std::chrono::nanoseconds interval_;
  MonotonicTime last_{};
  bool first_ = true;
  unsigned long skipped_ = 0;
  unsigned long reported_ = 0;
};

}  // namespace sealcam
