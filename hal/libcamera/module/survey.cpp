// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/survey.hpp"

#include "hal/libcamera/module/cameras.hpp"
#include "hal/libcamera/module/controls.hpp"
#include "hal/libcamera/module/negotiate.hpp"

namespace sealcam::hal::libcamera {

static std::vector<ControlInfo> controls_of(lib::Camera& camera) {
  double rate = 30;
  lib::ControlList unused(camera.controls());
  const bool rated = set_rate(camera.controls(), rate, unused);
  LibcameraControls controls(camera.controls(), {.rate = rated ? rate : 0, .can_flip = can_flip(camera)});
  return controls.list();
}

std::vector<CameraEntry> survey(const lib::CameraManager& manager) {
  std::vector<CameraEntry> entries;
  for (const auto& camera : manager.cameras())
    entries.push_back(
        {camera->id(), model_of(*camera), location_of(*camera), offered_formats(*camera), controls_of(*camera)});
  return entries;
}

}  // namespace sealcam::hal::libcamera
