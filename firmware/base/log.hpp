// SPDX-License-Identifier: Apache-2.0
/// Log lines. Under systemd each line starts with its priority (sd-daemon(3), "<6>"); on a terminal it starts with the
/// name of the level. Lines never contain key bytes. Lines for each frame have the level debug.
#pragma once

#include <format>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/format.hpp"

namespace sealcam {

enum class LogLevel { error = 3, warning = 4, info = 6, debug = 7 };
/// "error: ", "warning: ", "" or "debug: ".
[[nodiscard]] std::string_view prefix(LogLevel level);

/// Receives lines. Thread-safe.
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
    if (level <= level_) write(level, sealcam::vformat(f.get(), std::make_format_args(args...)));
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

/// For lines that anyone on the network can cause: allows the first line, then at most one in each `interval`.
/// Thread-bound.
class RateLimit {
 public:
  explicit RateLimit(std::chrono::nanoseconds interval) : interval_(interval) {}
  /// True if the caller may write a line now. The line must end with note().
  [[nodiscard]] bool allow(MonotonicTime now);
  /// " (12 similar lines suppressed)": the lines that allow() suppressed before the current one; empty if none.
  [[nodiscard]] std::string note() const;

 private:
  std::chrono::nanoseconds interval_;
  MonotonicTime last_{};
  bool first_ = true;
  unsigned long skipped_ = 0;
  unsigned long suppressed_ = 0;
};

}  // namespace sealcam
