// SPDX-License-Identifier: Apache-2.0
#include "camera/owner_settings.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/format.hpp"

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
  if (width.has_value() != height.has_value()) reader.reject("/width", "needs a height, too");
  if (width && height) settings.size = {*width, *height};
  settings.frames_per_second = read_number(reader, "/rate", 1000);
  if (const auto why = reader.finish())
    return std::unexpected(sealcam::format(
        "{}: {}; delete the file and repeat the settings with sealcam camera settings", file.string(), *why));
  return settings;
}

Result<> write_settings(const std::filesystem::path& file, const CameraSettings& settings) {
  std::string text = "{\"version\": 1";
  if (settings.bitrate) text += sealcam::format(", \"bitrate\": {}", settings.bitrate->value());
  if (settings.size)
    text += sealcam::format(", \"width\": {}, \"height\": {}", settings.size->width, settings.size->height);
  if (settings.frames_per_second) text += sealcam::format(", \"rate\": {}", *settings.frames_per_second);
  text += "}\n";
  return write_file_durably(file, as_bytes(text));
}

CameraConfig with_settings(CameraConfig config, const CameraSettings& settings, Log& log) {
  if (const auto bitrate = settings.bitrate) {
    if (*bitrate >= hal::min_bitrate && *bitrate <= hal::max_bitrate) {
      config.encoder.bitrate = *bitrate;
      config.min_bitrate = std::min(config.min_bitrate, *bitrate);
    } else {
      log.warning("the camera ignores the owner's bitrate of {} bit/s; valid are {} to {}", bitrate->value(),
                  hal::min_bitrate.value(), hal::max_bitrate.value());
    }
  }
  if (const auto size = settings.size) {
    const hal::Size pixels{static_cast<int>(size->width), static_cast<int>(size->height)};
    if (hal::is_valid(pixels)) config.source.size = pixels;
    else
      log.warning("the camera ignores the owner's picture size of {}x{}; valid are {}", size->width, size->height,
                  hal::size_rule);
  }
  if (const auto rate = settings.frames_per_second) {
    if (*rate <= 120) config.source.rate = *rate;
    else log.warning("the camera ignores the owner's rate of {} pictures per second; valid are 1 to 120", *rate);
  }
  return config;
}

stream::Quality best_quality(const CameraConfig& config) {
  return {config.encoder.bitrate, static_cast<std::uint16_t>(config.encoder.keyframe_interval), 0};
}

Result<> StateActions::do_rename(std::string_view name) {
  if (enrollment_.name == name) return {};
  device::Enrollment renamed = enrollment_;
  renamed.name = name;
  if (auto r = device::write_enrollment(deps_.files, renamed); !r) return r;
  enrollment_ = std::move(renamed);
  return {};
}

Result<stream::Quality> StateActions::do_change(const CameraSettings& settings) {
  if (auto r = write_settings(deps_.files.settings(), settings); !r) return std::unexpected(r.error());
  CameraConfig changed = with_settings(deps_.configured, settings, deps_.log);
  const bool reopen = changed.source.size != effective_.source.size || changed.source.rate != effective_.source.rate;
  effective_ = std::move(changed);
  deps_.capture.configure(effective_);
  if (reopen) deps_.control.request_reopen();
  return best_quality(effective_);
}

Result<> StateActions::do_join(const protocol::Wifi& wifi) { return deps_.wifi.join(wifi); }

}  // namespace sealcam::camera
