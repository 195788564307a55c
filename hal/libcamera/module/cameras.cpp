// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/cameras.hpp"

#include <libcamera/control_ids.h>
#include <libcamera/logging.h>
#include <libcamera/property_ids.h>
#include <libcamera/version.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace sealcam::hal::libcamera {

namespace {

namespace ids = lib::controls;

// libcamera 0.5 added one mode for the exposure time and one for the gain. AeEnable still switches both.
constexpr bool has_modes = LIBCAMERA_VERSION_MAJOR > 0 || LIBCAMERA_VERSION_MINOR >= 5;

template <class T>
double element(const lib::ControlValue& value) {
  T number{};
  const auto bytes = value.data();
  if (bytes.size() >= sizeof number) std::memcpy(&number, bytes.data(), sizeof number);
  return static_cast<double>(number);
}

/// The number, or the first of several numbers.
double number(const lib::ControlValue& value) {
  switch (value.type()) {
    case lib::ControlTypeBool: return element<bool>(value);
    case lib::ControlTypeByte: return element<std::uint8_t>(value);
    case lib::ControlTypeInteger32: return element<std::int32_t>(value);
    case lib::ControlTypeInteger64: return element<std::int64_t>(value);
    case lib::ControlTypeFloat: return static_cast<double>(element<float>(value));
    default: return 0;
  }
}

bool knows(const lib::ControlInfo& info, double value) {
  if (info.values().empty()) return value >= number(info.min()) && value <= number(info.max());
  return std::ranges::any_of(info.values(), [&](const auto& v) { return number(v) == value; });
}

#if LIBCAMERA_VERSION_MAJOR > 0 || LIBCAMERA_VERSION_MINOR >= 5
const lib::ControlId& exposure_mode() { return ids::ExposureTimeMode; }
const lib::ControlId& gain_mode() { return ids::AnalogueGainMode; }
constexpr int exposure_auto = ids::ExposureTimeModeAuto, exposure_manual = ids::ExposureTimeModeManual;
constexpr int gain_auto = ids::AnalogueGainModeAuto, gain_manual = ids::AnalogueGainModeManual;
#else
const lib::ControlId& exposure_mode() { return ids::AeEnable; }
const lib::ControlId& gain_mode() { return ids::AeEnable; }
constexpr int exposure_auto = 1, exposure_manual = 0;
constexpr int gain_auto = 1, gain_manual = 0;
#endif

/// The libcamera controls of one name.
struct Way {
  Control control;
  const lib::ControlId* value;
  const lib::ControlId* automatic;
  int on, off;
};

std::array<Way, 4> ways() {
  return {{{Control::exposure, &ids::ExposureTime, &exposure_mode(), exposure_auto, exposure_manual},
           {Control::gain, &ids::AnalogueGain, &gain_mode(), gain_auto, gain_manual},
           {Control::white_balance, &ids::ColourTemperature, &ids::AwbEnable, 1, 0},
           {Control::focus, &ids::LensPosition, &ids::AfMode, ids::AfModeContinuous, ids::AfModeManual}}};
}

lib::ControlValue value_of(const lib::ControlId& id, double value) {
  switch (id.type()) {
    case lib::ControlTypeBool: return lib::ControlValue(value != 0);
    case lib::ControlTypeInteger64: return lib::ControlValue(static_cast<std::int64_t>(std::llround(value)));
    case lib::ControlTypeFloat: return lib::ControlValue(static_cast<float>(value));
    default: return lib::ControlValue(static_cast<std::int32_t>(std::lround(value)));
  }
}

}  // namespace

LibcameraControls::LibcameraControls(const lib::ControlInfoMap& infos, const Fixed& fixed)
    : infos_(infos), pending_(infos) {
  for (const Way& way : ways()) {
    const auto automatic = infos_.find(way.automatic);
    add(way.control, *way.value,
        automatic != infos_.end() && knows(automatic->second, way.on) ? way.automatic : nullptr);
  }
  if (fixed.can_flip) {
    add_toggle(Control::hflip, fixed.hflip);
    add_toggle(Control::vflip, fixed.vflip);
  }
  if (fixed.rate > 0) {
    const ControlValue now{.value = fixed.rate};
    ControlInfo rate{Control::frame_rate, ControlKind::number, fixed.rate, fixed.rate, 0, false, true, now, now};
    if (const auto limits = infos_.find(&ids::FrameDurationLimits); limits != infos_.end()) {
      const double max_us = number(limits->second.max()), min_us = number(limits->second.min());
      const auto per_second = [](double us) { return std::round(1e8 / us) / 100; };
      if (max_us > 0) rate.min = per_second(max_us);
      if (min_us > 0) rate.max = per_second(min_us);
    }
    known_.push_back(rate);
  }
}

void LibcameraControls::add(Control control, const lib::ControlId& value, const lib::ControlId* automatic) {
  ControlInfo info{.control = control, .kind = ControlKind::number};
  info.can_be_automatic = automatic != nullptr;
  if (const auto found = infos_.find(&value); found != infos_.end()) {
    info.min = number(found->second.min());
    info.max = number(found->second.max());
    info.default_value.value = std::clamp(number(found->second.def()), info.min, std::max(info.min, info.max));
  } else if (automatic == nullptr) {
    return;
  }
  info.default_value.automatic = info.can_be_automatic;
  info.value = info.default_value;
  known_.push_back(info);
}

void LibcameraControls::add_toggle(Control control, bool on) {
  // Read-only, because the configuration of a stream fixes its orientation.
  known_.push_back({control, ControlKind::toggle, 0, 1, 1, false, true, {}, {.value = on ? 1.0 : 0.0}});
}

void LibcameraControls::move_to(lib::ControlList& target) {
  if (pending_.empty()) return;
  target.merge(pending_, lib::ControlList::MergePolicy::OverwriteExisting);
  pending_.clear();
}

void LibcameraControls::update(const lib::ControlList& metadata) {
  for (const Way& way : ways()) {
    const auto info = std::ranges::find(known_, way.control, &ControlInfo::control);
    if (info != known_.end() && metadata.contains(way.value->id()))
      info->value.value = number(metadata.get(way.value->id()));
  }
}

Result<> LibcameraControls::do_set(const Setting& setting) {
  const bool flip = setting.control == Control::hflip || setting.control == Control::vflip;
  if (flip && std::ranges::contains(known_, setting.control, &ControlInfo::control))
    return fail(Errc::unsupported, "libcamera flips pictures only before the start");
  if (auto good = check_setting(known_, setting); !good) return good;
  const auto all = ways();
  const Way& way = *std::ranges::find(all, setting.control, &Way::control);
  const bool manual = !setting.value.automatic;
  // A value has an effect only while automatic is off.
  if (has(*way.automatic)) pending_.set(way.automatic->id(), value_of(*way.automatic, manual ? way.off : way.on));
  if (manual) pending_.set(way.value->id(), value_of(*way.value, setting.value.value));
  const auto info = std::ranges::find(known_, setting.control, &ControlInfo::control);
  info->value.automatic = setting.value.automatic;
  if (manual) info->value.value = setting.value.value;
  // Before libcamera 0.5, one switch controls exposure and gain.
  if (const Control other = way.control == Control::exposure ? Control::gain : Control::exposure;
      !has_modes && way.automatic == &ids::AeEnable) {
    const auto twin = std::ranges::find(known_, other, &ControlInfo::control);
    if (twin != known_.end()) twin->value.automatic = setting.value.automatic;
  }
  return {};
}

bool set_rate(const lib::ControlInfoMap& infos, double& rate, lib::ControlList& target) {
  const auto limits = infos.find(&ids::FrameDurationLimits);
  if (limits == infos.end()) return false;
  double duration = 1e6 / rate;
  const double min_us = number(limits->second.min()), max_us = number(limits->second.max());
  if (min_us > 0) duration = std::max(duration, min_us);
  if (max_us > 0) duration = std::min(duration, max_us);
  // Limits are in whole microseconds, so that a difference below 1 us is not another rate.
  if (std::abs(duration - 1e6 / rate) > 1) rate = 1e6 / duration;
  const auto us = static_cast<std::int64_t>(std::llround(duration));
  const std::array both = {us, us};
  target.set(ids::FrameDurationLimits, lib::Span<const std::int64_t, 2>(both));
  return true;
}

Result<Manager> start_manager() {
  auto manager = std::make_shared<lib::CameraManager>();
  if (const int result = manager->start(); result != 0) return fail(Errc::io, "libcamera does not start", -result);
  // Reports version and cameras only once, because a search for a missing sensor starts it each second. A category
  // exists only after its first line.
  if (::getenv("LIBCAMERA_LOG_LEVELS") == nullptr) {
    for (const char* category : {"Camera", "RPI", "IPAProxy", "SimplePipeline", "Virtual"})
      lib::logSetLevel(category, "WARN");
  }
  return manager;
}

Silence::Silence(bool on)
    : on_(on && ::getenv("LIBCAMERA_LOG_LEVELS") == nullptr && ::getenv("LIBCAMERA_LOG_FILE") == nullptr) {
  if (on_) lib::logSetTarget(lib::LoggingTargetNone);
}

Silence::~Silence() {
  // libcamera's default.
  if (on_) lib::logSetStream(&std::cerr, ::getenv("LIBCAMERA_LOG_NO_COLOR") == nullptr);
}

std::string model_of(const lib::Camera& camera) {
  const auto model = camera.properties().get(lib::properties::Model);
  return model ? std::string(*model) : std::string();
}

std::string location_of(const lib::Camera& camera) {
  const auto location = camera.properties().get(lib::properties::Location);
  if (!location) return {};
  switch (*location) {
    case lib::properties::CameraLocationFront: return "front";
    case lib::properties::CameraLocationBack: return "back";
    case lib::properties::CameraLocationExternal: return "external";
    default: return {};
  }
}

Result<std::shared_ptr<lib::Camera>> find_camera(const lib::CameraManager& manager, const std::string& requested,
                                                 Log& log) {
  const auto cameras = manager.cameras();
  if (cameras.empty()) {
    log.error(
        "libcamera finds no camera: check that it is plugged in and enabled (dmesg), that this libcamera supports the "
        "board (cam -l), and that this user may open /dev/media* and /dev/video* (usually: group video)");
    return fail(Errc::not_found, "libcamera finds no camera");
  }
  if (requested == "auto") return cameras.front();
  for (const auto& camera : cameras) {
    if (camera->id() == requested) return camera;
  }
  for (const auto& camera : cameras) {
    if (model_of(*camera) == requested) return camera;
  }
  std::string known;
  for (const auto& camera : cameras) {
    known += (known.empty() ? "" : ", ") + camera->id();
    if (const auto model = model_of(*camera); !model.empty()) known += " (" + model + ")";
  }
  log.error("libcamera has no camera {}; choose one of: {}", requested, known);
  return fail(Errc::not_found, "libcamera has no such camera");
}

Result<AcquiredCamera> AcquiredCamera::acquire(Manager manager, std::shared_ptr<lib::Camera> camera, Log& log) {
  const int result = camera->acquire();
  if (result == 0) return AcquiredCamera(std::move(manager), std::move(camera));
  if (result == -EBUSY) {
    log.error(
        "{} is in use: another program that uses libcamera opened it, or opened a device of the same pipeline. "
        "'fuser -v /dev/media*' names it; on a desktop it is often PipeWire (systemctl --user stop pipewire "
        "wireplumber), "
        "otherwise rpicam-apps, motion or another sealcam-camera. End it; the camera then tries again.",
        camera->id());
    return fail(Errc::permission, "the camera is in use by another program", -result);
  }
  if (result == -EACCES || result == -EPERM)
    log.error("{} may not be opened: this user must be in the group of its devices (usually video)", camera->id());
  return fail(errc_of(result), "libcamera cannot acquire the camera", -result);
}

AcquiredCamera::~AcquiredCamera() {
  if (camera_) camera_->release();
}

Errc errc_of(int result) noexcept {
  switch (-result) {
    case EBUSY:
    case EACCES:
    case EPERM: return Errc::permission;
    case ENODEV: return Errc::device_lost;
    case ENOMEM:
    case ENOBUFS: return Errc::no_memory;
    case EINVAL: return Errc::unsupported;
    default: return Errc::io;
  }
}

}  // namespace sealcam::hal::libcamera
