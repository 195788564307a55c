// SPDX-License-Identifier: Apache-2.0
/// Opens recorded pictures through a module that is loaded only now: it needs libavformat with all that hangs
/// on it (30 MiB and 50 ms), which a camera with a sensor must not pay for.
#pragma once

#include <memory>

#include "hal/replay/replay_config.hpp"

namespace sealcam::hal::replay {

/// Loads sealcam-replay.so as hal/modules/load.hpp says. Clock and log must outlive the source. What went wrong, and
/// what to do about it, is also logged. Errors: not_found (module or file), unsupported (module of another build; no
/// decoder for the file), invalid_argument (size, rate), malformed (no pictures in the file), permission, no_memory,
/// io.
[[nodiscard]] Result<std::unique_ptr<FrameSource>> open_replay(const ReplayConfig& config, const Clock& clock,
                                                               Log& log);

}  // namespace sealcam::hal::replay
