// SPDX-License-Identifier: Apache-2.0
/// The camera's configuration file.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/log.hpp"
#include "hal/source_controls.hpp"
#include "hal/video_encoder.hpp"

namespace sealcam::camera {

/// Where pictures come from.
struct SourceConfig {
  std::string backend = "fake";  ///< fake, replay, auto (v4l2, where there is none libcamera), v4l2, libcamera
  std::filesystem::path file;    ///< replay: absolute
  double rate = 0;               ///< pictures per second; 0: what the file says (replay), 30 (others)
  bool loop = true;              ///< replay
  bool realtime = true;          ///< false: as fast as possible
  hal::Size size{1920, 1080};
  std::uint16_t number = 0;              ///< fake: drawn into each picture
  std::string device = "auto";           ///< v4l2: auto, or a node's absolute path; libcamera: auto, id or model
  std::string format;                    ///< v4l2, libcamera, auto: four characters; empty: the best
  std::vector<hal::Setting> controls{};  ///< v4l2, libcamera, auto
};

struct CameraConfig {
  SourceConfig source;
  hal::EncoderConfig encoder;  ///< size and rate are the source's
  BitsPerSecond lowest_bitrate{150'000};
  LogLevel log = LogLevel::info;
};

/// Reads a file; a missing one gives the defaults when `optional`. A relative source file is looked for
/// beside the configuration. The error is a sentence that names the place.
[[nodiscard]] std::expected<CameraConfig, std::string> read_config(const std::filesystem::path& file, bool optional);

}  // namespace sealcam::camera
