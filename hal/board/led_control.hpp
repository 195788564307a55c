// SPDX-License-Identifier: Apache-2.0
/// The activity light: an LED of Linux's LED class, or lines in the log.
#pragma once

#include <filesystem>
#include <memory>

#include "base/log.hpp"
#include "hal/board_control.hpp"

namespace sealcam::hal::board {

/// Replaces the LED's trigger (often SD card activity or a heartbeat) and restores trigger and brightness at the end.
/// After a kill, the light keeps its last state until the next start switches it off. Thread-safe.
class LedControl final : public BoardControl {
 public:
  /// `folder`: of the LED class, with `brightness`, `max_brightness` and `trigger`. Switches the light off. Errors:
  /// not_found, permission, malformed (unexpected content of these files), io.
  [[nodiscard]] static Result<std::unique_ptr<LedControl>> open(const std::filesystem::path& folder);
  ~LedControl() override;

 private:
  LedControl(std::filesystem::path folder, std::string trigger, std::string before, std::string brightest)
      : folder_(std::move(folder)),
        trigger_(std::move(trigger)),
        before_(std::move(before)),
        brightest_(std::move(brightest)) {}
  Result<> do_set_activity(bool on) override;
  [[nodiscard]] std::string do_describe() const override;
  Result<> show();

  std::filesystem::path folder_;
  std::string trigger_, before_;  // as found
  std::string brightest_;
  bool active_ = false;
};

/// For boards without an LED: one line when the sensor starts and one when it has stopped. Thread-safe.
class LogControl final : public BoardControl {
 public:
  explicit LogControl(Log& log) : log_(log) {}
  /// Logs that the sensor is off, if it was on.
  ~LogControl() override;

 private:
  Result<> do_set_activity(bool on) override;
  [[nodiscard]] std::string do_describe() const override;
  void show(bool on);
  Log& log_;
  bool active_ = false;
};

}  // namespace sealcam::hal::board
