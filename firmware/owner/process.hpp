// SPDX-License-Identifier: Apache-2.0
/// This program, run again: a key store belongs to one process, so every device's keys are made in one of their own.
#pragma once

#include <string>
#include <vector>

#include "owner/failure.hpp"

namespace sealcam::owner {

/// Runs this program with `arguments` and waits. What it writes to standard error passes through; its standard output
/// is not shown. Fails with its exit code and no further words when it failed.
[[nodiscard]] Outcome<> run_self(const std::vector<std::string>& arguments);

}  // namespace sealcam::owner
