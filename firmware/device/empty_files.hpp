// SPDX-License-Identifier: Apache-2.0
/// Files that a power cut emptied.
#pragma once

#include <filesystem>
#include <optional>

namespace sealcam::device {

/// The first file of a state folder that is empty, although its program never writes an empty one. Includes folders
/// below, such as the rosters and the hub of an account. A folder that cannot be read counts as complete.
[[nodiscard]] std::optional<std::filesystem::path> find_empty_file(const std::filesystem::path& folder);

}  // namespace sealcam::device
