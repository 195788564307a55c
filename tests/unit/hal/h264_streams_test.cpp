// SPDX-License-Identifier: Apache-2.0
// Streams of other encoders, from the sensor's buffers to decoded pictures.
#include <catch2/catch_test_macros.hpp>

#include "base/bytes.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "unit/hal/openh264_streams.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;

namespace {

/// Splits and decodes each buffer. Returns the number of decoded pictures of this size.
int decoded(std::span<const std::string_view> buffers, Size size) {
  H264Splitter splitter;
  Bytes scratch;
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  int pictures = 0;
  for (const auto hex : buffers) {
    const Bytes buffer = *from_hex(hex);
    const auto units = splitter.split(buffer, scratch);
    REQUIRE(units);
    for (const auto& unit : *units) {
      CHECK(unit.size == size);
      CHECK(is_picture(unit.bytes, size.width, size.height, unit.keyframe));
      const auto picture = decoder->decode(unit.bytes);
      REQUIRE(picture);
      if (*picture && (*picture)->size == size) ++pictures;
    }
  }
  return pictures;
}

}  // namespace

TEST_CASE("each picture of OpenH264 is decoded, with prefix units and with scalable layers") {
  CHECK(decoded(openh264_prefixed, {64, 64}) == std::ssize(openh264_prefixed));
  CHECK(decoded(openh264_scalable, {32, 32}) == std::ssize(openh264_scalable));
}
