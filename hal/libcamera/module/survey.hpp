// SPDX-License-Identifier: Apache-2.0
/// What there is, for --list-sensors.
#pragma once

#include <libcamera/camera_manager.h>

#include "hal/libcamera/libcamera_backend.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// Asks each camera without acquiring it: another program may be using it.
[[nodiscard]] std::vector<CameraEntry> survey(const lib::CameraManager& manager);

}  // namespace sealcam::hal::libcamera
