// SPDX-License-Identifier: Apache-2.0
/// A library for LD_PRELOAD with which libcamera's virtual cameras run without installation and without /dev/udmabuf.
/// - libcamera opens $SEALCAM_VIRTUAL_YAML instead of …/pipeline/virtual/virtual.yaml in its installation folder.
/// - If /dev/udmabuf cannot be opened, a substitute returns the memory file itself instead of a DMA buffer over it.
/// The only difference for libcamera and Sealcam: DMA_BUF_IOCTL_SYNC fails, because memory files do not support it.
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

constexpr const char* substitute = "no udmabuf";

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

const char* redirected(const char* path) {
  const char* const yaml = ::getenv("SEALCAM_VIRTUAL_YAML");
  return yaml != nullptr && std::string_view(path).ends_with("/pipeline/virtual/virtual.yaml") ? yaml : path;
}

int open_redirected(const char* name, const char* path, int flags, unsigned mode) {
  const int fd = real<int(const char*, int, ...)>(name)(redirected(path), flags, mode);
  if (fd >= 0 || std::string_view(path) != "/dev/udmabuf") return fd;
  return ::memfd_create(substitute, MFD_CLOEXEC);
}

bool is_substitute(int fd) {
  std::array<char, 64> target{};
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  const auto length = ::readlink(link.c_str(), target.data(), target.size());
  return length > 0 && std::string_view(target.data(), static_cast<std::size_t>(length)).contains(substitute);
}

}  // namespace

extern "C" {

[[gnu::visibility("default")]] int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_redirected("open", path, flags, mode);
}

[[gnu::visibility("default")]] int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const unsigned mode = va_arg(more, unsigned);
  va_end(more);
  return open_redirected("open64", path, flags, mode);
}

[[gnu::visibility("default")]] int stat64(const char* path, struct stat64* out) noexcept {
  return real<int(const char*, struct stat64*)>("stat64")(redirected(path), out);
}

[[gnu::visibility("default")]] int access(const char* path, int how) noexcept {
  return real<int(const char*, int)>("access")(redirected(path), how);
}

[[gnu::visibility("default")]] int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list more;
  va_start(more, request);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (request == UDMABUF_CREATE && is_substitute(fd))
    return ::fcntl(static_cast<int>(static_cast<const udmabuf_create*>(argument)->memfd), F_DUPFD_CLOEXEC, 0);
  return real<int(int, unsigned long, ...)>("ioctl")(fd, request, argument);
}

}  // extern "C"
