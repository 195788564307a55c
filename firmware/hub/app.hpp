// SPDX-License-Identifier: Apache-2.0
/// The hub: connects state, broker, verifiers, watcher and page on one network thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "hub/settings.hpp"

namespace sealcam::hub {

struct AppConfig {
  Settings settings;
  std::optional<std::filesystem::path> status;  ///< absolute
  /// The socket for `sealcam-hub open`, for the hub's group; nothing: open.socket in the state folder, for its user.
  std::optional<std::filesystem::path> open_socket;
  std::string open_command;  ///< opens the page of this hub
};

/// Runs until SIGTERM or SIGINT. Logs each error and returns the exit code.
[[nodiscard]] int run_app(const AppConfig& config, const device::DeviceState& state,
                          const device::Enrollment& enrollment, Log& log);

}  // namespace sealcam::hub
