// SPDX-License-Identifier: Apache-2.0
/// Films for the motion detector, made of real clips: an empty place, people who walk through a part of it, and noise,
/// rain and light that the test adds. 5 pictures a second, brightness only.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/picture_area.hpp"
#include "hal/picture.hpp"

namespace sealcam::test {

using Samples = std::vector<std::uint8_t>;  ///< rows without padding

struct Clip {
  hal::Size size;
  std::vector<Samples> pictures;
  Samples empty;  ///< the median of the pictures: the place without people
};

inline const std::filesystem::path clip_folder = "/usr/share/doc/opencv-doc/examples/data";

/// Takes every n-th picture of a file in `clip_folder`, several times if the file has fewer than 5 a second. Fails the
/// test if it cannot be read.
[[nodiscard]] Clip load_clip(const char* name, hal::Size size, int every, std::size_t repeat = 1);

/// A part of a clip in which something moves.
struct MarkedEvent {
  PictureArea area;
  std::size_t first = 0, last = 0;  ///< pictures
};
[[nodiscard]] std::vector<MarkedEvent> marked_events();

/// What the test adds to each picture.
struct Weather {
  std::string name;
  float noise = 2;  ///< standard deviation of each sample
  float light = 1;  ///< factor of the brightness
  int drops = 0;    ///< streaks of rain in a picture
};

/// Changes pictures in place. Repeatable: the same calls give the same pictures.
class Effects {
 public:
  Effects();
  void noise(Samples& samples, float deviation);
  void rain(Samples& samples, hal::Size size, int drops);
  /// `tilt`: how much brighter the right side is, for a lamp at the side.
  static void light(Samples& samples, hal::Size size, float factor, float tilt = 0);
  void apply(Samples& samples, hal::Size size, const Weather& weather);
  [[nodiscard]] std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

 private:
  std::mt19937 random_{7};
  std::vector<std::int8_t> gauss_;  // 20 is one standard deviation
};

/// The empty place with one area of a picture.
[[nodiscard]] Samples with_area(const Clip& clip, std::size_t picture, const PictureArea& area, bool mirrored);

}  // namespace sealcam::test
