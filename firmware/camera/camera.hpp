// SPDX-License-Identifier: Apache-2.0
/// The running camera and its configuration file; firmware/docs/configuration.md lists the settings. One thread for the
/// network, one for sensor and encoder.
#pragma once

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/config.hpp"
#include "base/log.hpp"
#include "base/types.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "hal/backends.hpp"
#include "hal/media.hpp"
#include "stream/capture/capture_control.hpp"

namespace sealcam::camera {

using hal::SourceConfig;

struct CameraConfig {
  SourceConfig source;
  hal::EncoderConfig encoder;  ///< the source has size and rate
  BitsPerSecond min_bitrate = limits::default_min_bitrate;
  stream::AreaSettings areas{};  ///< of the owner's command; the file has none
  bool keep_past = false;        ///< pictures of a time without a broker
  std::uint32_t past_mib = 0;    ///< maximum for them; 0: a quarter of the file system, 2 GiB at most
  LogLevel log = LogLevel::info;
};

/// Reads a file. If it is `optional`, a missing file gives the defaults. The folder of the configuration is the start
/// of a relative source file. `backend` replaces source.backend (option --source) unless it is empty; the settings of
/// another backend then do not apply. The error names the JSON pointer.
[[nodiscard]] std::expected<CameraConfig, std::string> read_config(const std::filesystem::path& file, bool optional,
                                                                   std::string_view backend = {});

struct RunOptions {
  CameraConfig config;
  std::filesystem::path status_file;    ///< absolute; empty: none
  MonotonicTime started;                ///< of the process
  std::filesystem::path update_file{};  ///< status of the updater
};

enum class End {
  stopped,
  reset,  ///< the owner or the button requested a reset; the caller resets the state folder
};

/// Runs until SIGTERM, SIGINT or a reset by a command or the board's button. Then publishes the offline status and
/// returns within a second. The calling thread becomes the network thread. Errors: those that prevent the start.
[[nodiscard]] Result<End> run_camera(const RunOptions& options, const device::DeviceState& state,
                                     const device::Enrollment& enrollment, const Clock& clock, Log& log);

}  // namespace sealcam::camera
