// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/device.hpp"

#include <fcntl.h>
#include <libv4l2.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <optional>
#include <span>

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

namespace {

/// Candidates for each name, best first.
constexpr std::array candidates = {
    // EXPOSURE_ABSOLUTE counts in 100 us. V4L2_CID_EXPOSURE has no unit, so it is not used.
    ControlMap{Control::exposure, V4L2_CID_EXPOSURE_ABSOLUTE, V4L2_CID_EXPOSURE_AUTO, V4L2_EXPOSURE_AUTO,
               V4L2_EXPOSURE_MANUAL, 100},
    ControlMap{Control::gain, V4L2_CID_GAIN, V4L2_CID_AUTOGAIN},
    ControlMap{Control::gain, V4L2_CID_ANALOGUE_GAIN, V4L2_CID_AUTOGAIN},
    ControlMap{Control::white_balance, V4L2_CID_WHITE_BALANCE_TEMPERATURE, V4L2_CID_AUTO_WHITE_BALANCE},
    ControlMap{Control::white_balance, 0, V4L2_CID_AUTO_N_PRESET_WHITE_BALANCE, V4L2_WHITE_BALANCE_AUTO,
               V4L2_WHITE_BALANCE_MANUAL},
    ControlMap{Control::focus, V4L2_CID_FOCUS_ABSOLUTE, V4L2_CID_FOCUS_AUTO},
    ControlMap{Control::hflip, V4L2_CID_HFLIP},
    ControlMap{Control::vflip, V4L2_CID_VFLIP},
    ControlMap{Control::bitrate, V4L2_CID_MPEG_VIDEO_BITRATE},
    ControlMap{Control::keyframe_interval, V4L2_CID_MPEG_VIDEO_H264_I_PERIOD},
    ControlMap{Control::keyframe_interval, V4L2_CID_MPEG_VIDEO_GOP_SIZE},
    ControlMap{Control::keyframe, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME},
};

std::optional<v4l2_queryctrl> query(V4l2Device& device, std::uint32_t id) {
  v4l2_queryctrl q{};
  q.id = id;
  if (id == 0 || request(device, VIDIOC_QUERYCTRL, &q) != 0 || (q.flags & V4L2_CTRL_FLAG_DISABLED) != 0)
    return std::nullopt;
  return q;
}

bool has_item(V4l2Device& device, std::uint32_t id, std::int32_t index) {
  v4l2_querymenu item{};
  item.id = id;
  item.index = static_cast<std::uint32_t>(index);
  return request(device, VIDIOC_QUERYMENU, &item) == 0;
}

/// Removes the ids that this driver does not have.
std::optional<ControlMap> fitted(V4l2Device& device, ControlMap map) {
  const auto value = query(device, map.value_id);
  const auto automatic = query(device, map.automatic_id);
  if (!value) map.value_id = 0;
  if (!automatic) map.automatic_id = 0;
  if (automatic && automatic->type == V4L2_CTRL_TYPE_MENU && !has_item(device, map.automatic_id, map.automatic_on)) {
    // Webcams use "aperture priority" for automatic exposure.
    map.automatic_on = V4L2_EXPOSURE_APERTURE_PRIORITY;
    if (map.control != Control::exposure || !has_item(device, map.automatic_id, map.automatic_on)) map.automatic_id = 0;
  }
  if (map.value_id == 0 && map.automatic_id == 0) return std::nullopt;
  return map;
}

ControlKind kind_of(Control control) noexcept {
  if (control == Control::hflip || control == Control::vflip) return ControlKind::toggle;
  return control == Control::keyframe ? ControlKind::action : ControlKind::number;
}

}  // namespace

V4l2Controls::V4l2Controls(V4l2Device& device, double rate) : device_(device) {
  for (const ControlMap& candidate : candidates) {
    if (std::ranges::contains(maps_, candidate.control, &ControlMap::control)) continue;
    if (const auto map = fitted(device_, candidate)) {
      maps_.push_back(*map);
      known_.push_back(describe(*map));
    }
  }
  if (rate > 0) {
    const ControlValue now{.value = rate};
    known_.push_back({Control::frame_rate, ControlKind::number, rate, rate, 0, false, true, now, now});
  }
}

ControlInfo V4l2Controls::describe(const ControlMap& map) const {
  ControlInfo info{.control = map.control, .kind = kind_of(map.control)};
  if (const auto value = query(device_, map.value_id)) {
    info.min = value->minimum * map.factor;
    info.max = value->maximum * map.factor;
    info.step = value->step * map.factor;
    info.default_value.value = value->default_value * map.factor;
    info.read_only = (value->flags & V4L2_CTRL_FLAG_READ_ONLY) != 0;
  }
  if (const auto automatic = query(device_, map.automatic_id)) {
    info.can_be_automatic = (automatic->flags & V4L2_CTRL_FLAG_READ_ONLY) == 0;
    info.default_value.automatic = automatic->default_value == map.automatic_on;
  }
  return info;
}

void V4l2Controls::read_now(const ControlMap& map, ControlInfo& info) {
  const auto read = [this](std::uint32_t id) -> std::optional<std::int32_t> {
    v4l2_control c{.id = id, .value = 0};
    if (id == 0 || request(device_, VIDIOC_G_CTRL, &c) != 0) return std::nullopt;
    return c.value;
  };
  info.value = info.default_value;
  if (map.control == Control::keyframe) return;
  if (const auto value = read(map.value_id)) info.value.value = *value * map.factor;
  if (const auto automatic = read(map.automatic_id)) info.value.automatic = *automatic == map.automatic_on;
}

std::vector<ControlInfo> V4l2Controls::do_list() {
  std::vector<ControlInfo> list = known_;
  for (std::size_t i = 0; i < maps_.size(); ++i) read_now(maps_[i], list[i]);
  std::ranges::stable_sort(list, {}, &ControlInfo::control);
  return list;
}

Result<> V4l2Controls::write(std::uint32_t id, std::int32_t value) {
  v4l2_control c{.id = id, .value = value};
  const int native = request(device_, VIDIOC_S_CTRL, &c);
  if (native == 0) return {};
  return fail(to_errc(native), "the driver rejects this value", native);
}

Result<> V4l2Controls::do_set(const Setting& setting) {
  if (auto good = check_setting(known_, setting); !good) return good;
  const ControlMap& map = *std::ranges::find(maps_, setting.control, &ControlMap::control);
  if (setting.value.automatic) return write(map.automatic_id, map.automatic_on);
  // A value has an effect only while automatic is off.
  if (map.automatic_id != 0) {
    if (auto off = write(map.automatic_id, map.automatic_off); !off) return off;
  }
  return write(map.value_id, static_cast<std::int32_t>(std::lround(setting.value.value / map.factor)));
}

}  // namespace sealcam::hal::v4l2
