// SPDX-License-Identifier: Apache-2.0
#include "camera/usage.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace sealcam::camera {

static std::uint64_t resident_kib() noexcept {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/self/statm", "re"), &std::fclose);
  unsigned long total = 0, resident = 0;
  if (!file || std::fscanf(file.get(), "%lu %lu", &total, &resident) != 2) return 0;
  return std::uint64_t{resident} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

static std::chrono::microseconds duration(const timeval& t) noexcept {
  return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
}

Usage usage() noexcept {
  rusage all{};
  if (::getrusage(RUSAGE_SELF, &all) != 0) return {};
  return {duration(all.ru_utime) + duration(all.ru_stime), resident_kib(), static_cast<std::uint64_t>(all.ru_maxrss)};
}

}  // namespace sealcam::camera
