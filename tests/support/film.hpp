// SPDX-License-Identifier: Apache-2.0
/// H.264 with numbers in its pictures, for tests of code that handles access units.
#pragma once

#include <vector>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/ffmpeg/codec.hpp"

namespace sealcam::test {

/// The access units of the fake camera 3, 320x240.
inline std::vector<Bytes> film(std::uint32_t count, int keyframe_interval) {
  const FakeClock clock;
  MemoryLog log;
  const auto source =
      hal::fake::FakeSource::open({.size = {320, 240}, .camera = 3, .realtime = false, .count = count}, clock).value();
  hal::EncoderConfig config;
  config.size = {320, 240};
  config.bitrate = BitsPerSecond(300'000);
  config.keyframe_interval = keyframe_interval;
  const auto encoder = hal::ffmpeg::FfmpegEncoder::open(config, log).value();
  std::vector<Bytes> units;
  while (auto picture = source->next(std::chrono::milliseconds(1))) {
    const auto unit = encoder->encode(*picture).value();
    if (unit) units.emplace_back(unit->bytes.begin(), unit->bytes.end());
  }
  return units;
}

}  // namespace sealcam::test
