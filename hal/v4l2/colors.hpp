// SPDX-License-Identifier: Apache-2.0
/// The colors of pictures, from the fields of a driver's format.
#pragma once

#include <cstdint>

#include "hal/picture.hpp"

namespace sealcam::hal::v4l2 {

/// The color fields of v4l2_pix_format and v4l2_pix_format_mplane. 0 means the default, which depends on the others.
struct ColorFields {
  std::uint32_t colorspace = 0, encoding = 0, quantization = 0, transfer = 0;
};

/// Applies the defaults of linux/videodev2.h. Reentrant.
[[nodiscard]] Colors to_colors(std::uint32_t fourcc, const ColorFields& fields) noexcept;

}  // namespace sealcam::hal::v4l2
