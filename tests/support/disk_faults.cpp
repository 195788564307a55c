// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD that makes the disk of one folder fail while a program runs.
///
/// $SEALCAM_DISK: the folder. $SEALCAM_DISK_FAULT: a file whose first letter is the fault; without it, the disk works:
///   f  full: what needs space fails with ENOSPC
///   r  read-only: what changes files fails with EROFS
///   s  slow: each write and fdatasync takes 200 ms more
///   g  gone: every operation fails with EIO
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

using Open = int(const char*, int, ...);
Open* real_open() {
  static auto* const function = next<Open>("open");
  return function;
}

char fault() {
  const char* const path = std::getenv("SEALCAM_DISK_FAULT");
  const int file = path == nullptr ? -1 : real_open()(path, O_RDONLY | O_CLOEXEC);
  char letter = 0;
  if (file < 0) return letter;
  if (::read(file, &letter, 1) != 1) letter = 0;
  ::close(file);
  return letter;
}

bool on_disk(std::string_view path) {
  const char* const folder = std::getenv("SEALCAM_DISK");
  return folder != nullptr && path.starts_with(folder);
}

bool on_disk(int fd) {
  std::array<char, 4096> path{};
  std::array<char, 64> link{};
  (void)std::snprintf(link.data(), link.size(), "/proc/self/fd/%d", fd);
  const auto size = ::readlink(link.data(), path.data(), path.size());
  return size > 0 && on_disk(std::string_view(path.data(), static_cast<std::size_t>(size)));
}

/// Whether the operation fails; sets errno.
bool fails(bool changes) {
  switch (fault()) {
    case 'f': errno = ENOSPC; return changes;
    case 'r': errno = EROFS; return changes;
    case 'g': errno = EIO; return true;
    case 's': ::usleep(changes ? 200'000 : 0); return false;
    default: return false;
  }
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (on_disk(path) && fails((flags & (O_CREAT | O_WRONLY | O_RDWR)) != 0)) return -1;
  return real_open()(path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  return on_disk(fd) && fails(true) ? -1 : real(fd, data, size);
}

int fdatasync(int fd) {
  static auto* const real = next<int(int)>("fdatasync");
  return on_disk(fd) && fails(true) ? -1 : real(fd);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  return on_disk(path) && fails(true) ? -1 : real(path, mode);
}

}  // extern "C"
