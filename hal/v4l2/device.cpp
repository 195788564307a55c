// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/device.hpp"

#include <fcntl.h>
#include <libv4l2.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace sealcam::hal::v4l2 {

namespace {

class Libv4l2Device final : public V4l2Device {
 public:
  Libv4l2Device(int fd, const v4l2_capability& capability) : fd_(fd), capability_(capability) {}
  ~Libv4l2Device() override { ::v4l2_close(fd_); }
  Libv4l2Device(const Libv4l2Device&) = delete;
  Libv4l2Device& operator=(const Libv4l2Device&) = delete;

 private:
  int do_control(unsigned long number, void* argument) override {
    if (number == VIDIOC_QUERYCAP) {
      // Returns the kernel's answer, because libv4l2 reports a multi-planar device as single-planar and hides the
      // formats with one buffer per plane.
      *static_cast<v4l2_capability*>(argument) = capability_;
      return 0;
    }
    return ::v4l2_ioctl(fd_, number, argument) < 0 ? errno : 0;
  }

  Wait do_wait(std::chrono::milliseconds timeout) override {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    const int n = ::poll(&p, 1, static_cast<int>(timeout.count()));
    if (n < 0) return errno == EINTR ? Wait::interrupted : Wait::fault;
    if (n == 0) return Wait::timeout;
    return (p.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 ? Wait::fault : Wait::ready;
  }

  const std::byte* do_map(std::size_t length, std::int64_t offset) override {
    // V4L2 requires drivers only to support a mapping for both reading and writing.
    void* start = ::v4l2_mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, offset);
    return start == MAP_FAILED ? nullptr : static_cast<const std::byte*>(start);
  }

  void do_unmap(const std::byte* start, std::size_t length) override {
    ::v4l2_munmap(const_cast<std::byte*>(start), length);
  }

  int fd_;
  v4l2_capability capability_;
};

}  // namespace

Errc to_errc(int native) noexcept {
  switch (native) {
    case ENOENT: return Errc::not_found;
    case EACCES:
    case EPERM: return Errc::permission;
    case ENODEV:
    case ENXIO:
    case EIO: return Errc::device_lost;
    case ENOMEM:
    case ENOBUFS: return Errc::no_memory;
    case ENOTTY: return Errc::unsupported;
    case ERANGE: return Errc::invalid_argument;
    default: return Errc::io;
  }
}

int request(V4l2Device& device, unsigned long number, void* argument) {
  int native = EINTR;
  while (native == EINTR) native = device.control(number, argument);
  return native;
}

Result<std::unique_ptr<V4l2Device>> open_device(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail(to_errc(errno), "opening a V4L2 device", errno);
  const auto reject = [fd](const char* what) {
    const int native = errno;
    ::close(fd);
    return fail(to_errc(native), what, native);
  };
  // libv4l2 writes a line to stderr for each unsuitable device, so check it here first.
  v4l2_capability capability{};
  int rc = -1;
  do rc = ::ioctl(fd, VIDIOC_QUERYCAP, &capability);
  while (rc < 0 && errno == EINTR);
  if (rc < 0) return reject("reading the V4L2 capabilities");
  if (::v4l2_fd_open(fd, V4L2_DISABLE_CONVERSION) < 0) return reject("libv4l2 rejects this device");
  return std::make_unique<Libv4l2Device>(fd, capability);
}

}  // namespace sealcam::hal::v4l2
