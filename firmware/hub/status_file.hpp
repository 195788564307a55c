// SPDX-License-Identifier: Apache-2.0
/// A file for scripts that is replaced as a whole: a reader sees the old text or the new one. Not durable, so that
/// writing it each second does not wait for a disk. Thread-bound.
#pragma once

#include <filesystem>
#include <string_view>

#include "core/result.hpp"

namespace sealcam::hub {

/// Errors: permission, io; the old file is then as it was.
[[nodiscard]] Result<> replace_status_file(const std::filesystem::path& path, std::string_view text);

}  // namespace sealcam::hub
