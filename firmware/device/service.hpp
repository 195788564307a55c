// SPDX-License-Identifier: Apache-2.0
/// The reports of a running program: its readiness to systemd, and its status to scripts.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace sealcam::device {

/// Notifies the service manager that started the program (sd_notify(3)). Does nothing without one. Ignores lost
/// messages: the service manager then acts as if the program hangs. Thread-bound.
class ServiceManager {
 public:
  /// Reads $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3)). `clock` must live longer.
  explicit ServiceManager(const Clock& clock);

  /// The program runs. It may still wait for pairing or for the broker.
  void ready();
  void stopping();

  /// The main loop calls this more often than half of `WatchdogSec=`. Sends a message at the first call, then once per
  /// half of that time. Does nothing if the unit has no watchdog.
  void alive();

 private:
  const Clock& clock_;
  std::optional<std::chrono::microseconds> interval_;
  std::optional<MonotonicTime> sent_;
};

/// Replaces a status file at once: a reader sees the old text or the new one. Not durable, so that a program that
/// writes it each second does not wait for a disk. Follows no link: the folder may belong to other users. Errors:
/// not_found, permission, io; the old file then stays.
[[nodiscard]] Result<> replace_status_file(const std::filesystem::path& path, std::string_view text);

}  // namespace sealcam::device
