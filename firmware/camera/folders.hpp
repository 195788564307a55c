// SPDX-License-Identifier: Apache-2.0
/// Where the camera's files lie when nobody says (firmware/README.md).
#pragma once

#include <filesystem>

namespace sealcam::camera {

/// $CONFIGURATION_DIRECTORY/camera.json under systemd, else $XDG_CONFIG_HOME/sealcam/camera.json.
[[nodiscard]] std::filesystem::path default_config_file();
/// $STATE_DIRECTORY under systemd, else $XDG_STATE_HOME/sealcam/camera.
[[nodiscard]] std::filesystem::path default_state_folder();

}  // namespace sealcam::camera
