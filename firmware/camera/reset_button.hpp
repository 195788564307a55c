// SPDX-License-Identifier: Apache-2.0
/// The button that resets the camera when it is held for five seconds.
#pragma once

#include <memory>

#include "core/log.hpp"
#include "hal/board/system_view.hpp"
#include "hal/button.hpp"

namespace sealcam::camera {

/// By the board's data; null where there is none or it cannot be used: the log says why.
[[nodiscard]] std::unique_ptr<hal::Button> open_reset_button(const hal::board::SystemView& system, Log& log);

/// Asked ten times a second or so. Thread-bound.
class ResetButton {
 public:
  ResetButton(std::unique_ptr<hal::Button> button, Log& log) : button_(std::move(button)), log_(log) {}
  /// True once for each long press. A button that cannot be read is given up, with a line in the log.
  [[nodiscard]] bool long_pressed(MonotonicTime now);

 private:
  std::unique_ptr<hal::Button> button_;
  hal::LongPress press_;
  Log& log_;
};

}  // namespace sealcam::camera
