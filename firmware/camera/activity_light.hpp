// SPDX-License-Identifier: Apache-2.0
/// The activity light of the board that this runs on.
#pragma once

#include <memory>

#include "core/log.hpp"
#include "hal/board/system_view.hpp"
#include "hal/board_control.hpp"

namespace sealcam::camera {

/// By the board's data: its LED, or lines in the log where there is none or it cannot be used; the log says which
/// and why. Never null.
[[nodiscard]] std::unique_ptr<hal::BoardControl> open_activity_light(const hal::board::SystemView& system, Log& log);

}  // namespace sealcam::camera
