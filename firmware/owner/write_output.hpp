// SPDX-License-Identifier: Apache-2.0
/// A whole output of a command, with the failure of a command.
#pragma once

#include <filesystem>

#include "base/bytes.hpp"
#include "owner/failure.hpp"

namespace sealcam::owner {

/// Writes it as an OutputFile. The failure names the path.
[[nodiscard]] Outcome<> write_output(const std::filesystem::path& path, ByteView content);

}  // namespace sealcam::owner
