// SPDX-License-Identifier: Apache-2.0
/// Lines in the log, for boards without a light.
#pragma once

#include "core/log.hpp"
#include "hal/board_control.hpp"

namespace sealcam::hal::board {

/// One line when the sensor starts and when it has stopped. Thread-safe.
class LogControl final : public BoardControl {
 public:
  explicit LogControl(Log& log) : log_(log) {}
  /// Says that the sensor is off, if it was on.
  ~LogControl() override;

 private:
  Result<> do_set_activity(bool on) override;
  Result<> do_set_identify(bool on) override;
  [[nodiscard]] std::string do_describe() const override;
  void show(bool on);
  Log& log_;
  bool active_ = false;
};

}  // namespace sealcam::hal::board
