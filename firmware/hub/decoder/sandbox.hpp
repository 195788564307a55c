// SPDX-License-Identifier: Apache-2.0
/// The restrictions of the process that decodes pictures.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/result.hpp"

namespace sealcam::hub::decoder {

/// Private memory, addresses (with those of libraries), and processor time of one decoder.
inline constexpr std::size_t max_memory = 512U << 20;
inline constexpr std::size_t max_addresses = 2048U << 20;
inline constexpr std::chrono::seconds max_processor_time{4};

/// Limits memory, processor time, files and processes of this process, then installs a system call filter (seccomp(2))
/// for this thread. It permits to read and write open files, to manage memory that is not executable, and to exit. All
/// other system calls fail with EPERM. It cannot be undone. Errors: unsupported (the kernel has no filters).
[[nodiscard]] Result<> enter_sandbox();

}  // namespace sealcam::hub::decoder
