// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <utility>

#include "base/result.hpp"

namespace sealcam {

static std::chrono::nanoseconds read_clock(clockid_t id) {
  timespec t{};
  SC_ASSERT(::clock_gettime(id, &t) == 0);
  return std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec);
}

MonotonicTime SystemClock::monotonic() const { return {read_clock(CLOCK_MONOTONIC)}; }

BootTime SystemClock::boot() const { return {read_clock(CLOCK_BOOTTIME)}; }

CaptureTime SystemClock::wall() const {
  return {std::chrono::duration_cast<std::chrono::microseconds>(read_clock(CLOCK_REALTIME))};
}

bool is_plausible(CaptureTime now) noexcept {
  using namespace std::chrono;
  constexpr auto first = sys_days(year(2025) / 1 / 1), last = sys_days(year(2125) / 1 / 1);
  const auto today = sys_days(floor<days>(now.since_epoch));
  return today >= first && today < last;
}

CaptureTime to_capture_time(MonotonicTime moment, const Clock& clock) {
  const auto age = clock.monotonic() - moment;
  return {clock.wall().since_epoch - std::chrono::duration_cast<std::chrono::microseconds>(age)};
}

std::chrono::microseconds Timeline::next(CaptureTime captured, BootTime received) {
  using std::chrono::microseconds;
  if (!std::exchange(first_, false)) {
    auto step = std::chrono::duration_cast<microseconds>(received - received_);
    if (captured > captured_) {
      // Unsigned, because the difference of two times of a camera may exceed 63 bits.
      const auto ahead = static_cast<std::uint64_t>(captured.since_epoch.count()) -
                         static_cast<std::uint64_t>(captured_.since_epoch.count());
      if (ahead <= static_cast<std::uint64_t>(microseconds(max_gap).count()))
        step = microseconds(static_cast<std::int64_t>(ahead));
    }
    // At least a millisecond, so that players and the clock of the file distinguish two pictures.
    now_ += std::max<microseconds>(step, std::chrono::milliseconds(1));
  }
  captured_ = captured;
  received_ = received;
  return now_;
}

}  // namespace sealcam
