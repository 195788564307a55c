// SPDX-License-Identifier: Apache-2.0
/// Pictures for tests of encoders, in each format that a source can deliver.
#pragma once

#include <array>
#include <vector>

#include "hal/fake/fake_source.hpp"
#include "hal/picture.hpp"

namespace sealcam::test {

/// A picture that owns its bytes. Copies are deep; view() is valid as long as the object lives and is not moved.
struct OwnedPicture {
  hal::PixelFormat format = hal::PixelFormat::yu12;
  hal::Size size;
  std::array<Bytes, 3> planes;
  std::array<std::size_t, 3> strides{};
  FrameNumber number;

  [[nodiscard]] hal::Picture view() const;
};

/// A copy without padding.
[[nodiscard]] OwnedPicture copy_of(const hal::Picture& yu12);
/// The same picture in another format, not RGB. FFmpeg's encoder makes mjpeg, which has the full range; the other
/// formats keep the samples.
[[nodiscard]] OwnedPicture convert(const OwnedPicture& yu12, hal::PixelFormat format);

/// A marked scene that is hard to encode: `detail` (0 … 100) is the amplitude of a pattern that moves every picture,
/// with a cut every 45 pictures.
[[nodiscard]] OwnedPicture busy_picture(hal::Size size, std::uint32_t number, int detail);

/// Peak signal to noise ratio of the luma in dB; pictures of one size in YU12.
[[nodiscard]] double luma_psnr(const hal::Picture& a, const hal::Picture& b);

}  // namespace sealcam::test
