// SPDX-License-Identifier: Apache-2.0
// The H.264 decoder of the hub. The input is up to four access units, each after its length (two bytes). FFmpeg has its
// own fuzzers. This one searches for faults in Sealcam's code around it, and limits time and memory.
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "input.hpp"

using namespace sealcam;

namespace {

/// Reads bytes of each plane.
void read_picture(const hal::Picture& picture) {
  SC_ASSERT(hal::is_valid(picture.size) && picture.format == hal::PixelFormat::yu12);
  unsigned sum = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto shift = i == 0 ? 0 : 1;
    const auto width = static_cast<std::size_t>(picture.size.width >> shift);
    const auto height = static_cast<std::size_t>(picture.size.height >> shift);
    SC_ASSERT(picture.planes[i].data != nullptr && picture.planes[i].stride >= width);
    for (std::size_t row = 0; row < height; row += 16)
      sum += std::to_integer<unsigned>(picture.planes[i].data[row * picture.planes[i].stride + width - 1]);
  }
  [[maybe_unused]] static volatile unsigned read;
  read = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input in(data, size);
  const auto decoder = hal::ffmpeg::FfmpegDecoder::open();
  SC_ASSERT(decoder.has_value());
  for (int i = 0; i < 4 && !in.empty(); ++i) {
    const auto unit = in.take(in.number<std::uint16_t>());
    const auto info = hal::check_access_unit(unit);
    const auto picture = (*decoder)->decode(unit);
    if (!info) SC_ASSERT(!picture.has_value());
    if (picture && *picture) read_picture(**picture);
  }
  return 0;
}
