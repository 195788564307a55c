// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD: the wall clock of one process is wrong by $SEALCAM_CLOCK_SHIFT seconds. What counts on
/// the monotonic clock, and what the kernel itself dates (files), stays right.
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>

namespace {

time_t shift() {
  static const time_t seconds = [] {
    const char* const text = std::getenv("SEALCAM_CLOCK_SHIFT");
    return text == nullptr ? time_t{0} : static_cast<time_t>(std::strtoll(text, nullptr, 10));
  }();
  return seconds;
}

int read(clockid_t id, timespec* out) {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, id, out));
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) out->tv_sec += shift();
  return result;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t id, timespec* out) noexcept { return read(id, out); }

int gettimeofday(timeval* out, void*) noexcept {
  timespec now{};
  if (read(CLOCK_REALTIME, &now) != 0) return -1;
  *out = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  (void)read(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

int timespec_get(timespec* out, int base) noexcept {
  return base == TIME_UTC && read(CLOCK_REALTIME, out) == 0 ? base : 0;
}

}  // extern "C"
