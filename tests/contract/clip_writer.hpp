// SPDX-License-Identifier: Apache-2.0
/// Writes recordings for tests, as phones and editors write them.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "hal/picture.hpp"

namespace sealcam::test {

struct ClipConfig {
  hal::Size size{320, 180};
  std::vector<double> times{};                                  ///< seconds, of each picture
  std::optional<std::array<std::int32_t, 9>> display_matrix{};  ///< as FFmpeg stores it
  std::optional<std::array<std::uint8_t, 4>> cropping{};        ///< pixels: top, bottom, left, right
  int sar_width = 1, sar_height = 1;                            ///< shape of a pixel
  const char* codec = "mpeg4";                                  ///< of FFmpeg
};

/// The four quarters of each picture are gray: left to right, then top to bottom.
inline constexpr std::array<int, 4> quarters{60, 100, 150, 200};

/// The suffix of the file gives the container. Throws on failure.
void write_clip(const std::filesystem::path& path, const ClipConfig& config);

}  // namespace sealcam::test
