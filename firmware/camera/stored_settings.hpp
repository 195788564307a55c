// SPDX-License-Identifier: Apache-2.0
/// The owner's settings, as commands brought them: settings.json in the state folder.
#pragma once

#include <filesystem>

#include "camera/camera_config.hpp"
#include "protocol/command.hpp"
#include "stream/capture_control.hpp"

namespace sealcam::camera {

/// Settings of nothing when there is no file. The error is a sentence that names file and next step.
[[nodiscard]] std::expected<protocol::CameraSettings, std::string> read_settings(const std::filesystem::path& file);
/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_settings(const std::filesystem::path& file, const protocol::CameraSettings& settings);

/// The configuration with the owner's settings in the place of its own. A setting beyond what the configuration takes
/// is left out, and logged.
[[nodiscard]] CameraConfig with_settings(CameraConfig config, const protocol::CameraSettings& settings, Log& log);

/// Where the stream begins, and what it goes back to on a good network.
[[nodiscard]] stream::Quality best_quality(const CameraConfig& config);

}  // namespace sealcam::camera
