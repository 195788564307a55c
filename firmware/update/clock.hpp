// SPDX-License-Identifier: Apache-2.0
/// The clock of a board without a battery. Thread-safe.
#pragma once

#include <filesystem>
#include <utility>

#include "base/clock.hpp"

namespace sealcam::update {

/// At each start, systemd sets the wall clock to the time of the last shutdown or of its own build. That is plausible
/// and wrong. This clock's wall time is 1970 until systemd-timesyncd(8) has set the clock.
class SynchronizedClock final : public Clock {
 public:
  /// `marker`: exists after the first answer of a time server.
  explicit SynchronizedClock(std::filesystem::path marker = "/run/systemd/timesync/synchronized")
      : marker_(std::move(marker)) {}
  [[nodiscard]] MonotonicTime monotonic() const override { return system_.monotonic(); }
  [[nodiscard]] BootTime boot() const override { return system_.boot(); }
  [[nodiscard]] CaptureTime wall() const override {
    std::error_code ec;
    return std::filesystem::exists(marker_, ec) ? system_.wall() : CaptureTime{};
  }

 private:
  SystemClock system_;
  std::filesystem::path marker_;
};

}  // namespace sealcam::update
