// SPDX-License-Identifier: Apache-2.0
/// The hub and its configuration file: connects state, broker, verifiers, watcher and page on one network thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/types.hpp"
#include "device/device_state.hpp"
#include "device/enrollment.hpp"
#include "hub/events/event_post.hpp"
#include "recordings/status.hpp"

namespace sealcam::hub {

/// Recordings of this hub. Without a camera whose mode is `continuous`, the hub records nothing.
struct RecordingSettings {
  std::filesystem::path folder;                   ///< absolute; empty: recordings/ in the state folder
  std::int64_t max_gib = 0;                       ///< 0: until the disk is full, less the reserve
  std::int64_t max_days = 0;                      ///< 0: no limit
  std::int64_t reserve_mib = 1024;                ///< of the file system; stays free
  recordings::Mode mode = recordings::Mode::off;  ///< of cameras that are not listed
  std::map<DeviceId, recordings::Mode> cameras;

  [[nodiscard]] recordings::Mode mode_of(const DeviceId& camera) const {
    const auto found = cameras.find(camera);
    return found == cameras.end() ? mode : found->second;
  }
  [[nodiscard]] bool enabled() const noexcept;
};

/// The second listener, for phones. Without a folder there is none.
struct PhoneSettings {
  std::string address = "0.0.0.0";  ///< numeric
  std::uint16_t port = 8444;
  std::filesystem::path folder =
      "/usr/share/sealcam/app";  ///< of the app, as in the package; absolute, like the next two
  std::filesystem::path certificate, key;
  std::string broker;  ///< wss://HOST:PORT; empty: each port of the enrollment's broker

  [[nodiscard]] bool enabled() const noexcept { return !certificate.empty(); }
};

/// The configuration file hub.json; firmware/docs/configuration.md lists the settings.
struct Settings {
  std::string listen = "127.0.0.1:8420";
  LogLevel log = LogLevel::info;
  unsigned verify_threads = 0;  ///< 0: the number of cores minus one
  RecordingSettings recordings;
  events::PostSettings event_post;
  PhoneSettings app;
};

struct Address {
  std::string host;  ///< numeric, loopback
  std::uint16_t port = 0;
};
/// Parses `127.0.0.1:8420` or `[::1]:8420`; port 0 lets the system choose one. Returns nothing for other addresses.
[[nodiscard]] std::optional<Address> parse_listen(const std::string& text);

/// Reads the file. If it is `optional`, a missing file counts as empty. On failure `why` gets the message.
[[nodiscard]] std::optional<Settings> read_settings(const std::filesystem::path& file, bool optional, std::string& why);

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
