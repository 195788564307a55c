// SPDX-License-Identifier: Apache-2.0
#include "hal/board/log_control.hpp"

#include <utility>

namespace sealcam::hal::board {

LogControl::~LogControl() { show(false); }

void LogControl::show(bool on) {
  if (std::exchange(active_, on) != on) log_.info("activity: the sensor is {}", on ? "on" : "off");
}

Result<> LogControl::do_set_activity(bool on) {
  show(on);
  return {};
}

Result<> LogControl::do_set_identify(bool on) {
  log_.info("activity: {}", on ? "this is the board somebody looks for" : "nobody looks for this board any more");
  return {};
}

std::string LogControl::do_describe() const { return "lines in the log"; }

}  // namespace sealcam::hal::board
