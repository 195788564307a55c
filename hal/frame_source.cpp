// SPDX-License-Identifier: Apache-2.0
#include "hal/frame_source.hpp"

#include <algorithm>
#include <array>

#include "base/format.hpp"

namespace sealcam::hal {

namespace {

struct Row {
  std::string_view name;
  std::string_view unit;
};
constexpr std::array<Row, control_count> table = {{{"exposure", "us"},
                                                   {"gain", ""},
                                                   {"white_balance", "K"},
                                                   {"focus", ""},
                                                   {"hflip", ""},
                                                   {"vflip", ""},
                                                   {"frame_rate", "/s"},
                                                   {"bitrate", "bit/s"},
                                                   {"keyframe_interval", "pictures"},
                                                   {"keyframe", ""}}};

bool is_toggle(Control control) noexcept { return control == Control::hflip || control == Control::vflip; }

std::string number(Control control, double value) {
  const auto u = unit(control);
  return sealcam::format("{}{}{}", value, u.empty() || u == "/s" ? "" : " ", u);
}

std::string range(const ControlInfo& info) {
  if (info.kind == ControlKind::toggle) return "on or off";
  if (info.kind == ControlKind::action) return "on request";
  const bool has_range = info.min != info.max;
  std::string text = info.can_be_automatic ? "auto" : "";
  if (has_range && info.can_be_automatic) text += " or ";
  if (has_range) text += sealcam::format("{} to {}", info.min, number(info.control, info.max));
  else if (!info.can_be_automatic) text += number(info.control, info.value.value);
  return text;
}

const ControlInfo* find(std::span<const ControlInfo> known, Control control) noexcept {
  const auto at = std::ranges::find(known, control, &ControlInfo::control);
  return at == known.end() ? nullptr : &*at;
}

}  // namespace

std::string_view name(Control control) noexcept { return table[static_cast<std::size_t>(control)].name; }
std::string_view unit(Control control) noexcept { return table[static_cast<std::size_t>(control)].unit; }

std::optional<Control> control_named(std::string_view text) noexcept {
  const auto at = std::ranges::find(table, text, &Row::name);
  if (at == table.end()) return std::nullopt;
  return static_cast<Control>(at - table.begin());
}

std::string to_string(Control control, const ControlValue& value) {
  if (value.automatic) return "auto";
  if (is_toggle(control)) return value.value != 0 ? "on" : "off";
  return number(control, value.value);
}

std::string to_string(const ControlInfo& info) {
  std::string line = sealcam::format("{}: {}", name(info.control), range(info));
  if (info.kind == ControlKind::action) return line;
  if (info.read_only) return line + ", read-only, now " + to_string(info.control, info.value);
  return line + ", default " + to_string(info.control, info.default_value) + ", now " +
         to_string(info.control, info.value);
}

Result<> check_setting(std::span<const ControlInfo> known, const Setting& setting) noexcept {
  const ControlInfo* info = find(known, setting.control);
  if (info == nullptr) return fail(Errc::not_found, "this sensor has no such control");
  if (info->read_only) return fail(Errc::unsupported, "this control is read-only");
  if (info->kind == ControlKind::action) return {};
  if (setting.value.automatic) {
    if (!info->can_be_automatic) return fail(Errc::unsupported, "this control has no automatic mode");
    return {};
  }
  if (info->min == info->max) return fail(Errc::unsupported, "this control has only an automatic mode");
  if (!(setting.value.value >= info->min && setting.value.value <= info->max))
    return fail(Errc::invalid_argument, "value of this control");
  return {};
}

std::string explain(const Setting& setting, const Error& error, std::span<const ControlInfo> known) {
  const std::string requested =
      setting.control == Control::keyframe
          ? std::string(name(setting.control))
          : sealcam::format("{} {}", name(setting.control), to_string(setting.control, setting.value));
  std::string text = sealcam::format("control {}: {}", requested, error.what);
  const ControlInfo* info = find(known, setting.control);
  if (info != nullptr && error.code == Errc::invalid_argument) return text + ", which is " + range(*info);
  if (info != nullptr) return text + (error.native != 0 ? sealcam::format(" (native {})", error.native) : "");
  text += "; there ";
  if (known.empty()) return text + "is none";
  text += "are";
  for (const ControlInfo& k : known) text.append(&k == &known.front() ? " " : ", ").append(name(k.control));
  return text;
}

}  // namespace sealcam::hal
