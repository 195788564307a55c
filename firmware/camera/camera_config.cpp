// SPDX-License-Identifier: Apache-2.0
#include "camera/camera.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

#include "base/format.hpp"
#include "device/program.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::camera {

static std::optional<hal::Size> parse_picture_size(std::string_view text) {
  const auto parsed = parse_size(text);
  if (!parsed || parsed->width > 65535 || parsed->height > 65535) return std::nullopt;
  const hal::Size size{static_cast<int>(parsed->width), static_cast<int>(parsed->height)};
  return hal::is_valid(size) ? std::optional(size) : std::nullopt;
}

static std::string choice(ConfigReader& reader, std::string_view pointer, std::string_view fallback,
                          std::span<const std::string_view> known) {
  std::string value = reader.text(pointer, fallback);
  if (std::ranges::contains(known, value)) return value;
  std::string why = "must be one of";
  for (const auto& name : known) why.append(" ").append(name);
  reader.reject(pointer, why);
  return value;
}

/// Names of /source/backend: sources without a sensor, then auto, then sensors.
static std::vector<std::string_view> backend_choices() {
  std::vector<std::string_view> names{hal::auto_backend};
  for (const auto& backend : std::views::reverse(hal::backends()))
    if (!backend.is_hardware) names.insert(names.begin(), backend.name);
  for (const auto& backend : hal::backends())
    if (backend.is_hardware) names.push_back(backend.name);
  return names;
}

static hal::ControlValue read_control(ConfigReader& reader, hal::Control control, const std::string& pointer) {
  using hal::Control;
  if (control == Control::hflip || control == Control::vflip)
    return {.value = reader.boolean(pointer, false) ? 1.0 : 0.0};
  if (!reader.is_text(pointer)) return {.value = reader.number(pointer, 0, -1e9, 1e9)};
  if (reader.text(pointer, "") != "auto") reader.reject(pointer, "must be auto or a number");
  return {.automatic = true};
}

static std::vector<hal::Setting> read_controls(ConfigReader& reader) {
  using hal::Control;
  constexpr std::array own = {Control::exposure, Control::gain,  Control::white_balance,
                              Control::focus,    Control::hflip, Control::vflip};
  std::vector<hal::Setting> settings;
  for (const std::string& key : reader.keys("/source/controls")) {
    const std::string pointer = "/source/controls/" + key;
    const auto control = hal::control_named(key);
    if (control == Control::frame_rate) reader.reject(pointer, "is set by /source/rate");
    else if (control == Control::bitrate) reader.reject(pointer, "is set by /encoder/bitrate");
    else if (control == Control::keyframe_interval) reader.reject(pointer, "is set by /encoder/keyframe_interval");
    else if (!control || !std::ranges::contains(own, *control)) {
      std::string why = "unknown control; the controls are";
      for (const Control known : own) why.append(known == own[0] ? " " : ", ").append(hal::name(known));
      reader.reject(pointer, why);
    } else {
      settings.push_back({*control, read_control(reader, *control, pointer)});
    }
  }
  return settings;
}

static void read_node(ConfigReader& reader, SourceConfig& source) {
  source.device = reader.text("/source/device", source.device);
  if (source.device != "auto" && !source.device.starts_with('/'))
    reader.reject("/source/device", "must be auto or the path of a device, such as /dev/video0");
  const std::string format = reader.text("/source/format", "auto");
  if (format != "auto") {
    source.format = format;
    std::string known = "must be one of auto";
    for (const auto& f : hal::v4l2::known_formats()) known.append(" ").append(f.fourcc);
    if (!std::ranges::contains(hal::v4l2::known_formats(), format, &hal::v4l2::Format::fourcc))
      reader.reject("/source/format", known);
  }
  source.controls = read_controls(reader);
}

constexpr std::array<std::string_view, 5> common_formats{"auto", "NV12", "YU12", "YUYV", "MJPG"};

static void read_camera(ConfigReader& reader, SourceConfig& source) {
  source.device = reader.text("/source/device", source.device);
  if (source.device.empty()) reader.reject("/source/device", "must be auto, or the id or the model of a camera");
  const std::string format = choice(reader, "/source/format", "auto", common_formats);
  if (format != "auto") source.format = format;
  source.controls = read_controls(reader);
}

/// Accepts only settings that all sensors have, because the backend is chosen when the sensor is opened.
static void read_auto(ConfigReader& reader, SourceConfig& source) {
  if (reader.text("/source/device", source.device) != "auto")
    reader.reject(
        "/source/device",
        "must be auto, because /source/backend is auto; for another device, set /source/backend to its backend");
  const std::string format = choice(reader, "/source/format", "auto", common_formats);
  if (format != "auto") source.format = format;
  source.controls = read_controls(reader);
}

static void read_kind(ConfigReader& reader, hal::SourceKind kind, const std::filesystem::path& beside,
                      SourceConfig& source) {
  switch (kind) {
    case hal::SourceKind::node: return read_node(reader, source);
    case hal::SourceKind::camera: return read_camera(reader, source);
    case hal::SourceKind::drawn:
      source.number = static_cast<std::uint16_t>(reader.integer("/source/number", 0, 0, 65535));
      return;
    case hal::SourceKind::file:
      source.file = reader.required_text("/source/file");
      if (source.file.is_relative()) source.file = beside / source.file;
      source.loop = reader.boolean("/source/loop", source.loop);
      return;
  }
}

static SourceConfig read_source(ConfigReader& reader, const std::filesystem::path& beside) {
  SourceConfig source;
  source.backend = choice(reader, "/source/backend", source.backend, backend_choices());
  const auto* backend = hal::find_backend(source.backend);
  if (backend == nullptr) read_auto(reader, source);
  else read_kind(reader, backend->kind, beside, source);
  source.rate = reader.number("/source/rate", source.rate, 0, 120);
  if (source.rate != 0 && source.rate < 1)
    reader.reject("/source/rate", "must be at least 1, or 0 for the rate of the source");
  if (backend != nullptr && !backend->is_hardware)
    source.realtime = reader.boolean("/source/realtime", source.realtime);
  const auto size = parse_picture_size(reader.text("/source/size", "1920x1080"));
  if (size) source.size = *size;
  else reader.reject("/source/size", sealcam::format("must be like 1920x1080, with {}", hal::size_rule));
  return source;
}

static void read_encoder(ConfigReader& reader, CameraConfig& config) {
  static constexpr std::array<std::string_view, 4> codecs{"auto", "h264_v4l2m2m", "libx264", "libopenh264"};
  hal::EncoderConfig& encoder = config.encoder;
  encoder.codec = choice(reader, "/encoder/codec", encoder.codec, codecs);
  const auto bitrate = [&](std::string_view pointer, BitsPerSecond fallback) {
    return BitsPerSecond(static_cast<std::uint32_t>(
        reader.integer(pointer, fallback.value(), hal::min_bitrate.value(), hal::max_bitrate.value())));
  };
  encoder.bitrate = bitrate("/encoder/bitrate", encoder.bitrate);
  config.min_bitrate = bitrate("/encoder/min_bitrate", std::min(config.min_bitrate, encoder.bitrate));
  if (config.min_bitrate > encoder.bitrate) reader.reject("/encoder/min_bitrate", "must not be above /encoder/bitrate");
  encoder.keyframe_interval =
      static_cast<int>(reader.integer("/encoder/keyframe_interval", encoder.keyframe_interval, 1, 600));
  encoder.threads = static_cast<int>(reader.integer("/encoder/threads", encoder.threads, 0, 16));
}

std::expected<CameraConfig, std::string> read_config(const std::filesystem::path& file, bool optional,
                                                     std::string_view backend) {
  ConfigReader reader = ConfigReader::from_file(file, optional);
  CameraConfig config;
  config.source = read_source(reader, file.parent_path());
  if (!backend.empty() && backend != config.source.backend) {
    const SourceConfig other = std::exchange(config.source, {});
    config.source.backend = backend;
    config.source.size = other.size;
    config.source.rate = other.rate;
    config.source.number = other.number;
  }
  read_encoder(reader, config);
  config.keep_past = reader.boolean("/outage/keep", config.keep_past);
  config.past_mib = static_cast<std::uint32_t>(reader.integer("/outage/max_mib", config.past_mib, 0, 1U << 20));
  if (config.past_mib > 0 && config.past_mib < 8) reader.reject("/outage/max_mib", "must be at least 8, or 0");
  config.log = device::read_log_level(reader, "/log");
  if (auto why = reader.finish()) return std::unexpected(std::move(*why));
  return config;
}

}  // namespace sealcam::camera
