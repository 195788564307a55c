// SPDX-License-Identifier: Apache-2.0
#include "support/storage_faults.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>

namespace sealcam::test {

namespace {

struct State {
  StorageFault fault = StorageFault::none;
  std::size_t nth = 0;
  std::size_t count = 0;
  bool armed = false;
  std::set<std::string> unsynced;  // paths of files with data after the last fsync
};
State& state() {
  static State instance;
  return instance;
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd) {
  std::array<char, 4096> buffer{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto n = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
}

bool is_file(int fd) {
  struct stat info{};
  return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/// The absolute path of a name that may be relative to the working folder.
std::string absolute(const char* path) {
  if (path[0] == '/') return path;
  std::array<char, 4096> buffer{};
  return ::getcwd(buffer.data(), buffer.size()) != nullptr ? std::string(buffer.data()) + "/" + path : path;
}

[[noreturn]] void die(bool lose) {
  state().armed = false;
  if (lose)
    for (const auto& path : state().unsynced) (void)!::truncate(path.c_str(), 0);
  ::kill(::getpid(), SIGKILL);
  for (;;) ::pause();
}

enum class Act { go, fail, half, half_and_die };

/// Decides whether the next operation fails.
Act next_operation(bool needs_room, bool is_write) {
  State& s = state();
  if (!s.armed) return Act::go;
  const bool full = s.fault == StorageFault::disk_full || s.fault == StorageFault::stays_full;
  if (full && !needs_room) return Act::go;
  ++s.count;
  if (s.fault == StorageFault::stays_full ? s.count < s.nth : s.count != s.nth) return Act::go;
  switch (s.fault) {
    case StorageFault::none: return Act::go;
    case StorageFault::kill: die(false);
    case StorageFault::power_cut: die(true);
    case StorageFault::torn:
      if (is_write) return Act::half_and_die;
      die(true);
    case StorageFault::io_error: errno = EIO; return Act::fail;
    case StorageFault::disk_full: errno = ENOSPC; return is_write ? Act::half : Act::fail;
    case StorageFault::stays_full: errno = ENOSPC; return Act::fail;
  }
  return Act::go;
}

/// Whether `size` bytes at the file's position need blocks that the file does not have. Only for stays_full; the other
/// faults strike every write.
bool needs_blocks(int fd, std::size_t size) {
  if (state().fault != StorageFault::stays_full) return true;
  struct stat info{};
  const off_t at = ::lseek(fd, 0, SEEK_CUR);
  return ::fstat(fd, &info) != 0 ||
         static_cast<std::uint64_t>(info.st_blocks) * 512 < static_cast<std::uint64_t>(at) + size;
}

bool needs_entry(const char* path) { return state().fault != StorageFault::stays_full || ::access(path, F_OK) != 0; }

void note_written(int fd) {
  if (state().armed) state().unsynced.insert(path_of(fd));
}

}  // namespace

void arm_storage(StorageFault fault, std::size_t nth) { state() = {fault, nth, 0, true, {}}; }
std::size_t storage_operations() { return state().count; }

}  // namespace sealcam::test

using namespace sealcam::test;  // NOLINT(google-build-using-namespace): the C library's names stand outside

extern "C" {

int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if ((flags & O_CREAT) != 0 && next_operation(needs_entry(path), false) != Act::go) return -1;
  return real(path, flags, mode);
}

ssize_t write(int fd, const void* data, size_t size) {
  static auto* const real = next<ssize_t(int, const void*, size_t)>("write");
  if (!state().armed || !is_file(fd)) return real(fd, data, size);
  const Act act = next_operation(needs_blocks(fd, size), true);
  if (act == Act::fail) return -1;
  if (act == Act::half) {
    // A full disk accepts a part of the data. The next call fails.
    state().nth = state().count + 1;
    if (size < 2) return errno = ENOSPC, -1;
    size /= 2;
  }
  if (act == Act::half_and_die) {
    (void)!real(fd, data, size / 2);
    die(true);
  }
  const auto n = real(fd, data, size);
  note_written(fd);
  return n;
}

int fsync(int fd) {
  if (next_operation(false, false) != Act::go) return -1;
  if (state().armed && is_file(fd)) state().unsynced.erase(path_of(fd));
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const real = next<int(const char*, const char*)>("rename");
  // A folder has room for a new name of an existing file.
  if (next_operation(state().fault != StorageFault::stays_full, false) != Act::go) return -1;
  const int r = real(from, to);
  if (r == 0 && state().armed) {
    state().unsynced.erase(absolute(to));
    if (state().unsynced.erase(absolute(from)) > 0) state().unsynced.insert(absolute(to));
  }
  return r;
}

/// Only for RENAME_EXCHANGE.
int renameat2(int, const char* from, int, const char* to, unsigned flags) noexcept {
  static auto* const real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  if (next_operation(state().fault != StorageFault::stays_full, false) != Act::go) return -1;
  const int r = real(AT_FDCWD, from, AT_FDCWD, to, flags);
  if (r != 0 || !state().armed) return r;
  const bool first = state().unsynced.erase(absolute(from)) > 0;
  const bool second = state().unsynced.erase(absolute(to)) > 0;
  if (first) state().unsynced.insert(absolute(to));
  if (second) state().unsynced.insert(absolute(from));
  return r;
}

int ftruncate(int fd, off_t size) noexcept {
  static auto* const real = next<int(int, off_t)>("ftruncate");
  if (next_operation(false, false) != Act::go) return -1;
  const int r = real(fd, size);
  note_written(fd);
  return r;
}

int fallocate(int fd, int mode, off_t offset, off_t size) {
  static auto* const real = next<int(int, int, off_t, off_t)>("fallocate");
  if (next_operation(true, false) != Act::go) return -1;
  return real(fd, mode, offset, size);
}

int unlink(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("unlink");
  if (next_operation(false, false) != Act::go) return -1;
  return real(path);
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  static auto* const real = next<int(int, const char*, int)>("unlinkat");
  if (next_operation(false, false) != Act::go) return -1;
  return real(folder, path, flags);
}

int rmdir(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("rmdir");
  if (next_operation(false, false) != Act::go) return -1;
  return real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(const char*, mode_t)>("mkdir");
  if (next_operation(true, false) != Act::go) return -1;
  return real(path, mode);
}

int chmod(const char* path, mode_t mode) noexcept {
  static auto* const real = next<int(const char*, mode_t)>("chmod");
  if (next_operation(false, false) != Act::go) return -1;
  return real(path, mode);
}

int remove(const char* path) noexcept {
  static auto* const real = next<int(const char*)>("remove");
  if (next_operation(false, false) != Act::go) return -1;
  return real(path);
}

FILE* fopen(const char* path, const char* mode) {
  static auto* const real = next<FILE*(const char*, const char*)>("fopen");
  if (mode[0] != 'r' && next_operation(true, false) != Act::go) return nullptr;
  return real(path, mode);
}

size_t fwrite(const void* data, size_t size, size_t items, FILE* stream) {
  static auto* const real = next<size_t(const void*, size_t, size_t, FILE*)>("fwrite");
  if (!state().armed || !is_file(::fileno(stream))) return real(data, size, items, stream);
  const Act act = next_operation(true, true);
  if (act == Act::fail) return 0;
  if (act == Act::half) return real(data, size, items / 2, stream);
  const auto n = real(data, size, act == Act::half_and_die ? items / 2 : items, stream);
  note_written(::fileno(stream));
  if (act == Act::half_and_die) {
    state().unsynced.erase(path_of(::fileno(stream)));
    ::fflush(stream);
    die(true);
  }
  return n;
}

}  // extern "C"
