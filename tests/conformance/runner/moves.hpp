// SPDX-License-Identifier: Apache-2.0
/// The events that move the clocks of the device under test.
#pragma once

#include <functional>

#include "base/testing/fakes.hpp"
#include "conformance/runner/case.hpp"

namespace sealcam::conformance {

/// Returns false if the event is another one. Calls `tick` after each move. Throws an exception for an unknown clock.
inline bool move_clock(FakeClock& clock, const Json& event, const std::function<void()>& tick) {
  using std::chrono::milliseconds;
  const std::string what = event.at("do");
  if (what != "run" && what != "suspend" && what != "step") return false;
  const milliseconds by(event.at("ms").get<std::int64_t>());
  if (what == "run") {
    constexpr milliseconds interval(100);
    for (auto left = by; left.count() > 0; left -= std::min(left, interval)) {
      clock.advance(std::min(left, interval));
      tick();
    }
    return true;
  }
  if (what == "suspend") {
    clock.suspend(by);
    tick();
    return true;
  }
  const std::string which = event.at("clock");
  if (which == "wall") clock.step_wall(by);
  else if (which == "boot") clock.step_boot(by);
  else if (which == "monotonic") clock.step_monotonic(by);
  else throw std::runtime_error("unknown clock '" + which + "'");
  tick();
  return true;
}

}  // namespace sealcam::conformance
