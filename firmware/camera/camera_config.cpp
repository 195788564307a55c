// SPDX-License-Identifier: Apache-2.0
#include "camera/camera_config.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "hal/v4l2/layout.hpp"

namespace sealcam::camera {

static std::optional<hal::Size> parse_size(std::string_view text) {
  hal::Size size;
  const char* const end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc{} || width.ptr == end || *width.ptr != 'x') return std::nullopt;
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  if (height.ec != std::errc{} || height.ptr != end) return std::nullopt;
  const auto good = [](int n) { return n >= 32 && n <= 4096 && n % 2 == 0; };
  if (!good(size.width) || !good(size.height)) return std::nullopt;
  return size;
}

static std::string choice(ConfigReader& reader, std::string_view pointer, std::string_view otherwise,
                          std::initializer_list<std::string_view> known) {
  std::string value = reader.text(pointer, otherwise);
  if (std::ranges::contains(known, value)) return value;
  std::string why = "must be one of";
  for (const auto& name : known) why.append(" ").append(name);
  reader.reject(pointer, why);
  return value;
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
      std::string why = "no such control; there are";
      for (const Control known : own) why.append(known == own[0] ? " " : ", ").append(hal::name(known));
      reader.reject(pointer, why);
    } else {
      settings.push_back({*control, read_control(reader, *control, pointer)});
    }
  }
  return settings;
}

static void read_v4l2(ConfigReader& reader, SourceConfig& source) {
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

static void read_libcamera(ConfigReader& reader, SourceConfig& source) {
  source.device = reader.text("/source/device", source.device);
  if (source.device.empty()) reader.reject("/source/device", "must be auto, or the id or model of a camera");
  const std::string format = choice(reader, "/source/format", "auto", {"auto", "NV12", "YU12", "YUYV", "MJPG"});
  if (format != "auto") source.format = format;
  source.controls = read_controls(reader);
}

/// Only what both backends know: which of them it will be shows when the sensor is opened.
static void read_auto(ConfigReader& reader, SourceConfig& source) {
  if (reader.text("/source/device", source.device) != "auto")
    reader.reject("/source/device", "must be auto where /source/backend is; for another device name its backend there");
  const std::string format = choice(reader, "/source/format", "auto", {"auto", "NV12", "YU12", "YUYV", "MJPG"});
  if (format != "auto") source.format = format;
  source.controls = read_controls(reader);
}

static SourceConfig read_source(ConfigReader& reader, const std::filesystem::path& beside) {
  SourceConfig source;
  source.backend = choice(reader, "/source/backend", source.backend, {"fake", "replay", "auto", "v4l2", "libcamera"});
  if (source.backend == "replay") {
    source.file = reader.required_text("/source/file");
    if (source.file.is_relative()) source.file = beside / source.file;
    source.loop = reader.boolean("/source/loop", source.loop);
  } else if (source.backend == "auto") {
    read_auto(reader, source);
  } else if (source.backend == "v4l2") {
    read_v4l2(reader, source);
  } else if (source.backend == "libcamera") {
    read_libcamera(reader, source);
  } else {
    source.number = static_cast<std::uint16_t>(reader.integer("/source/number", 0, 0, 65535));
  }
  source.rate = reader.number("/source/rate", source.rate, 0, 120);
  if (source.rate != 0 && source.rate < 1)
    reader.reject("/source/rate", "must be at least 1, or 0 for the source's own");
  if (source.backend == "fake" || source.backend == "replay")
    source.realtime = reader.boolean("/source/realtime", source.realtime);
  const auto size = parse_size(reader.text("/source/size", "1920x1080"));
  if (size) source.size = *size;
  else reader.reject("/source/size", "must be like 1920x1080: even numbers from 32 to 4096");
  return source;
}

static void read_encoder(ConfigReader& reader, CameraConfig& config) {
  hal::EncoderConfig& encoder = config.encoder;
  encoder.codec = choice(reader, "/encoder/codec", encoder.codec, {"auto", "h264_v4l2m2m", "libx264", "libopenh264"});
  const auto bitrate = [&](std::string_view pointer, BitsPerSecond otherwise) {
    return BitsPerSecond(static_cast<std::uint32_t>(reader.integer(pointer, otherwise.value(), 25'000, 25'000'000)));
  };
  encoder.bitrate = bitrate("/encoder/bitrate", encoder.bitrate);
  config.lowest_bitrate = bitrate("/encoder/lowest_bitrate", std::min(config.lowest_bitrate, encoder.bitrate));
  if (config.lowest_bitrate > encoder.bitrate)
    reader.reject("/encoder/lowest_bitrate", "must not be above /encoder/bitrate");
  encoder.keyframe_interval =
      static_cast<int>(reader.integer("/encoder/keyframe_interval", encoder.keyframe_interval, 1, 600));
  encoder.threads = static_cast<int>(reader.integer("/encoder/threads", encoder.threads, 0, 16));
}

std::expected<CameraConfig, std::string> read_config(const std::filesystem::path& file, bool optional) {
  ConfigReader reader = ConfigReader::from_file(file, optional);
  CameraConfig config;
  config.source = read_source(reader, file.parent_path());
  read_encoder(reader, config);
  const std::string level = choice(reader, "/log", "info", {"error", "warning", "info", "debug"});
  if (level == "error") config.log = LogLevel::error;
  if (level == "warning") config.log = LogLevel::warning;
  if (level == "debug") config.log = LogLevel::debug;
  if (auto why = reader.finish()) return std::unexpected(std::move(*why));
  return config;
}

}  // namespace sealcam::camera
