// SPDX-License-Identifier: Apache-2.0
/// The hub's configuration file, command line and folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/log.hpp"

namespace sealcam::hub {

/// The configuration file hub.json; README.md lists the keys.
struct Settings {
  std::string listen = "127.0.0.1:8420";
  LogLevel log = LogLevel::info;
  unsigned verify_threads = 0;  ///< 0: one less than the machine has cores
};

struct Address {
  std::string host;  ///< numeric, loopback
  std::uint16_t port = 0;
};
/// `127.0.0.1:8420` or `[::1]:8420`; port 0 lets the system choose. Nothing when it is no loopback address.
[[nodiscard]] std::optional<Address> parse_listen(const std::string& text);

/// Reads the file; a missing one counts as empty when `optional`. On failure `why` gets a sentence for people.
[[nodiscard]] std::optional<Settings> read_settings(const std::filesystem::path& file, bool optional, std::string& why);

}  // namespace sealcam::hub
