// SPDX-License-Identifier: Apache-2.0
/// Invariants that hold or the program is wrong. Always on: a camera that continues with a broken
/// invariant is worse than one that its supervisor restarts.
#pragma once

#include <source_location>

namespace sealcam {

[[noreturn]] void assertion_failed(const char* condition, const std::source_location& where) noexcept;

}  // namespace sealcam

#define SC_ASSERT(condition) \
  (static_cast<bool>(condition) ? void() : ::sealcam::assertion_failed(#condition, std::source_location::current()))
