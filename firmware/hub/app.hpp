// SPDX-License-Identifier: Apache-2.0
/// The hub as a whole: joins state, broker, verifiers, watcher and page on one network thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/log.hpp"
#include "hub/settings.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::hub {

struct AppConfig {
  Settings settings;
  std::optional<std::filesystem::path> status;  ///< absolute
};

/// Runs until SIGTERM or SIGINT. Returns the exit code; what went wrong was logged.
[[nodiscard]] int run_app(const AppConfig& config, const pairing::DeviceState& state,
                          const pairing::Enrolment& enrolment, Log& log);

}  // namespace sealcam::hub
