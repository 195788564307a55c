// SPDX-License-Identifier: Apache-2.0
/// A running camera: everything joined, one thread for the network, one for sensor and encoder.
#pragma once

#include <filesystem>

#include "camera/camera_config.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::camera {

struct RunOptions {
  CameraConfig config;
  std::filesystem::path status_file;  ///< absolute; empty: none
  MonotonicTime started;              ///< of the process
};

enum class End {
  stopped,
  reset,  ///< the owner or the button wants the state folder to be reset once it is closed
};

/// Runs until SIGTERM, SIGINT, a reset by command or by the board's button, then says offline and ends within a second.
/// Blocks; the caller's thread becomes the network thread. Errors: what keeps it from running at all; each was logged.
[[nodiscard]] Result<End> run_camera(const RunOptions& options, const pairing::DeviceState& state,
                                     const pairing::Enrolment& enrolment, const Clock& clock, Log& log);

}  // namespace sealcam::camera
