// SPDX-License-Identifier: Apache-2.0
#include "camera/board_parts.hpp"

#include "hal/board/board_data.hpp"
#include "hal/board/led_control.hpp"
#include "hal/gpio/gpio_button.hpp"

namespace sealcam::camera {

namespace board = hal::board;

std::unique_ptr<hal::BoardControl> open_activity_light(const board::SystemView& system, Log& log) {
  auto fallback = std::make_unique<board::LogControl>(log);
  const auto model = board::this_model(system);
  if (!model) {
    log.warning("the log replaces the activity light: {}", model.error());
    return fallback;
  }
  if (!model->led) {
    log.info("the log replaces the activity light: {}: {}", model->name, model->led.error().why);
    return fallback;
  }
  auto led = board::LedControl::open(system.real(model->led->path));
  if (!led) {
    log.warning("the log replaces the activity light: {}: {}; sealcam-camera --doctor shows the next step",
                model->led->path.string(), to_string(led.error()));
    return fallback;
  }
  log.info("activity light: {} of {}", (*led)->describe(), model->name);
  return std::move(*led);
}

std::unique_ptr<hal::Button> open_reset_button(const board::SystemView& system, Log& log) {
  const auto model = board::this_model(system);
  if (!model) {
    log.warning("no reset button: {}", model.error());
    return nullptr;
  }
  if (!model->button) {
    log.info("no reset button: {}", model->button.error().why);
    return nullptr;
  }
  const auto& [chip, line, active_low] = *model->button;
  auto button = hal::gpio::GpioButton::open(
      {.chip = system.real(chip), .line = static_cast<unsigned>(line), .active_low = active_low});
  if (!button) {
    log.warning("no reset button: line {} of {}: {}; sealcam-camera --doctor shows the next step", line, chip.string(),
                to_string(button.error()));
    return nullptr;
  }
  log.info("reset button: {}, hold it for 5 s", (*button)->describe());
  return std::move(*button);
}

std::optional<hal::EncoderLimits> encoder_limits(const board::SystemView& system) {
  const auto model = board::this_model(system);
  if (!model || !model->encoder) return std::nullopt;
  const board::Encoder& encoder = *model->encoder;
  return hal::EncoderLimits{
      .min_side = encoder.min_side,
      .max_side = encoder.max_side,
      .min_bitrate = encoder.min_bitrate,
      .max_bitrate = encoder.max_bitrate,
      .max_unit_above_720p = static_cast<std::size_t>(encoder.buffer_kib_above_720p) * 1024,
  };
}

bool ResetButton::long_pressed(MonotonicTime now) {
  if (!button_) return false;
  const auto pressed = button_->pressed();
  if (pressed) return press_.feed(*pressed, now);
  log_.warning("the reset button {} does not work any more: {}", button_->describe(), to_string(pressed.error()));
  button_.reset();
  return false;
}

}  // namespace sealcam::camera
