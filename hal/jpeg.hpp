// SPDX-License-Identifier: Apache-2.0
/// Finds the start and the size of a JPEG picture from a sensor (ITU-T T.81).
#pragma once

#include "base/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal {

/// `picture` has the size that the driver reported, and in plane 0 the bytes that the sensor delivered. Moves the plane
/// to the start of image, which some sensors precede with other bytes. Sets the size from the frame header, because
/// some drivers report another one; odd sides lose one pixel. A picture that is only padded to whole blocks keeps the
/// driver's size, and the decoder crops it. Reentrant. Allocates nothing. Errors: corrupt_frame.
[[nodiscard]] Result<> adopt_jpeg(Picture& picture) noexcept;

}  // namespace sealcam::hal
