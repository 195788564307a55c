// SPDX-License-Identifier: Apache-2.0
/// The system calls of a V4L2 device, which tests replace with a scripted device, and its controls by the names of
/// frame_source.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "hal/frame_source.hpp"

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

/// The V4L2 controls of one name. An id of 0 means that the driver does not have it.
struct ControlMap {
  Control control;
  std::uint32_t value_id = 0;      ///< has the value
  std::uint32_t automatic_id = 0;  ///< switches to automatic
  std::int32_t automatic_on = 1, automatic_off = 0;
  double factor = 1;  ///< one driver step in our unit
};

/// Drivers keep these settings after the device is closed. The device must outlive this object. Thread-bound.
class V4l2Controls final : public SourceControls {
 public:
  /// `rate`: of the source; the list has it as a read-only control.
  V4l2Controls(V4l2Device& device, double rate);

 private:
  std::vector<ControlInfo> do_list() override;
  Result<> do_set(const Setting& setting) override;
  [[nodiscard]] ControlInfo describe(const ControlMap& map) const;
  void read_now(const ControlMap& map, ControlInfo& info);
  Result<> write(std::uint32_t id, std::int32_t value);

  V4l2Device& device_;
  std::vector<ControlMap> maps_;
  std::vector<ControlInfo> known_;  // what each of maps_ can be; frame_rate at the end
};

}  // namespace sealcam::hal::v4l2
