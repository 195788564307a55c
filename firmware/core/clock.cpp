// SPDX-License-Identifier: Apache-2.0
#include "core/clock.hpp"

#include <ctime>

namespace sealcam {

static std::chrono::nanoseconds read_clock(clockid_t id) {
  timespec t{};
  ::clock_gettime(id, &t);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

MonotonicTime SystemClock::monotonic() const { return {read_clock(CLOCK_MONOTONIC)}; }

CaptureTime SystemClock::wall() const {
  return {std::chrono::duration_cast<std::chrono::microseconds>(read_clock(CLOCK_REALTIME))};
}

CaptureTime to_capture_time(MonotonicTime moment, const Clock& clock) {
  const auto age = clock.monotonic() - moment;
  return {clock.wall().since_epoch - std::chrono::duration_cast<std::chrono::microseconds>(age)};
}

}  // namespace sealcam
