// SPDX-License-Identifier: Apache-2.0
#include "camera/folders.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace sealcam::camera {

namespace fs = std::filesystem;

// systemd.exec(5): several folders are separated by colons; ours is the first.
static fs::path from_systemd(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view text(value);
  return fs::path(text.substr(0, text.find(':')));
}

// XDG Base Directory Specification: relative paths are to be ignored.
static fs::path from_xdg(const char* variable, const char* below_home) {
  if (const char* const value = std::getenv(variable); value != nullptr && fs::path(value).is_absolute()) return value;
  const char* const home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : "/") / below_home;
}

fs::path default_config_file() {
  if (const auto folder = from_systemd("CONFIGURATION_DIRECTORY"); !folder.empty()) return folder / "camera.json";
  return from_xdg("XDG_CONFIG_HOME", ".config") / "sealcam" / "camera.json";
}

fs::path default_state_folder() {
  if (auto folder = from_systemd("STATE_DIRECTORY"); !folder.empty()) return folder;
  return from_xdg("XDG_STATE_HOME", ".local/state") / "sealcam" / "camera";
}

}  // namespace sealcam::camera
