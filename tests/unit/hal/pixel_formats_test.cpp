// SPDX-License-Identifier: Apache-2.0
// Flat colors of each uncompressed format, after the encoder and the decoder.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "base/testing/fakes.hpp"
#include "hal/ffmpeg/codec.hpp"

using namespace sealcam;
using namespace sealcam::hal;

namespace {

constexpr Size size{64, 48};

/// Y, Cb and Cr of the decoded picture.
std::array<int, 3> decoded(PixelFormat format, std::initializer_list<int> two_pixels) {
  MemoryLog log;
  const auto encoder =
      ffmpeg::FfmpegEncoder::open(
          {.codec = "libx264", .size = size, .format = format, .bitrate = BitsPerSecond(1'000'000)}, log)
          .value();
  Bytes pixels;
  for (int i = 0; i < size.width / 2 * size.height; ++i)
    for (const int value : two_pixels) pixels.push_back(static_cast<std::byte>(value));
  Picture picture;
  picture.format = format;
  picture.size = size;
  // RGB and gray use all values here.
  picture.colors.full_range =
      format == PixelFormat::rgb24 || format == PixelFormat::bgr24 || format == PixelFormat::gray;
  picture.planes[0] = {pixels.data(), packed_bytes(format) * static_cast<std::size_t>(size.width)};
  REQUIRE(pixels.size() == picture.planes[0].stride * static_cast<std::size_t>(size.height));
  const auto unit = encoder->encode(picture).value();
  REQUIRE(unit);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  const auto shown = decoder->decode(unit->bytes).value();
  REQUIRE(shown);
  std::array<int, 3> samples{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& plane = shown->planes[i];
    samples[i] = std::to_integer<int>(plane.data[plane.stride * (i == 0 ? 24 : 12) + (i == 0 ? 32 : 16)]);
  }
  return samples;
}

bool near(const std::array<int, 3>& a, const std::array<int, 3>& b) {
  UNSCOPED_INFO(a[0] << " " << a[1] << " " << a[2]);
  for (std::size_t i = 0; i < 3; ++i)
    if (std::abs(a[i] - b[i]) > 2) return false;
  return true;
}

}  // namespace

TEST_CASE("each packed format is converted to the colors of the stream") {
  // Red 200, green 30, blue 60 in BT.601 with limited range.
  constexpr std::array color{88, 116, 200};
  CHECK(near(decoded(PixelFormat::rgb24, {200, 30, 60, 200, 30, 60}), color));
  CHECK(near(decoded(PixelFormat::bgr24, {60, 30, 200, 60, 30, 200}), color));
  CHECK(near(decoded(PixelFormat::yuyv, {88, 115, 88, 199}), color));
  CHECK(near(decoded(PixelFormat::uyvy, {115, 88, 199, 88}), color));
  // Gray has full range.
  CHECK(near(decoded(PixelFormat::gray, {0, 0}), {16, 128, 128}));
  CHECK(near(decoded(PixelFormat::gray, {255, 255}), {235, 128, 128}));
}
