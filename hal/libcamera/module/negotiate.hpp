// SPDX-License-Identifier: Apache-2.0
/// Negotiates format, size and orientation with a camera.
#pragma once

#include <libcamera/camera.h>

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/libcamera/module/buffers.hpp"

namespace sealcam::hal::libcamera {

struct Agreed {
  std::unique_ptr<lib::CameraConfiguration> configuration;  ///< one stream, as the camera validated it
  Layout layout;
  Colors colors;
  std::string fourcc;
  bool exact = false;                    ///< the requested size
  std::string reason;                    ///< why this format was chosen; a sentence for the log
  std::vector<std::string> passed_over;  ///< one reason for each other format
};

/// Tries each supported format at the requested size. Chooses the nearest size, then the cheapest format: NV12 and YU12
/// (need no conversion), YUYV (converted), MJPEG (decoded and converted). The camera must not stream. Errors:
/// unsupported (no such format, or no such flip), device_lost.
[[nodiscard]] Result<Agreed> negotiate(lib::Camera& camera, const LibcameraConfig& config,
                                       lib::Orientation orientation);

/// FrameSource::format_id().
[[nodiscard]] std::string id_of(const lib::Camera& camera, std::string_view fourcc);

/// Returns Rotate0 without a flip.
[[nodiscard]] lib::Orientation orientation_of(bool hflip, bool vflip) noexcept;
/// Whether the camera can flip pictures. Also true for pipelines that ignore the orientation.
[[nodiscard]] bool can_flip(lib::Camera& camera);

/// The supported formats, such as "NV12".
[[nodiscard]] std::span<const std::string_view> known_formats() noexcept;
/// All video formats of the camera.
[[nodiscard]] std::vector<OfferedFormat> offered_formats(lib::Camera& camera);

}  // namespace sealcam::hal::libcamera
