// SPDX-License-Identifier: Apache-2.0
/// The parts of the running board that the camera uses, from the board's data: activity light, reset button, limits of
/// the encoder.
#pragma once

#include <memory>
#include <optional>

#include "base/log.hpp"
#include "hal/board/board_data.hpp"
#include "hal/board_control.hpp"
#include "hal/media.hpp"

namespace sealcam::camera {

/// Opens the activity LED. Without a usable LED it returns a control that writes to the log, and logs the reason. Never
/// null.
[[nodiscard]] std::unique_ptr<hal::BoardControl> open_activity_light(const hal::board::SystemView& system, Log& log);

/// Opens the reset button. Returns null without a usable button, and logs the reason.
[[nodiscard]] std::unique_ptr<hal::Button> open_reset_button(const hal::board::SystemView& system, Log& log);

/// The limits of the board's hardware encoder; nothing if the board has none or is unknown.
[[nodiscard]] std::optional<hal::EncoderLimits> encoder_limits(const hal::board::SystemView& system);

/// Detects a press of five seconds, which resets the camera. Thread-bound.
class ResetButton {
 public:
  ResetButton(std::unique_ptr<hal::Button> button, Log& log) : button_(std::move(button)), log_(log) {}
  /// Call this about ten times a second. Returns true once for each long press. After a read error it logs a warning
  /// and does not read the button again.
  [[nodiscard]] bool long_pressed(MonotonicTime now);

 private:
  std::unique_ptr<hal::Button> button_;
  hal::LongPress press_;
  Log& log_;
};

}  // namespace sealcam::camera
