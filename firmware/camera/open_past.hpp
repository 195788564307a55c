// SPDX-License-Identifier: Apache-2.0
/// Opens the folder with the sealed frames that the camera keeps while it has no broker.
#pragma once

#include <memory>

#include "base/log.hpp"
#include "camera/camera.hpp"
#include "device/device_state.hpp"
#include "device/file_stores.hpp"
#include "device/past_store.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::camera {

/// Null if the camera is to keep nothing, or cannot. Then nothing of an earlier run is left either: this run would not
/// delete it at a change of privacy, masks or hubs. `epochs`: as the last run left it.
[[nodiscard]] std::unique_ptr<device::PastStore> open_past(const CameraConfig& config, const device::DeviceState& state,
                                                           const device::EpochFile& epochs,
                                                           const protocol::Route& route, Log& log);

}  // namespace sealcam::camera
