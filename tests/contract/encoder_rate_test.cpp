// SPDX-License-Identifier: Apache-2.0
#include <catch2/generators/catch_generators.hpp>
#include <fstream>
#include <map>

#include "base/testing/fakes.hpp"
#include "contract/encoder_fixture.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

/// Bits of each access unit.
std::vector<double> sizes(VideoEncoder& encoder, std::uint32_t first, std::uint32_t count, int detail) {
  std::vector<double> bits;
  for (std::uint32_t i = first; i < first + count; ++i)
    bits.push_back(static_cast<double>(encode(encoder, busy_picture({640, 360}, i, detail)).bytes.size()) * 8);
  return bits;
}

double sum(const std::vector<double>& v, std::size_t from, std::size_t count) {
  double s = 0;
  for (std::size_t i = from; i < from + count; ++i) s += v[i];
  return s;
}

std::size_t resident_kib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * 4;
}

}  // namespace

TEMPLATE_TEST_CASE("in each time window the bits stay within VBV buffer and bitrate", "", X264, OpenH264, V4l2M2m) {
  auto config = small_config();
  config.vbv = std::chrono::milliseconds(GENERATE(250, 500));
  const auto encoder = open_encoder<TestType>(config);
  // The scene has cuts, and the test requests additional key frames.
  std::vector<double> bits;
  for (std::uint32_t i = 0; i < 300; ++i) {
    if (i % 40 == 13) encoder->request_keyframe();
    bits.push_back(sizes(*encoder, i, 1, 60)[0]);
  }
  const double rate = config.bitrate.value();
  const double buffer = rate * static_cast<double>(config.vbv.count()) / 1000;
  double worst = 0;
  for (std::size_t window : {1u, 4u, 8u, 15u, 30u, 90u}) {
    const double allowed = buffer + rate * static_cast<double>(window) / config.rate;
    for (std::size_t at = 0; at + window <= bits.size(); ++at) worst = std::max(worst, sum(bits, at, window) / allowed);
  }
  INFO("fullest window: " << worst << " of the limit");
  CHECK(worst < 1.1);
  CHECK(worst > 0.3);  // control: the scene fills a large part of the buffer
}

TEMPLATE_TEST_CASE("a new bitrate takes effect within 30 pictures, without a new key frame", "", X264, OpenH264,
                   V4l2M2m) {
  auto config = small_config();
  config.bitrate = BitsPerSecond(2'000'000);
  config.keyframe_interval = 600;
  const auto encoder = open_encoder<TestType>(config);
  CHECK(encoder->set_bitrate(BitsPerSecond(1000)).error().code == Errc::invalid_argument);
  const auto changed = encoder->set_bitrate(BitsPerSecond(2'000'000));
  if (!changed) {
    CHECK(changed.error().code == Errc::unsupported);
    SKIP(TestType::name << " cannot change the bitrate while it runs");
  }
  std::uint32_t number = 0;
  const auto average = [&](std::uint32_t bitrate) {
    REQUIRE(encoder->set_bitrate(BitsPerSecond(bitrate)));
    bool keyframe = false;
    double bits = 0;
    for (int i = 0; i < 120; ++i, ++number) {
      const auto unit = encode(*encoder, busy_picture({640, 360}, number, 90));
      keyframe = keyframe || unit.keyframe;
      if (i >= 30) bits += static_cast<double>(unit.bytes.size()) * 8;
    }
    CHECK(keyframe == (number == 120));  // only in the first call of average()
    return bits / 3;                     // 90 pictures are three seconds
  };
  const double high = average(2'000'000);
  const double low = average(500'000);
  const double again = average(1'500'000);
  INFO("bit/s: " << high << ", " << low << ", " << again);
  CHECK(high > 1'100'000);
  CHECK(high < 2'400'000);
  CHECK(low < 650'000);
  CHECK(again > 800'000);
  CHECK(again < 1'800'000);
}

TEMPLATE_TEST_CASE("a decoded picture matches the encoded picture of its frame number with 30 dB", "", X264, OpenH264,
                   V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  const FakeClock clock;
  const auto source =
      fake::FakeSource::open({.size = {640, 360}, .camera = 9, .realtime = false, .count = 90}, clock).value();
  std::map<std::uint32_t, OwnedPicture> originals;
  double worst = 99;
  double control = 99;
  while (const auto picture = source->next(1ms)) {
    originals.emplace(picture->number.value(), copy_of(*picture));
    const auto unit = encoder->encode(*picture).value();
    if (!unit) continue;
    const auto shown = decoder->decode(unit->bytes).value();
    REQUIRE(shown);
    const std::uint32_t number = unit->number.value();
    CHECK(fake::read_mark(*shown) == fake::PictureMark{unit->number, 9});
    worst = std::min(worst, luma_psnr(originals.at(number).view(), *shown));
    if (number > 0) control = std::min(control, luma_psnr(originals.at(number - 1).view(), *shown));
  }
  INFO("minimum " << worst << " dB, compared with the previous picture " << control << " dB");
  CHECK(originals.size() == 90);
  CHECK(worst >= 30);
  CHECK(control < 30);  // control: the previous picture has a lower PSNR
}

TEMPLATE_TEST_CASE("the memory of an encoder does not grow with the pictures", "", X264, OpenH264, V4l2M2m) {
  const auto encoder = open_encoder<TestType>(small_config());
  std::vector<OwnedPicture> pictures;
  for (std::uint32_t i = 0; i < 30; ++i) pictures.push_back(busy_picture({640, 360}, i * 30, 40));
  const auto run = [&](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) static_cast<void>(encode(*encoder, pictures[i % pictures.size()]));
  };
  run(200);
  const auto before = resident_kib();
  run(1000);
  const auto after = resident_kib();
  INFO(before << " KiB before, " << after << " KiB after");
  if (!sanitized) CHECK(after < before + 1024);  // sanitizers keep freed memory
}
