// SPDX-License-Identifier: Apache-2.0
/// The commands for access to the hub's page: `open` and `token`. They work while the hub runs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/log.hpp"

namespace sealcam::hub {

/// The state folder of `--state DIR`; without it that of this user, or else of the service. Logs a failure.
[[nodiscard]] std::optional<std::filesystem::path> find_state(const std::string& given, Log& log);

/// The address of the page for this user's browser, with a one-time code.
struct OpenOptions {
  std::string state;   ///< empty: the hub of this user, or else of the service
  std::string socket;  ///< empty: by `state`
  bool print = false;  ///< prints the address
  std::string page;    ///< writes a page that leads to the address into this file
};
/// Returns the exit code.
[[nodiscard]] int open_command(const OpenOptions& options, Log& log);

struct TokenOptions {
  std::string state;
  std::string name;
  std::string rights;
  std::string output;  ///< a new file for the token; empty: standard output
  bool json = false;
};
/// Each returns the exit code.
[[nodiscard]] int create_token(const TokenOptions& options, Log& log);
[[nodiscard]] int list_tokens(const TokenOptions& options, Log& log);
[[nodiscard]] int delete_token(const TokenOptions& options, Log& log);

}  // namespace sealcam::hub
