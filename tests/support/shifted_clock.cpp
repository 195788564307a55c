// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD that shifts clocks of one process.
///
/// $SEALCAM_CLOCK_SHIFT: seconds by which the wall clock is shifted from the start.
/// $SEALCAM_CLOCK_FILE: a file of two 64-bit integers of this machine: nanoseconds that are added to the boot-time
/// clock, and to the wall clock. A change takes effect in the process at once. A test that stops the process, adds a
/// time to both and continues the process emulates a sleep of the machine.
///
/// The monotonic clock and the timestamps of files, which the kernel sets, do not change.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr std::int64_t second = 1'000'000'000;

struct Shifts {
  std::int64_t boot = 0;
  std::int64_t wall = 0;
};

const volatile Shifts* map_file() {
  static const Shifts none;
  const char* const path = std::getenv("SEALCAM_CLOCK_FILE");
  if (path == nullptr) return &none;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  void* const mapped = file < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(Shifts), PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) std::abort();  // a test must not run without its clock
  ::close(file);
  return static_cast<const volatile Shifts*>(mapped);
}

std::int64_t start_shift() {
  const char* const text = std::getenv("SEALCAM_CLOCK_SHIFT");
  return text == nullptr ? 0 : std::strtoll(text, nullptr, 10) * second;
}

std::int64_t shift(clockid_t id) {
  static const std::int64_t start = start_shift();
  static const volatile Shifts* const file = map_file();
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return start + file->wall;
    case CLOCK_BOOTTIME: return file->boot;
    default: return 0;
  }
}

int read(clockid_t id, timespec* out) {
  const auto result = static_cast<int>(::syscall(SYS_clock_gettime, id, out));
  if (result != 0) return result;
  const auto nanoseconds = out->tv_nsec + shift(id) % second;
  out->tv_sec += shift(id) / second + (nanoseconds >= second ? 1 : nanoseconds < 0 ? -1 : 0);
  out->tv_nsec = (nanoseconds + second) % second;
  return 0;
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
