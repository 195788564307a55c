// SPDX-License-Identifier: Apache-2.0
/// Tries to store a value again that already has an effect.
#pragma once

#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace sealcam::stream {

/// The owner's changes that protect people take effect before they are stored, so that a full disk does not delay them.
/// This class waits between the attempts to store them, 1 s at first and 60 s at most, and logs the first failure and
/// the success. Thread-bound.
class StoreRetry {
 public:
  /// `what` is in the log, for example "the roster". It must be a literal.
  StoreRetry(const Clock& clock, Log& log, std::string_view what)
      : clock_(clock), log_(log), what_(what), backoff_(std::chrono::seconds(1), std::chrono::seconds(60)) {}

  /// The pause after the last failure is over.
  [[nodiscard]] bool due() const { return backoff_.due(clock_.monotonic()); }
  /// Takes the result of an attempt. Returns whether the value is stored.
  bool attempted(const Result<>& result) {
    if (!result) {
      if (!failing_)
        log_.error("cannot store {}, so a restart would bring the previous state back; trying again: {}", what_,
                   to_string(result.error()));
      failing_ = true;
      backoff_.failed(clock_.monotonic());
      return false;
    }
    if (failing_) log_.info("stored {}", what_);
    failing_ = false;
    backoff_.reset();
    return true;
  }

 private:
  const Clock& clock_;
  Log& log_;
  std::string_view what_;
  Backoff backoff_;
  bool failing_ = false;
};

}  // namespace sealcam::stream
