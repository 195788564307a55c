// SPDX-License-Identifier: Apache-2.0
#include "camera/activity_light.hpp"

#include "camera/running_board.hpp"
#include "hal/board/led_control.hpp"
#include "hal/board/log_control.hpp"

namespace sealcam::camera {

namespace board = hal::board;

std::unique_ptr<hal::BoardControl> open_activity_light(const board::SystemView& system, Log& log) {
  auto lines = std::make_unique<board::LogControl>(log);
  const auto model = running_board(system);
  if (!model) {
    log.warning("activity light: lines in the log; {}", model.error());
    return lines;
  }
  if (!model->led) {
    log.info("activity light: lines in the log; {}: {}", model->name, model->led.error().why);
    return lines;
  }
  auto led = board::LedControl::open(system.real(model->led->path));
  if (!led) {
    log.warning("activity light: lines in the log; {}: {}; sealcam-camera --doctor says what to do",
                model->led->path.string(), to_string(led.error()));
    return lines;
  }
  log.info("activity light: {} of {}", (*led)->describe(), model->name);
  return std::move(*led);
}

}  // namespace sealcam::camera
