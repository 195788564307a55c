// SPDX-License-Identifier: Apache-2.0
/// Format, size and orientation, agreed with a camera.
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
  std::string fourcc;
  bool exact = false;                    ///< the wanted size
  std::string reason;                    ///< why this one, a sentence for the log
  std::vector<std::string> passed_over;  ///< why not, one for each other format
};

/// Offers the camera each format that Sealcam reads at the wanted size and takes, of what the camera makes of it, the
/// size nearest to it and then the format that costs least: NV12 and YU12 (encoders take them as they are), YUYV
/// (converted), MJPEG (decoded and converted). The camera must not stream. Errors: unsupported (no such format; it does
/// not turn its pictures as wanted), device_lost.
[[nodiscard]] Result<Agreed> negotiate(lib::Camera& camera, const LibcameraConfig& config,
                                       lib::Orientation orientation);

/// Reading from left to right, top to bottom, as it is mounted: Rotate0.
[[nodiscard]] lib::Orientation orientation_of(bool hflip, bool vflip) noexcept;
/// Whether the camera turns pictures by itself. Pipelines that ignore what they are asked say yes.
[[nodiscard]] bool can_flip(lib::Camera& camera);

/// "NV12" and so on of what Sealcam reads.
[[nodiscard]] std::span<const std::string_view> known_formats() noexcept;
/// All formats of the camera for video.
[[nodiscard]] std::vector<OfferedFormat> offered_formats(lib::Camera& camera);

}  // namespace sealcam::hal::libcamera
