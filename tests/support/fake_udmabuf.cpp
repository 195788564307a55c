// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD that lets libcamera's virtual cameras run where they otherwise cannot. libcamera looks for
/// their configuration only where it was installed, and wants buffers from /dev/udmabuf:
/// - $SEALCAM_VIRTUAL_YAML is shown in place of …/pipeline/virtual/virtual.yaml;
/// - where the kernel gives no /dev/udmabuf, a stand-in gives the memory file itself in place of a DMA buffer over it.
/// Everything libcamera and Sealcam do with it is the same but DMA_BUF_IOCTL_SYNC, which memory files do not know.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr const char* stand_in = "no udmabuf";

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const char* shown(const char* path) {
  const char* const yaml = ::getenv("SEALCAM_VIRTUAL_YAML");
  return yaml != nullptr && std::string_view(path).ends_with("/pipeline/virtual/virtual.yaml") ? yaml : path;
}

int open_it(const char* name, const char* path, int flags, unsigned mode) {
  const int fd = real<int(const char*, int, ...)>(name)(shown(path), flags, mode);
  if (fd >= 0 || std::string_view(path) != "/dev/udmabuf") return fd;
  return ::memfd_create(stand_in, MFD_CLOEXEC);
}

bool is_stand_in(int fd) {
  std::array<char, 64> target{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto length = ::readlink(link.c_str(), target.data(), target.size());
  return length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)).contains(stand_in);
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_it("open", path, flags, mode);
}

[[gnu::visibility("default")]] int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_it("open64", path, flags, mode);
}

[[gnu::visibility("default")]] int stat64(const char* path, struct stat64* out) noexcept {
  return real<int(const char*, struct stat64*)>("stat64")(shown(path), out);
}

[[gnu::visibility("default")]] int access(const char* path, int how) noexcept {
  return real<int(const char*, int)>("access")(shown(path), how);
}

[[gnu::visibility("default")]] int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (request == UDMABUF_CREATE && is_stand_in(fd))
    return ::fcntl(static_cast<int>(static_cast<const udmabuf_create*>(argument)->memfd), F_DUPFD_CLOEXEC, 0);
  return real<int(int, unsigned long, ...)>("ioctl")(fd, request, argument);
}

}  // extern "C"
