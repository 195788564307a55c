// SPDX-License-Identifier: Apache-2.0
/// The system calls of a V4L2 device. Tests replace them with a scripted device.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace sealcam::hal::v4l2 {

/// One open device. Thread-bound.
class V4l2Device {
 public:
  virtual ~V4l2Device() = default;

  /// ioctl(2) with a request of linux/videodev2.h and its structure. Returns 0 or a positive errno, also EINTR.
  [[nodiscard]] int control(unsigned long request, void* argument) { return do_control(request, argument); }
  enum class Wait { ready, timeout, interrupted, fault };
  /// poll(2) for a picture. fault: the driver reports an error or is gone; DQBUF tells which.
  [[nodiscard]] Wait wait(std::chrono::milliseconds timeout) { return do_wait(timeout); }
  /// mmap(2), shared. Returns null on failure.
  [[nodiscard]] const std::byte* map(std::size_t length, std::int64_t offset) { return do_map(length, offset); }
  void unmap(const std::byte* start, std::size_t length) { do_unmap(start, length); }

 private:
  virtual int do_control(unsigned long request, void* argument) = 0;
  virtual Wait do_wait(std::chrono::milliseconds timeout) = 0;
  virtual const std::byte* do_map(std::size_t length, std::int64_t offset) = 0;
  virtual void do_unmap(const std::byte* start, std::size_t length) = 0;
};

using DeviceOpener = std::function<Result<std::unique_ptr<V4l2Device>>(const std::string& path)>;

/// Opens a node with libv4l2 and its plugins, but without its format conversion (README.md).
/// Errors: not_found, permission, device_lost (unplugged), unsupported (not a V4L2 device), io.
[[nodiscard]] Result<std::unique_ptr<V4l2Device>> open_device(const std::string& path);

/// Repeats a request while signals interrupt it. Returns 0 or errno.
[[nodiscard]] int request(V4l2Device& device, unsigned long request, void* argument);

/// The Errc for an errno of this device.
[[nodiscard]] Errc to_errc(int native) noexcept;

}  // namespace sealcam::hal::v4l2
