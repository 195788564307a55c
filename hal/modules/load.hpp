// SPDX-License-Identifier: Apache-2.0
/// Finds and loads a part of the program that lies in a file of its own, since what it stands on (libavformat with all
/// that hangs on it: 30 MiB and 50 ms) is not to be paid for by those who do not use it.
#pragma once

#include "core/log.hpp"
#include "core/result.hpp"

namespace sealcam::hal::modules {

/// All literals.
struct Wanted {
  const char* file;     ///< "sealcam-replay.so"
  const char* symbol;   ///< its one door; both sides compare the program's version there
  const char* purpose;  ///< begins the log's lines: "replay"
};

/// Looks in each folder of $SEALCAM_MODULE_PATH (colons between, absolute), beside the program, in the installation
/// the program belongs to (../lib/…/sealcam), and in the installed library folder. Returns the address of the symbol.
/// The module stays loaded for good: objects, error texts, threads and tables of its libraries live in it. What went
/// wrong, and what to do about it, is also logged. Thread-safe. Errors: not_found (no such file), unsupported (it does
/// not load, or is none of ours).
[[nodiscard]] Result<void*> load(const Wanted& wanted, Log& log);

}  // namespace sealcam::hal::modules
