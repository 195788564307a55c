// SPDX-License-Identifier: Apache-2.0
#include "camera/reset_button.hpp"

#include "camera/running_board.hpp"
#include "hal/gpio/gpio_button.hpp"

namespace sealcam::camera {

std::unique_ptr<hal::Button> open_reset_button(const hal::board::SystemView& system, Log& log) {
  const auto model = running_board(system);
  if (!model) {
    log.warning("no reset button: {}", model.error());
    return nullptr;
  }
  if (!model->button) {
    log.info("no reset button: {}", model->button.error().why);
    return nullptr;
  }
  const auto& where = *model->button;
  auto button = hal::gpio::GpioButton::open(
      {.chip = system.real(where.chip), .line = static_cast<unsigned>(where.line), .active_low = where.active_low});
  if (!button) {
    log.warning("no reset button: line {} of {}: {}; sealcam-camera --doctor says what to do", where.line,
                where.chip.string(), to_string(button.error()));
    return nullptr;
  }
  log.info("reset button: {}, held for 5 s", (*button)->describe());
  return std::move(*button);
}

bool ResetButton::long_pressed(MonotonicTime now) {
  if (!button_) return false;
  const auto pressed = button_->pressed();
  if (pressed) return press_.feed(*pressed, now);
  log_.warning("the reset button ({}) is not looked at any more: {}", button_->describe(), to_string(pressed.error()));
  button_.reset();
  return false;
}

}  // namespace sealcam::camera
