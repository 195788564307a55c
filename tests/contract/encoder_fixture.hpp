// SPDX-License-Identifier: Apache-2.0
/// The encoders for which the contract suite runs.
#pragma once

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "contract/pictures.hpp"
#include "hal/ffmpeg/codec.hpp"

namespace sealcam::test {

struct X264 {
  static constexpr const char* name = "libx264";
};
struct OpenH264 {
  static constexpr const char* name = "libopenh264";
};
struct V4l2M2m {
  static constexpr const char* name = "h264_v4l2m2m";
};

/// Skips the test if this machine does not have the encoder. Any other error fails the test.
template <class Codec>
std::unique_ptr<hal::VideoEncoder> open_encoder(hal::EncoderConfig config) {
  MemoryLog log;
  config.codec = Codec::name;
  auto encoder = hal::ffmpeg::FfmpegEncoder::open(config, log);
  if (!encoder) {
    const bool hardware = std::string_view(Codec::name) == V4l2M2m::name;
    if (hardware || encoder.error().code == Errc::not_found)
      SKIP(Codec::name << " is missing on this machine: " << to_string(encoder.error()));
    FAIL(to_string(encoder.error()));
  }
  return std::move(*encoder);
}

inline hal::EncoderConfig small_config() {
  hal::EncoderConfig config;
  config.size = {640, 360};
  config.bitrate = BitsPerSecond(1'000'000);
  config.keyframe_interval = 50;
  return config;
}

/// The access unit of the picture. Software encoders must return it at once.
inline hal::AccessUnit encode(hal::VideoEncoder& encoder, const OwnedPicture& picture) {
  const auto unit = encoder.encode(picture.view());
  INFO((unit ? std::string() : to_string(unit.error())));
  REQUIRE(unit);
  REQUIRE(unit->has_value());
  return **unit;
}

}  // namespace sealcam::test
