// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera --list-sensors: the sensors that the configuration can name. Reentrant.
#pragma once

#include <span>
#include <string>

#include "hal/module_backends.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::camera {

/// The cameras of libcamera; empty without its module.
using Cameras = std::span<const hal::libcamera::CameraEntry>;

/// Several lines for people. json_reports.hpp has the same as JSON.
[[nodiscard]] std::string as_text(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// The next step if there is no sensor; empty otherwise.
[[nodiscard]] std::string advice(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// EX_OK, EX_UNAVAILABLE (there is no sensor) or EX_NOPERM (there are devices, but this user may not open them).
[[nodiscard]] int exit_code(const hal::v4l2::Survey& survey, Cameras cameras = {});

}  // namespace sealcam::camera
