// SPDX-License-Identifier: Apache-2.0
/// Where a program's files lie when nobody says: as a service where systemd puts them (systemd.exec(5):
/// $CONFIGURATION_DIRECTORY, $STATE_DIRECTORY), as a user where the XDG Base Directory Specification does.
#pragma once

#include <filesystem>
#include <string_view>

namespace sealcam {

/// Folder of configuration files: $CONFIGURATION_DIRECTORY, else $XDG_CONFIG_HOME/sealcam.
[[nodiscard]] std::filesystem::path configuration_folder();

/// Folder of one program's state: $STATE_DIRECTORY as it is, else $XDG_STATE_HOME/sealcam/<program>.
[[nodiscard]] std::filesystem::path state_folder(std::string_view program);

}  // namespace sealcam
