// SPDX-License-Identifier: Apache-2.0
/// The camera's configuration file; firmware/docs/configuration.md lists the settings.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/types.hpp"
#include "hal/backends.hpp"
#include "hal/media.hpp"

namespace sealcam::camera {

using hal::SourceConfig;

struct CameraConfig {
  SourceConfig source;
  hal::EncoderConfig encoder;  ///< the source has size and rate
  BitsPerSecond min_bitrate = limits::default_min_bitrate;
  LogLevel log = LogLevel::info;
};

/// Reads a file. If it is `optional`, a missing file gives the defaults. The folder of the configuration is the start
/// of a relative source file. `backend` replaces source.backend (option --source) unless it is empty; the settings of
/// another backend then do not apply. The error names the JSON pointer.
[[nodiscard]] std::expected<CameraConfig, std::string> read_config(const std::filesystem::path& file, bool optional,
                                                                   std::string_view backend = {});

}  // namespace sealcam::camera
