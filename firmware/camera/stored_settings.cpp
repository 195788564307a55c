// SPDX-License-Identifier: Apache-2.0
#include "camera/stored_settings.hpp"

#include <algorithm>
#include <format>

#include "core/file.hpp"

namespace sealcam::camera {

using protocol::CameraSettings;

static std::optional<std::uint32_t> read_number(ConfigReader& reader, std::string_view pointer, std::uint32_t max) {
  if (!reader.has(pointer)) return std::nullopt;
  return static_cast<std::uint32_t>(reader.integer(pointer, 0, 1, max));
}

std::expected<CameraSettings, std::string> read_settings(const std::filesystem::path& file) {
  ConfigReader reader = ConfigReader::from_file(file, true);
  CameraSettings settings;
  std::error_code ec;
  if (std::filesystem::exists(file, ec) && reader.integer("/version", 0, 0, INT64_MAX) != 1)
    reader.reject("/version", "must be 1");
  if (const auto bitrate = read_number(reader, "/bitrate", UINT32_MAX)) settings.bitrate = BitsPerSecond(*bitrate);
  const auto width = read_number(reader, "/width", 65'535);
  const auto height = read_number(reader, "/height", 65'535);
  if (width.has_value() != height.has_value()) reader.reject("/width", "comes together with a height");
  if (width && height) settings.size = {*width, *height};
  settings.frames_per_second = read_number(reader, "/rate", 1000);
  if (const auto why = reader.finish())
    return std::unexpected(std::format("{}: {}; delete the file, and set what it said again", file.string(), *why));
  return settings;
}

Result<> write_settings(const std::filesystem::path& file, const CameraSettings& settings) {
  std::string text = "{\"version\": 1";
  if (settings.bitrate) text += std::format(", \"bitrate\": {}", settings.bitrate->value());
  if (settings.size)
    text += std::format(", \"width\": {}, \"height\": {}", settings.size->width, settings.size->height);
  if (settings.frames_per_second) text += std::format(", \"rate\": {}", *settings.frames_per_second);
  text += "}\n";
  return write_file_durably(file, as_bytes(text));
}

CameraConfig with_settings(CameraConfig config, const CameraSettings& settings, Log& log) {
  if (const auto bitrate = settings.bitrate) {
    if (bitrate->value() >= 25'000 && bitrate->value() <= 25'000'000) {
      config.encoder.bitrate = *bitrate;
      config.lowest_bitrate = std::min(config.lowest_bitrate, *bitrate);
    } else {
      log.warning("the owner's bitrate of {} bit/s is left out: only 25,000 to 25,000,000", bitrate->value());
    }
  }
  if (const auto size = settings.size) {
    const auto good = [](std::uint32_t n) { return n >= 32 && n <= 4096 && n % 2 == 0; };
    if (good(size->width) && good(size->height))
      config.source.size = {static_cast<int>(size->width), static_cast<int>(size->height)};
    else
      log.warning("the owner's picture size of {}x{} is left out: only even numbers from 32 to 4096", size->width,
                  size->height);
  }
  if (const auto rate = settings.frames_per_second) {
    if (*rate <= 120) config.source.rate = *rate;
    else log.warning("the owner's rate of {} pictures per second is left out: only 1 to 120", *rate);
  }
  return config;
}

stream::Quality best_quality(const CameraConfig& config) {
  return {config.encoder.bitrate, static_cast<std::uint16_t>(config.encoder.keyframe_interval), 0};
}

}  // namespace sealcam::camera
