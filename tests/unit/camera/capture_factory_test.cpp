// SPDX-License-Identifier: Apache-2.0
#include "camera/capture_factory.hpp"

#include <catch2/catch_test_macros.hpp>

#include "camera/running_board.hpp"
#include "unit/camera/fake_board_tree.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;

namespace {

/// Opens an encoder as the capture thread does; whether the one in hardware was tried first.
bool tries_hardware(ConfiguredCapture& factory, MemoryLog& log) {
  const auto source = factory.open_source(0);
  REQUIRE(source);
  const auto before = log.lines().size();
  REQUIRE(factory.open_encoder(**source, {}));
  const auto lines = log.lines();
  return std::any_of(lines.begin() + static_cast<std::ptrdiff_t>(before), lines.end(),
                     [](const auto& line) { return line.contains("h264_v4l2m2m"); });
}

CameraConfig small_fake(const char* codec) {
  CameraConfig config;
  config.source.backend = "fake";
  config.source.size = {320, 240};
  config.source.realtime = false;
  config.encoder.codec = codec;
  return config;
}

}  // namespace

TEST_CASE("an encoder in hardware that failed in the stream is left alone for a while") {
  FakeClock clock;
  MemoryLog log;
  ConfiguredCapture factory(small_fake("auto"), std::nullopt, clock, log);
  CHECK(tries_hardware(factory, log));
  factory.encoder_failed("libx264");
  CHECK(tries_hardware(factory, log));
  factory.encoder_failed("h264_v4l2m2m");
  CHECK(log.contains("left alone for 10 minutes"));
  CHECK(!tries_hardware(factory, log));
  clock.advance(ConfiguredCapture::hardware_rest - 1s);
  CHECK(!tries_hardware(factory, log));
  clock.advance(1s);
  CHECK(tries_hardware(factory, log));
}

TEST_CASE("the board's data say what its encoder takes") {
  ::setenv("SEALCAM_BOARDS", SEALCAM_SOURCE_DIR "/board", 1);
  test::FakeBoardTree pi("raspberrypi,4-model-b\0brcm,bcm2711", "Raspberry Pi 4", "6.12.25+rpt-rpi-v8", 4096);
  const auto limits = encoder_limits(hal::board::SystemView(pi.root()));
  REQUIRE(limits);
  CHECK(limits->max_side == 1920);
  CHECK(limits->max_bitrate.value() == 25'000'000);
  CHECK(limits->largest_unit_above_720p == 768 * 1024);
  test::FakeBoardTree five("raspberrypi,5-model-b", "Raspberry Pi 5", "6.12.25+rpt-rpi-2712", 4096);
  CHECK(!encoder_limits(hal::board::SystemView(five.root())));
  ::unsetenv("SEALCAM_BOARDS");
}
