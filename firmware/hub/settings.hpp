// SPDX-License-Identifier: Apache-2.0
/// The hub's configuration file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/log.hpp"

namespace sealcam::hub {

/// The configuration file hub.json; firmware/docs/configuration.md lists the settings.
struct Settings {
  std::string listen = "127.0.0.1:8420";
  LogLevel log = LogLevel::info;
  unsigned verify_threads = 0;  ///< 0: the number of cores minus one
};

struct Address {
  std::string host;  ///< numeric, loopback
  std::uint16_t port = 0;
};
/// Parses `127.0.0.1:8420` or `[::1]:8420`; port 0 lets the system choose one. Returns nothing for other addresses.
[[nodiscard]] std::optional<Address> parse_listen(const std::string& text);

/// Reads the file. If it is `optional`, a missing file counts as empty. On failure `why` gets the message.
[[nodiscard]] std::optional<Settings> read_settings(const std::filesystem::path& file, bool optional, std::string& why);

}  // namespace sealcam::hub
