// SPDX-License-Identifier: Apache-2.0
#include "camera/sensor_list.hpp"

#include <sysexits.h>

#include <algorithm>
#include <array>
#include <format>
#include <nlohmann/json.hpp>

namespace sealcam::camera {

using namespace hal;
using namespace hal::v4l2;
using Json = nlohmann::ordered_json;

namespace {

std::string text_of(Size size) { return std::format("{}x{}", size.width, size.height); }

std::string text_of(std::span<const RateRange> rates) {
  std::string text;
  for (const RateRange& r : rates) {
    text += text.empty() ? " at " : ", ";
    text += r.min == r.max ? std::format("{:.4g}", r.max) : std::format("{:.4g} to {:.4g}", r.min, r.max);
  }
  return text.empty() ? text : text + "/s";
}

std::string text_of(const SizeRange& s) {
  const std::string size =
      s.min == s.max ? text_of(s.max)
                     : std::format("{} to {} in steps of {}", text_of(s.min), text_of(s.max), text_of(s.step));
  return size + text_of(s.rates);
}

Json json_of(const SizeRange& s) {
  Json rates = Json::array();
  for (const RateRange& r : s.rates) {
    if (r.min == r.max) rates.push_back(r.max);
    else rates.push_back({{"min", r.min}, {"max", r.max}});
  }
  Json json = s.min == s.max ? Json{{"size", text_of(s.max)}}
                             : Json{{"min", text_of(s.min)}, {"max", text_of(s.max)}, {"step", text_of(s.step)}};
  json["rates"] = std::move(rates);
  return json;
}

Json json_of(const ControlInfo& info) {
  constexpr std::array kinds = {"toggle", "number", "action"};
  const auto value = [&](const ControlValue& v) -> Json {
    if (v.automatic) return "auto";
    if (info.kind == ControlKind::toggle) return v.value != 0;
    return v.value;
  };
  Json json{{"name", name(info.control)}, {"kind", kinds[static_cast<std::size_t>(info.kind)]}};
  if (info.kind == ControlKind::action) return json;
  if (!unit(info.control).empty()) json["unit"] = unit(info.control);
  if (info.min != info.max) json.update({{"min", info.min}, {"max", info.max}, {"step", info.step}});
  json["auto"] = info.can_be_automatic;
  json["read_only"] = info.read_only;
  json["default"] = value(info.otherwise);
  json["value"] = value(info.value);
  return json;
}

Json json_of(const Sensor& s) {
  Json formats = Json::array();
  for (const Offer& o : s.offers) {
    Json sizes = Json::array();
    for (const SizeRange& size : o.sizes) sizes.push_back(json_of(size));
    formats.push_back({{"fourcc", o.fourcc}, {"sizes", std::move(sizes)}});
  }
  Json controls = Json::array();
  for (const ControlInfo& info : s.controls) controls.push_back(json_of(info));
  return {{"backend", "v4l2"},
          {"path", s.node.path},
          {"device", s.node.device},
          {"card", s.identity.card},
          {"driver", s.identity.driver},
          {"bus", s.identity.bus},
          {"multi_planar", s.identity.multi_planar},
          {"formats", std::move(formats)},
          {"controls", std::move(controls)}};
}

std::string text_of(const libcamera::CameraEntry& c) {
  std::string text = std::format("{}\n  {}, libcamera{}\n", c.id, c.model.empty() ? "sensor not named" : c.model,
                                 c.location.empty() ? "" : ", " + c.location);
  for (const auto& f : c.formats) {
    const std::string sizes = f.min == f.max ? text_of(f.max) : text_of(f.min) + " to " + text_of(f.max);
    text += std::format("  {}  {}{}\n", f.fourcc, sizes, f.usable ? "" : " (not used)");
  }
  for (const ControlInfo& info : c.controls) text += std::format("  {}\n", to_string(info));
  return text;
}

Json json_of(const libcamera::CameraEntry& c) {
  Json formats = Json::array(), controls = Json::array();
  for (const auto& f : c.formats)
    formats.push_back({{"fourcc", f.fourcc},
                       {"sizes", Json::array({{{"min", text_of(f.min)}, {"max", text_of(f.max)}}})},
                       {"usable", f.usable}});
  for (const ControlInfo& info : c.controls) controls.push_back(json_of(info));
  return {{"backend", "libcamera"},
          {"id", c.id},
          {"model", c.model},
          {"location", c.location},
          {"formats", std::move(formats)},
          {"controls", std::move(controls)}};
}

}  // namespace

std::string as_text(const Survey& survey, Cameras cameras) {
  std::string text;
  for (const Sensor& s : survey.sensors) {
    text += std::format("{}\n  {}, driver {}, bus {}{}\n", s.node.path, s.identity.card, s.identity.driver,
                        s.identity.bus, s.identity.multi_planar ? ", multi-planar" : "");
    if (s.node.path != s.node.device) text += std::format("  now {}\n", s.node.device);
    for (const Offer& o : s.offers) {
      for (const SizeRange& size : o.sizes) text += std::format("  {}  {}\n", o.fourcc, text_of(size));
    }
    for (const ControlInfo& info : s.controls) text += std::format("  {}\n", to_string(info));
  }
  for (const auto& camera : cameras) text += text_of(camera);
  for (const LeftOut& l : survey.left_out) text += std::format("no sensor: {}: {}\n", l.node.path, l.why);
  return text;
}

std::string as_json(const Survey& survey, Cameras cameras) {
  Json sensors = Json::array(), left_out = Json::array();
  for (const Sensor& s : survey.sensors) sensors.push_back(json_of(s));
  for (const auto& camera : cameras) sensors.push_back(json_of(camera));
  for (const LeftOut& l : survey.left_out) left_out.push_back({{"path", l.node.path}, {"why", l.why}});
  return Json{{"sensors", std::move(sensors)}, {"left_out", std::move(left_out)}}.dump();
}

std::string advice(const Survey& survey, Cameras cameras) {
  switch (exit_code(survey, cameras)) {
    case EX_OK: return {};
    case EX_NOPERM:
      return "no sensor may be opened: add this user to the group of the devices (usermod -aG video USER, then log in "
             "again; in a systemd unit: SupplementaryGroups=video)";
    default: break;
  }
  if (survey.left_out.empty())
    return "no V4L2 device at all: is the camera plugged in, is its driver loaded (lsmod, dmesg)?";
  return "no sensor among the V4L2 devices; one that needs libcamera cannot be used through V4L2";
}

int exit_code(const Survey& survey, Cameras cameras) {
  if (!survey.sensors.empty() || !cameras.empty()) return EX_OK;
  return std::ranges::any_of(survey.left_out, &LeftOut::permission) ? EX_NOPERM : EX_UNAVAILABLE;
}

}  // namespace sealcam::camera
