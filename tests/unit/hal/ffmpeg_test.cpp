// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"
#include "hal/h264.hpp"
#include "support/film.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;

TEST_CASE("auto logs the chosen encoder and why it rejected others") {
  MemoryLog log;
  EncoderConfig config;
  config.size = {320, 240};
  const auto encoder = ffmpeg::FfmpegEncoder::open(config, log);
  REQUIRE(encoder);
  const std::string name = (*encoder)->name();
  CHECK(log.contains("encoder: " + name + " (auto)"));
  for (const std::string other : {"h264_v4l2m2m", "libx264"}) {
    if (other == name) break;
    CHECK(log.contains("encoder: not " + other + ": "));
  }
}

TEST_CASE("an encoder rejects an invalid configuration with the name of the setting") {
  MemoryLog log;
  const auto rejected = [&](auto change, Errc code = Errc::invalid_argument) {
    EncoderConfig config;
    config.size = {320, 240};
    change(config);
    const auto r = ffmpeg::FfmpegEncoder::open(config, log);
    return !r && r.error().code == code;
  };
  CHECK(rejected([](auto& c) { c.size = {321, 240}; }));
  CHECK(rejected([](auto& c) { c.size = {320, 241}; }));
  CHECK(rejected([](auto& c) { c.size = {}; }));
  CHECK(rejected([](auto& c) { c.rate = 0; }));
  CHECK(rejected([](auto& c) { c.bitrate = BitsPerSecond(24'999); }));
  CHECK(rejected([](auto& c) { c.keyframe_interval = 0; }));
  CHECK(rejected([](auto& c) { c.format = PixelFormat::h264; }));
  CHECK(rejected([](auto& c) { c.codec = "h265"; }, Errc::not_found));
}

TEST_CASE("settings beyond the limits of the board's encoder lead to another encoder, with a reason in the log") {
  EncoderConfig config;
  config.size = {2592, 1944};
  config.hardware_limits = EncoderLimits{.max_side = 1920};
  const auto open = [&](const char* codec) {
    config.codec = codec;
    MemoryLog log;
    const auto encoder = ffmpeg::FfmpegEncoder::open(config, log);
    const auto lines = log.lines();
    return std::pair{encoder ? (*encoder)->name() : to_string(encoder.error()), lines.empty() ? "" : lines.front()};
  };
  CHECK(open("auto").first != "h264_v4l2m2m");
  CHECK(open("auto").second.contains("not h264_v4l2m2m: the picture's size is beyond this board's encoder"));
  CHECK(open("h264_v4l2m2m").first.contains("beyond this board's encoder"));
  config.size = {320, 240};  // control: no reason, or another one
  CHECK(!open("auto").second.contains("beyond this board's encoder"));
  config.hardware_limits->max_bitrate = BitsPerSecond(1'000'000);
  CHECK(open("auto").second.contains("the bitrate is beyond this board's encoder"));
  config.hardware = false;
  CHECK(!open("auto").second.contains("h264_v4l2m2m"));
}

TEST_CASE("the encoder's parameter sets have the size of its pictures") {
  const auto units = test::film(3, 3);
  for (std::size_t i = 0; i < units.size(); ++i) {
    CHECK(is_picture(units[i], 320, 240, i == 0));
    CHECK(is_picture(units[i], 640, 480, i == 0) == (i != 0));  // a delta has no parameter sets
  }
}

TEST_CASE("the decoder starts at a key frame") {
  const auto units = test::film(12, 6);
  REQUIRE(units.size() == 12);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  for (std::uint32_t i = 1; i < 12; ++i) {
    const auto picture = decoder->decode(units[i]);
    REQUIRE(picture);
    CHECK(picture->has_value() == (i >= 6));
    if (i >= 6) CHECK(fake::read_mark(**picture) == fake::PictureMark{FrameNumber(i), 3});
  }
}

TEST_CASE("a damaged unit is an error, and the decoder continues at the next key frame") {
  auto units = test::film(12, 6);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  for (std::uint32_t i = 0; i < 3; ++i) REQUIRE(decoder->decode(units[i]).value());
  Bytes cut = units[0];
  cut.resize(cut.size() / 2);
  CHECK(decoder->decode(cut).error().code == Errc::malformed);
  CHECK(decoder->decode({}).error().code == Errc::malformed);
  CHECK_FALSE(decoder->decode(units[4]).value());
  for (std::uint32_t i = 6; i < 12; ++i) {
    const auto picture = decoder->decode(units[i]);
    REQUIRE(picture);
    REQUIRE(picture->has_value());
    CHECK(fake::read_mark(**picture)->number == FrameNumber(i));
  }
}

TEST_CASE("flipped bits never crash the decoder") {
  const auto units = test::film(8, 4);
  const auto decoder = ffmpeg::FfmpegDecoder::open().value();
  int rejected = 0;
  for (std::size_t n = 0; n < 400; ++n) {
    Bytes unit = units[n % units.size()];
    unit[(n * 7919) % unit.size()] ^= static_cast<std::byte>(1 << n % 8);
    rejected += decoder->decode(unit) ? 0 : 1;
  }
  CHECK(rejected > 0);
}
