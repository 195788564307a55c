// SPDX-License-Identifier: Apache-2.0
#include "contract/vivid.hpp"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <cstring>

#include "hal/v4l2/negotiate.hpp"

namespace sealcam::test {

using namespace hal::v4l2;

std::vector<TestDevice> test_devices() {
  const char* named = std::getenv("SEALCAM_V4L2_DEVICE");
  std::vector<Node> all;
  if (named != nullptr) all.push_back({named, named});
  else all = nodes("/dev");
  std::vector<TestDevice> devices;
  for (const Sensor& s : survey(all, open_device).sensors) {
    if (named == nullptr && s.identity.driver != "vivid") continue;
    TestDevice& d = devices.emplace_back(s.node.path, s.identity.driver, s.identity.multi_planar);
    for (const Offer& o : s.offers) d.fourccs.push_back(o.fourcc);
  }
  return devices;
}

std::optional<TestDevice> vivid_device() {
  for (TestDevice& d : test_devices()) {
    if (d.driver == "vivid") return std::move(d);
  }
  return std::nullopt;
}

VividFaults::VividFaults(const std::string& path) : fd_(::open(path.c_str(), O_RDWR | O_CLOEXEC)) {
  REQUIRE(fd_);
  v4l2_queryctrl q{};
  q.id = V4L2_CTRL_FLAG_NEXT_CTRL;
  while (::ioctl(fd_.get(), VIDIOC_QUERYCTRL, &q) == 0) {
    const auto* text = reinterpret_cast<const char*>(q.name);
    controls_.push_back(
        {{text, ::strnlen(text, sizeof q.name)}, q.id, q.default_value, q.type == V4L2_CTRL_TYPE_BUTTON});
    q.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
  }
}

VividFaults::~VividFaults() {
  for (const Control* c : changed_) (void)write(c->id, c->default_value);
}

const VividFaults::Control* VividFaults::find(std::string_view name) const {
  const auto at = std::ranges::find(controls_, name, &Control::name);
  return at == controls_.end() ? nullptr : &*at;
}

bool VividFaults::write(unsigned id, int value) {
  v4l2_control c{.id = id, .value = value};
  return ::ioctl(fd_.get(), VIDIOC_S_CTRL, &c) == 0;
}

void VividFaults::set(std::string_view name, int value) {
  const Control* control = find(name);
  INFO("vivid's control " << name);
  REQUIRE(control != nullptr);
  REQUIRE(write(control->id, value));
  if (!control->button) changed_.push_back(control);
}

}  // namespace sealcam::test
