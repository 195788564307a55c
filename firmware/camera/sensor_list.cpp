// SPDX-License-Identifier: Apache-2.0
#include "camera/sensor_list.hpp"

#include <sysexits.h>

#include <algorithm>

#include "base/format.hpp"

namespace sealcam::camera {

using namespace hal;
using namespace hal::v4l2;

namespace {

std::string text_of(Size size) { return sealcam::format("{}x{}", size.width, size.height); }

std::string text_of(std::span<const RateRange> rates) {
  std::string text;
  for (const RateRange& r : rates) {
    text += text.empty() ? " at " : ", ";
    text += r.min == r.max ? sealcam::format("{:.4g}", r.max) : sealcam::format("{:.4g} to {:.4g}", r.min, r.max);
  }
  return text.empty() ? text : text + "/s";
}

std::string text_of(const SizeRange& s) { return to_string(s) + text_of(s.rates); }

std::string text_of(const libcamera::CameraEntry& c) {
  std::string text = sealcam::format("{}\n  {}, libcamera{}\n", c.id, c.model.empty() ? "unknown sensor" : c.model,
                                     c.location.empty() ? "" : ", " + c.location);
  for (const auto& f : c.formats) {
    const std::string sizes = f.min == f.max ? text_of(f.max) : text_of(f.min) + " to " + text_of(f.max);
    text += sealcam::format("  {}  {}{}\n", f.fourcc, sizes, f.usable ? "" : " (not used)");
  }
  for (const ControlInfo& info : c.controls) text += sealcam::format("  {}\n", to_string(info));
  return text;
}

}  // namespace

std::string as_text(const Survey& survey, Cameras cameras) {
  std::string text;
  for (const Sensor& s : survey.sensors) {
    text += sealcam::format("{}\n  {}, driver {}, bus {}{}\n", s.node.path, s.identity.card, s.identity.driver,
                            s.identity.bus, s.identity.multi_planar ? ", multi-planar" : "");
    if (s.node.path != s.node.device) text += sealcam::format("  now {}\n", s.node.device);
    for (const Offer& o : s.offers) {
      for (const SizeRange& size : o.sizes) text += sealcam::format("  {}  {}\n", o.fourcc, text_of(size));
    }
    for (const ControlInfo& info : s.controls) text += sealcam::format("  {}\n", to_string(info));
  }
  for (const auto& camera : cameras) text += text_of(camera);
  for (const LeftOut& l : survey.left_out) text += sealcam::format("no sensor: {}: {}\n", l.node.path, l.why);
  return text;
}

std::string advice(const Survey& survey, Cameras cameras) {
  switch (exit_code(survey, cameras)) {
    case EX_OK: return {};
    case EX_NOPERM:
      return "this user may not open the devices: add it to the group video (sudo usermod -aG video USER), then sign "
             "in "
             "again; in a systemd unit, set SupplementaryGroups=video";
    default: break;
  }
  if (survey.left_out.empty())
    return "there is no camera: plug in a USB camera, or check the camera's cable and driver (lsmod, dmesg); for a "
           "test "
           "picture start sealcam-camera with --source fake";
  return "none of the V4L2 devices is a sensor; a camera module may need libcamera and its module for sealcam-camera; "
         "for a "
         "test picture start sealcam-camera with --source fake";
}

int exit_code(const Survey& survey, Cameras cameras) {
  if (!survey.sensors.empty() || !cameras.empty()) return EX_OK;
  return std::ranges::any_of(survey.left_out, &LeftOut::permission) ? EX_NOPERM : EX_UNAVAILABLE;
}

}  // namespace sealcam::camera
