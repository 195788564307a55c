// SPDX-License-Identifier: Apache-2.0
/// The owner's settings and commands, as far as they change the camera's state folder.
#pragma once

#include <expected>
#include <filesystem>
#include <string>

#include "camera/capture_factory.hpp"
#include "camera/wifi_controller.hpp"
#include "device/enrollment.hpp"
#include "protocol/command.hpp"
#include "stream/publish/command_executor.hpp"

namespace sealcam::camera {

/// Reads settings.json of the state folder. A missing file gives no settings. The error names the file and the next
/// step.
[[nodiscard]] std::expected<protocol::CameraSettings, std::string> read_settings(const std::filesystem::path& file);
/// Atomic and durable. Errors: permission, io.
[[nodiscard]] Result<> write_settings(const std::filesystem::path& file, const protocol::CameraSettings& settings);

/// The configuration with the owner's settings. Ignores a setting that the configuration would not accept, and logs a
/// warning.
[[nodiscard]] CameraConfig with_settings(CameraConfig config, const protocol::CameraSettings& settings, Log& log);

/// The quality at the start, and later on a fast network.
[[nodiscard]] stream::Quality best_quality(const CameraConfig& config);

/// Applies the owner's commands. Writes each change to disk before it takes effect. Thread-bound to the network thread.
class StateActions final : public stream::CommandActions {
 public:
  /// The references must live longer than this object.
  struct Dependencies {
    const device::StateFiles& files;
    const CameraConfig& configured;  ///< the configuration file without the owner's settings
    ConfiguredCapture& capture;
    stream::CaptureControl& control;
    WifiController& wifi;
    Log& log;
  };
  StateActions(const Dependencies& deps, device::Enrollment enrollment, CameraConfig effective)
      : deps_(deps), enrollment_(std::move(enrollment)), effective_(std::move(effective)) {}

 private:
  Result<> do_rename(std::string_view name) override;
  Result<stream::Quality> do_change(const protocol::CameraSettings& settings) override;
  Result<> do_join(const protocol::Wifi& wifi) override;

  Dependencies deps_;
  device::Enrollment enrollment_;
  CameraConfig effective_;
};

}  // namespace sealcam::camera
