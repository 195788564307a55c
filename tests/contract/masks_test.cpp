// SPDX-License-Identifier: Apache-2.0
/// Privacy masks: no access unit of any encoder, format and size shows a masked area.
#include <catch2/generators/catch_generators.hpp>

#include "contract/encoder_fixture.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "support/allocation_counter.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;

namespace {

constexpr int dark = 40;  // luma of a black area after encoding, with its ringing
constexpr Size size{640, 360};

/// A bright and restless picture, so that each part that is not painted is far from black.
OwnedPicture bright(std::uint32_t number) {
  OwnedPicture picture = busy_picture(size, number, 40);
  for (std::byte& sample : picture.planes[0]) sample = static_cast<std::byte>(160 + std::to_integer<int>(sample) % 70);
  for (int plane : {1, 2})
    for (std::byte& sample : picture.planes[static_cast<std::size_t>(plane)]) sample = std::byte{200};
  return picture;
}

struct Extremes {
  int brightest_masked = 0, darkest_other = 255;
  int color_masked = 0;  // largest distance from gray
};

Extremes measure(const Picture& picture, std::span<const PictureArea> masks) {
  Extremes found;
  for (int y = 0; y < picture.size.height; ++y)
    for (int x = 0; x < picture.size.width; ++x) {
      const auto distance = [&](const PictureArea& m) {
        const int left = m.left * picture.size.width / 1000, right = (m.left + m.width) * picture.size.width / 1000;
        const int top = m.top * picture.size.height / 1000, bottom = (m.top + m.height) * picture.size.height / 1000;
        return std::max({left - x, x - right + 1, top - y, y - bottom + 1});  // <= 0: inside
      };
      const auto nearest = std::ranges::min(masks, {}, distance);
      const auto sample = [&](std::size_t plane, int at_x, int at_y) {
        return std::to_integer<int>(
            picture.planes[plane]
                .data[static_cast<std::size_t>(at_y) * picture.planes[plane].stride + static_cast<std::size_t>(at_x)]);
      };
      const int luma = sample(0, x, y);
      if (distance(nearest) <= 0) {
        found.brightest_masked = std::max(found.brightest_masked, luma);
        for (const std::size_t plane : {1U, 2U})
          found.color_masked = std::max(found.color_masked, std::abs(sample(plane, x / 2, y / 2) - 128));
      } else if (distance(nearest) > 24) {
        found.darkest_other = std::min(found.darkest_other, luma);
      }
    }
  return found;
}

const PictureAreas masks{{0, 0, 250, 400}, {333, 501, 101, 167}, {900, 900, 100, 100}, {500, 0, 1, 1000}};

}  // namespace

TEMPLATE_TEST_CASE("masks hide their areas in pictures of each format, copied, converted and scaled", "", X264,
                   OpenH264, V4l2M2m) {
  const auto format = GENERATE(PixelFormat::yu12, PixelFormat::nv12, PixelFormat::yuyv, PixelFormat::uyvy,
                               PixelFormat::gray, PixelFormat::mjpeg);
  const int divisor = GENERATE(1, 2);
  CAPTURE(static_cast<int>(format), divisor);
  EncoderConfig config = small_config();
  config.bitrate = BitsPerSecond(8'000'000);
  config.picture = size;
  config.size = {size.width / divisor, size.height / divisor & ~1};
  config.format = format;
  const auto encoder = open_encoder<TestType>(config);
  auto decoder = ffmpeg::FfmpegDecoder::open();
  REQUIRE(decoder);
  const auto extremes = [&](std::uint32_t number) {
    const OwnedPicture picture = convert(bright(number), format);
    const auto decoded = (*decoder)->decode(encode(*encoder, picture).bytes);
    REQUIRE(decoded);
    REQUIRE(decoded->has_value());
    return measure(**decoded, masks);
  };
  CHECK(extremes(0).brightest_masked > 150);  // control
  encoder->set_masks(masks);
  for (const std::uint32_t number : {1U, 2U, 3U}) {
    if (number == 3) encoder->request_keyframe();
    const Extremes masked = extremes(number);
    CHECK(masked.brightest_masked < dark);
    CHECK(masked.color_masked < 24);
    CHECK(masked.darkest_other > 100);
  }
  encoder->set_masks({});
  encoder->request_keyframe();
  CHECK(extremes(4).brightest_masked > 150);
}

TEST_CASE("a mask of the whole picture leaves nothing, and the camera's own copy stays untouched") {
  const auto encoder = open_encoder<X264>(small_config());
  encoder->set_masks(PictureAreas{{0, 0, 1000, 1000}});
  const OwnedPicture picture = bright(0);
  const OwnedPicture before = picture;
  auto decoder = ffmpeg::FfmpegDecoder::open();
  REQUIRE(decoder);
  const auto decoded = (*decoder)->decode(encode(*encoder, picture).bytes);
  REQUIRE(decoded);
  CHECK(measure(**decoded, PictureAreas{{0, 0, 1000, 1000}}).brightest_masked < 20);
  CHECK(picture.planes == before.planes);  // a driver's buffer may be read-only
}

TEST_CASE("the luma of the encoder's picture has the masks and is that of the last picture") {
  const auto encoder = open_encoder<X264>(small_config());
  CHECK(encoder->luma().data == nullptr);
  const OwnedPicture picture = bright(0);
  encode(*encoder, picture);
  CHECK(encoder->luma().data == picture.planes[0].data());  // not copied
  encoder->set_masks(masks);
  encode(*encoder, picture);
  const Luma luma = encoder->luma();
  CHECK(luma.size == size);
  CHECK(luma.data[0] == std::byte{16});
  CHECK(luma.data[luma.stride * 200 + 10] == picture.planes[0][std::size_t{200} * 640 + 10]);
}

TEST_CASE("masks allocate nothing per picture") {
  const auto encoder = open_encoder<X264>(small_config());
  encoder->set_masks(masks);
  std::vector<OwnedPicture> pictures;
  for (std::uint32_t i = 0; i < 8; ++i) pictures.push_back(bright(i));
  const auto round = [&] {
    const AllocationCounter allocations;
    for (const auto& picture : pictures) (void)encoder->encode(picture.view());
    return allocations.count();
  };
  round();
  const auto with_masks = round();
  encoder->set_masks({});
  round();
  CHECK(with_masks <= round());  // those of FFmpeg itself
}
