// SPDX-License-Identifier: Apache-2.0
#include <catch2/generators/catch_generators.hpp>

#include "contract/encoder_fixture.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "support/allocation_counter.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;

namespace {

/// Reads Exp-Golomb numbers (clause 9.1) from the first bytes of a NAL unit.
class BitReader {
 public:
  explicit BitReader(ByteView bytes) : bytes_(bytes) {}
  unsigned ue() {
    int zeros = 0;
    while (bit() == 0) ++zeros;
    unsigned value = 1;
    for (int i = 0; i < zeros; ++i) value = value << 1 | bit();
    return value - 1;
  }

 private:
  unsigned bit() {
    const std::size_t at = at_++;
    REQUIRE(at / 8 < bytes_.size());
    return std::to_integer<unsigned>(bytes_[at / 8]) >> (7 - at % 8) & 1;
  }
  ByteView bytes_;
  std::size_t at_ = 0;
};

/// slice_type modulo 5 of every slice: 0 P, 1 B, 2 I (table 7-6).
std::vector<unsigned> slice_types(ByteView access_unit) {
  std::vector<unsigned> types;
  NalReader reader(access_unit);
  while (const auto unit = reader.next()) {
    if (unit->type() != NalType::slice && unit->type() != NalType::idr_slice) continue;
    BitReader bits(unit->bytes.subspan(1));
    static_cast<void>(bits.ue());  // first_mb_in_slice
    types.push_back(bits.ue() % 5);
  }
  return types;
}

/// The mean of each four pixels of the luma. Chroma is not set.
OwnedPicture halved(const OwnedPicture& yu12) {
  OwnedPicture half{.size = {yu12.size.width / 2, yu12.size.height / 2}, .planes = {}, .number = yu12.number};
  half.strides[0] = static_cast<std::size_t>(half.size.width);
  half.planes[0].resize(half.strides[0] * static_cast<std::size_t>(half.size.height));
  for (std::size_t i = 0; i < half.planes[0].size(); ++i) {
    const std::size_t from = i / half.strides[0] * 2 * yu12.strides[0] + i % half.strides[0] * 2;
    unsigned sum = 2;
    for (const std::size_t at : {from, from + 1, from + yu12.strides[0], from + yu12.strides[0] + 1})
      sum += std::to_integer<unsigned>(yu12.planes[0][at]);
    half.planes[0][i] = static_cast<std::byte>(sum / 4);
  }
  return half;
}

}  // namespace

TEMPLATE_TEST_CASE("an encoder returns one numbered access unit per picture without delay and without B-frames", "",
                   X264, OpenH264, V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  std::uint32_t number = 5;
  for (int i = 0; i < 120; ++i) {
    number += i % 7 == 0 ? 3u : 1u;  // a sensor loses pictures
    const auto unit = encode(*encoder, busy_picture({640, 360}, number, 20));
    REQUIRE(unit.number == FrameNumber(number));
    const auto info = check_access_unit(unit.bytes);
    REQUIRE(info);
    CHECK(info->keyframe == unit.keyframe);
    for (const unsigned type : slice_types(unit.bytes)) CHECK((type == 0 || (type == 2 && unit.keyframe)));
  }
}

TEMPLATE_TEST_CASE("key frames come first, at the interval and on request, and at no other time", "", X264, OpenH264,
                   V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  std::vector<int> keys;
  for (int i = 0; i < 160; ++i) {
    if (i == 7 || i == 8 || i == 100) encoder->request_keyframe();
    const auto unit = encode(*encoder, busy_picture({640, 360}, static_cast<std::uint32_t>(i), 20));
    if (!unit.keyframe) continue;
    keys.push_back(i);
    const auto info = check_access_unit(unit.bytes);  // SPS and PPS before the slices
    REQUIRE(info);
    CHECK(info->keyframe);
  }
  // The interval begins at the last key frame. An encoder that counts from the first one would add key frames.
  CHECK(keys == std::vector<int>{0, 7, 8, 58, 100, 150});
}

TEMPLATE_TEST_CASE("pictures of each format are encoded correctly", "", X264, OpenH264, V4l2M2m) {
  constexpr std::array formats{PixelFormat::yu12, PixelFormat::nv12, PixelFormat::yuyv, PixelFormat::uyvy,
                               PixelFormat::mjpeg};
  for (const auto configured : formats) {
    auto config = small_config();
    config.format = configured;
    config.bitrate = BitsPerSecond(3'000'000);
    const auto encoder = open_encoder<TestType>(config);
    const auto decoder = ffmpeg::FfmpegDecoder::open().value();
    std::uint32_t number = 0;
    std::vector order{configured};
    order.insert(order.end(), formats.begin(), formats.end());
    for (const auto format : order) {
      for (int i = 0; i < 3; ++i) {
        const auto original = busy_picture({640, 360}, number++, 10);
        const auto unit = encode(*encoder, convert(original, format));
        const auto shown = decoder->decode(unit.bytes).value();
        REQUIRE(shown);
        CHECK(fake::read_mark(*shown) == fake::PictureMark{original.number, 1});
        INFO("configured for " << static_cast<int>(configured) << ", picture " << static_cast<int>(format));
        CHECK(luma_psnr(original.view(), *shown) > 32);
      }
    }
  }
}

TEMPLATE_TEST_CASE("pictures of each format are scaled to the size of the encoder", "", X264, OpenH264, V4l2M2m) {
  auto config = small_config();
  config.picture = {1280, 720};
  config.bitrate = BitsPerSecond(3'000'000);
  const auto encoder = open_encoder<TestType>(config);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  std::uint32_t number = 0;
  for (const auto format : {PixelFormat::yu12, PixelFormat::nv12, PixelFormat::yuyv, PixelFormat::mjpeg}) {
    const auto original = busy_picture({1280, 720}, number++, 10);
    const auto unit = encode(*encoder, convert(original, format));
    const auto shown = decoder->decode(unit.bytes).value();
    REQUIRE(shown);
    INFO("picture " << static_cast<int>(format));
    CHECK(shown->size == Size{640, 360});
    CHECK(luma_psnr(halved(original).view(), *shown) > 30);
  }
  const auto wrong = encoder->encode(busy_picture({640, 360}, number, 10).view());
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == Errc::invalid_argument);
}

TEMPLATE_TEST_CASE("the caller may overwrite a picture as soon as the encoder returns", "", X264, OpenH264, V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  for (std::uint32_t i = 0; i < 30; ++i) {
    auto picture = busy_picture({640, 360}, i, 20);
    const auto unit = encode(*encoder, picture);
    for (auto& plane : picture.planes) std::ranges::fill(plane, std::byte{0});
    CHECK(fake::read_mark(decoder->decode(unit.bytes).value().value())->number == FrameNumber(i));
  }
}

TEMPLATE_TEST_CASE("a picture of another size or of format h264 is rejected, and the encoder still works", "", X264,
                   OpenH264, V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  CHECK(encoder->encode(busy_picture({320, 240}, 0, 20).view()).error().code == Errc::invalid_argument);
  auto compressed = busy_picture({640, 360}, 0, 20).view();
  compressed.format = PixelFormat::h264;
  CHECK(encoder->encode(compressed).error().code == Errc::invalid_argument);
  auto broken = convert(busy_picture({640, 360}, 0, 20), PixelFormat::mjpeg);
  broken.strides[0] /= 8;
  CHECK_FALSE(encoder->encode(broken.view()));
  CHECK(encode(*encoder, busy_picture({640, 360}, 1, 20)).keyframe);
}

TEMPLATE_TEST_CASE("in steady state Sealcam allocates nothing", "", X264, OpenH264, V4l2M2m) {
  auto config = small_config();
  config.format = GENERATE(PixelFormat::yu12, PixelFormat::yuyv);
  const auto encoder = open_encoder<TestType>(config);
  std::vector<OwnedPicture> pictures;
  for (std::uint32_t i = 0; i < 8; ++i) pictures.push_back(convert(busy_picture({640, 360}, i, 20), config.format));
  const auto run = [&](int count) {
    for (int i = 0; i < count; ++i) {
      if (i % 20 == 0) encoder->request_keyframe();
      if (!encoder->encode(pictures[static_cast<std::size_t>(i) % 8].view())) return false;
    }
    return true;
  };
  REQUIRE(run(60));
  const AllocationCounter counter;
  const bool good = run(200);
  const auto count = counter.count();
  CHECK(good);
  CHECK(count == 0);
  // Control: the counter detects an allocation.
  const auto one = std::make_unique<int>(1);
  CHECK(counter.count() > count);
}
