// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/format.hpp"

namespace sealcam {

std::string_view prefix(LogLevel level) {
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
  const std::string text = journal_ ? sealcam::format("<{}>{}\n", static_cast<int>(level), line)
                                    : sealcam::format("{}{}\n", prefix(level), line);
  // There is no other place to report that the log cannot be written.
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

bool RateLimit::allow(MonotonicTime now) {
  if (!first_ && now - last_ < interval_) {
    ++skipped_;
    return false;
  }
  first_ = false;
  last_ = now;
  suppressed_ = std::exchange(skipped_, 0);
  return true;
}

std::string RateLimit::note() const {
  return suppressed_ == 0 ? "" : sealcam::format(" ({} similar lines suppressed)", suppressed_);
}

}  // namespace sealcam
