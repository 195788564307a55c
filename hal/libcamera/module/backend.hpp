// SPDX-License-Identifier: Apache-2.0
/// The module's inside of LibcameraBackend.
#pragma once

#include "hal/libcamera/libcamera_backend.hpp"

namespace sealcam::hal::libcamera {

/// libcamera allows one camera manager in a process, so there must be no two of these that were used. It starts with
/// the first call, and anew for each call while it found no camera; cameras that come later are then seen without udev
/// too.
[[nodiscard]] std::unique_ptr<LibcameraBackend> make_backend();

}  // namespace sealcam::hal::libcamera
