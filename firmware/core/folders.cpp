// SPDX-License-Identifier: Apache-2.0
#include "core/folders.hpp"

#include <cstdlib>

namespace sealcam {

namespace fs = std::filesystem;

/// systemd may name several folders, separated by colons; ours is the first.
static fs::path from_systemd(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view list(value);
  return fs::path(list.substr(0, list.find(':')));
}

/// Relative paths in the variable are to be ignored, says the specification.
static fs::path from_xdg(const char* variable, const char* below_home) {
  if (const char* const value = std::getenv(variable); value != nullptr && *value == '/') return value;
  const char* const home = std::getenv("HOME");
  return fs::path(home != nullptr && *home == '/' ? home : "/") / below_home;
}

fs::path configuration_folder() {
  if (auto folder = from_systemd("CONFIGURATION_DIRECTORY"); !folder.empty()) return folder;
  return from_xdg("XDG_CONFIG_HOME", ".config") / "sealcam";
}

fs::path state_folder(std::string_view program) {
  if (auto folder = from_systemd("STATE_DIRECTORY"); !folder.empty()) return folder;
  return from_xdg("XDG_STATE_HOME", ".local/state") / "sealcam" / program;
}

}  // namespace sealcam
