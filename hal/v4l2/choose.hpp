// SPDX-License-Identifier: Apache-2.0
/// Which of a device's formats, sizes and rates is taken. Logic only, no device.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "hal/picture.hpp"

namespace sealcam::hal::v4l2 {

/// Pictures per second; a single rate has min == max.
struct RateRange {
  double min = 0, max = 0;
};

/// Sizes from min to max; a single size has min == max.
struct SizeRange {
  Size min, max;
  Size step{1, 1};
  std::vector<RateRange> rates{};  ///< empty: the driver does not say
};

/// One format of a device.
struct Offer {
  std::string fourcc;  ///< V4L2's four characters, such as "NV12" or "NM12"
  PixelFormat format = PixelFormat::yu12;
  std::vector<SizeRange> sizes;
};

struct Wanted {
  Size size{1920, 1080};
  double rate = 0;       ///< pictures per second; 0: 30, or what is nearest to it
  std::string fourcc{};  ///< only this format; empty: the best
};

struct Choice {
  std::size_t offer = 0;  ///< index in the offers
  Size size;
  double rate = 0;  ///< 0: the driver did not say what it can
  bool exact = false;
  std::string reason;                    ///< why this one, a sentence for the log
  std::vector<std::string> passed_over;  ///< why not, one for each other offer
};

/// Nearest to the wanted size, then nearest to the wanted rate, then what costs the camera least: H.264 (no encoder at
/// all), NV12 and YU12 (encoders take them as they are), YUYV (converted), MJPEG (decoded and converted). The nearest
/// size is the one with the smallest sum of the differences in width and height; the nearest rate the one with the
/// smallest ratio, and 5 % are no difference. Reentrant. Errors: not_found (no offer can be used).
[[nodiscard]] Result<Choice> choose(std::span<const Offer> offers, const Wanted& wanted);

}  // namespace sealcam::hal::v4l2
