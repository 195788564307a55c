// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace sealcam {

static std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::error: return "error: ";
    case LogLevel::warning: return "warning: ";
    case LogLevel::info: return "";
    case LogLevel::debug: return "debug: ";
  }
  return "";
}

StderrLog::StderrLog() : journal_(std::getenv("JOURNAL_STREAM") != nullptr) {}

void StderrLog::write(LogLevel level, std::string_view line) {
  const std::string text =
      journal_ ? std::format("<{}>{}\n", static_cast<int>(level), line) : std::format("{}{}\n", word(level), line);
  // A log that cannot be written has nowhere to complain to.
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

bool MemoryLog::contains(std::string_view part) const {
  std::scoped_lock lock(mutex_);
  return std::ranges::any_of(lines_, [&](const std::string& line) { return line.contains(part); });
}

void MemoryLog::write(LogLevel level, std::string_view line) {
  std::scoped_lock lock(mutex_);
  lines_.push_back(std::format("{}{}", word(level), line));
}

bool RateLimit::allow(MonotonicTime now) {
  if (!first_ && now - last_ < interval_) {
    ++skipped_;
    return false;
  }
  first_ = false;
  last_ = now;
  reported_ = std::exchange(skipped_, 0);
  return true;
}

}  // namespace sealcam
