// SPDX-License-Identifier: Apache-2.0
/// Pictures of flat colors, and the largest error after they passed through a part of Sealcam.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hal/picture.hpp"

namespace sealcam::test {

/// Red, green and blue, 0 to 255.
using Rgb = std::array<double, 3>;

inline constexpr hal::Size flat_size{320, 240};

/// A YU12 picture of eight fields with the colors, without padding. `meaning`: the samples follow it. The calculation
/// uses the equations of ITU-T H.273, clause 8.3, and not those of a library.
[[nodiscard]] Bytes flat_picture(const hal::Colors& meaning);

/// The same fields as packed pixels of RGB24, or of BGR24 if `blue_first`.
[[nodiscard]] Bytes flat_rgb(bool blue_first, bool full_range);

/// The largest difference of a component, in the middle of the fields, if the samples are shown as `picture.colors`
/// says. `picture`: YU12 of flat_size. `gray`: the matrix of a gray sensor, which shows the luma of the fields.
[[nodiscard]] double color_error(const hal::Picture& picture, std::optional<std::uint8_t> gray = {});

/// The planes of flat_picture().
[[nodiscard]] hal::Picture as_picture(ByteView yu12, const hal::Colors& colors);

}  // namespace sealcam::test
