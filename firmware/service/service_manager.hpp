// SPDX-License-Identifier: Apache-2.0
/// What a program says to the service manager that started it (sd_notify(3)); nothing where none did.
#pragma once

#include <chrono>
#include <optional>

#include "core/clock.hpp"

namespace sealcam::service {

/// Thread-bound. A message that cannot be sent is lost without a word: the service manager then does what it does with
/// a program that is silent.
class ServiceManager {
 public:
  /// Reads $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3)). `clock` must live longer.
  explicit ServiceManager(const Clock& clock);

  /// The program does its work; or waits for an owner or a broker, which is work too.
  void ready();
  void stopping();

  /// To be called again and again by the loop without which the program is of no use, more often than half of
  /// `WatchdogSec=`. Says so at the first call and then each half of that time; nothing when no watchdog is asked for.
  void alive();

 private:
  const Clock& clock_;
  std::optional<std::chrono::microseconds> interval_;
  std::optional<MonotonicTime> said_;
};

}  // namespace sealcam::service
