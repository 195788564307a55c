// SPDX-License-Identifier: Apache-2.0
/// A log for something that is tried again and again.
#pragma once

#include <set>
#include <string>

#include "core/log.hpp"

namespace sealcam::camera {

/// A line as it is, for logs that stand before another.
void relay(Log& to, LogLevel level, std::string_view line);

/// Passes on what the try before did not say already: a sensor that stays away is explained once. Thread-bound.
class OnceLog final : public Log {
 public:
  /// `inner` must outlive it and decides by level.
  explicit OnceLog(Log& inner) : inner_(inner) { set_level(LogLevel::debug); }
  /// A new try begins.
  void next_try() {
    before_ = std::move(now_);
    now_.clear();
  }

 private:
  void write(LogLevel level, std::string_view line) override;

  Log& inner_;
  std::set<std::string, std::less<>> before_, now_;
};

}  // namespace sealcam::camera
