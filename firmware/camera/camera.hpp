// SPDX-License-Identifier: Apache-2.0
/// The running camera: connects all parts. One thread for the network, one for sensor and encoder.
#pragma once

#include <filesystem>

#include "camera/camera_config.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"

namespace sealcam::camera {

struct RunOptions {
  CameraConfig config;
  std::filesystem::path status_file;  ///< absolute; empty: none
  MonotonicTime started;              ///< of the process
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
