// SPDX-License-Identifier: Apache-2.0
/// sealcam-camera --list-sensors: what there is to configure.
#pragma once

#include <span>
#include <string>

#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/v4l2/discover.hpp"

namespace sealcam::camera {

/// What the other backend lists; empty when its module is not there.
using Cameras = std::span<const hal::libcamera::CameraEntry>;

/// For people, several lines.
[[nodiscard]] std::string as_text(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// One line of JSON; README.md beside this file lists the fields.
[[nodiscard]] std::string as_json(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// What to do when there is no sensor; empty when there is one.
[[nodiscard]] std::string advice(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// 0, EX_UNAVAILABLE (there is none) or EX_NOPERM (there are devices, but none may be opened).
[[nodiscard]] int exit_code(const hal::v4l2::Survey& survey, Cameras cameras = {});

}  // namespace sealcam::camera
