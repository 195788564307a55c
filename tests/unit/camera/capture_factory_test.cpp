// SPDX-License-Identifier: Apache-2.0
#include "camera/capture_factory.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>

#include "base/testing/fakes.hpp"
#include "build_paths.hpp"
#include "hal/h264.hpp"
#include "unit/camera/fake_board_tree.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;

namespace {

/// Opens an encoder like the capture thread. Returns whether the hardware encoder was tried.
bool tries_hardware(ConfiguredCapture& factory, MemoryLog& log) {
  const auto source = factory.open_source();
  REQUIRE(source);
  const auto before = log.lines().size();
  REQUIRE(factory.open_encoder(**source, (*source)->size(), {}));
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

/// A sensor whose driver describes BT.709 with full range. It delivers nothing.
class DescribedSensor final : public hal::FrameSource {
 public:
  explicit DescribedSensor(hal::PixelFormat format) : format_(format) {}

 private:
  Result<hal::Picture> do_next(std::chrono::milliseconds) override { return fail(Errc::timeout, "no picture"); }
  [[nodiscard]] hal::Size do_size() const override { return {320, 240}; }
  [[nodiscard]] hal::PixelFormat do_format() const override { return format_; }
  [[nodiscard]] hal::Colors do_colors() const override { return {.matrix = hal::Colors::bt709, .full_range = true}; }
  [[nodiscard]] double do_rate() const override { return 10; }
  [[nodiscard]] std::string do_describe() const override { return "described"; }
  hal::PixelFormat format_;
};

}  // namespace

TEST_CASE("a hardware encoder that failed is not used for ten minutes") {
  FakeClock clock;
  MemoryLog log;
  ConfiguredCapture factory(small_fake("auto"), std::nullopt, clock, log);
  CHECK(tries_hardware(factory, log));
  factory.encoder_failed("libx264");
  CHECK(tries_hardware(factory, log));
  factory.encoder_failed("h264_v4l2m2m");
  CHECK(log.contains("encodes in software for 10 minutes"));
  CHECK(!tries_hardware(factory, log));
  clock.advance(ConfiguredCapture::hardware_pause - 1s);
  CHECK(!tries_hardware(factory, log));
  clock.advance(1s);
  CHECK(tries_hardware(factory, log));
}

TEST_CASE("the stream of a sensor with JPEG has the limited range, and that of another sensor the sensor's colors") {
  FakeClock clock;
  MemoryLog log;
  ConfiguredCapture factory(small_fake("libx264"), std::nullopt, clock, log);
  const auto drawn = factory.open_source().value();
  const auto picture = drawn->next(1s).value();
  for (const auto format : {hal::PixelFormat::mjpeg, hal::PixelFormat::nv12, hal::PixelFormat::yuyv}) {
    const DescribedSensor sensor(format);
    const auto encoder = factory.open_encoder(sensor, picture.size, {}).value();
    const auto unit = encoder->encode(picture).value().value();
    hal::NalReader reader(unit.bytes);
    std::optional<hal::Colors> colors;
    while (const auto nal = reader.next())
      if (nal->type() == hal::NalType::sps) colors = hal::sps_colors(*nal);
    REQUIRE(colors);
    const bool converted = format == hal::PixelFormat::mjpeg;
    CHECK(colors->full_range == !converted);
    CHECK(colors->matrix == (converted ? hal::Colors::bt601 : hal::Colors::bt709));
  }
}

TEST_CASE("why an encoder cannot be opened is logged once, and each opened encoder is logged") {
  FakeClock clock;
  MemoryLog log;
  const auto attempt = [&](ConfiguredCapture& factory) {
    const auto source = factory.open_source().value();
    const auto before = log.lines().size();
    const bool opened = factory.open_encoder(*source, source->size(), {}).has_value();
    return std::pair(opened, log.lines().size() - before);
  };
  ConfiguredCapture missing(small_fake("h264_v4l2m2m"), std::nullopt, clock, log);
  const auto first = attempt(missing);
  if (first.first) SKIP("this machine has a hardware encoder");
  CHECK(first.second >= 1);
  CHECK(attempt(missing).second == 0);
  CHECK(attempt(missing).second == 0);
  ConfiguredCapture good(small_fake("libx264"), std::nullopt, clock, log);  // control
  CHECK(attempt(good).second == 1);
  CHECK(attempt(good).second == 1);
}

TEST_CASE("the board's data have the limits of its encoder") {
  ::setenv("SEALCAM_BOARDS", SEALCAM_SOURCE_DIR "/board", 1);
  test::FakeBoardTree pi("raspberrypi,4-model-b\0brcm,bcm2711", "Raspberry Pi 4", "6.12.25+rpt-rpi-v8", 4096);
  const auto limits = encoder_limits(hal::board::SystemView(pi.root()));
  REQUIRE(limits);
  CHECK(limits->max_side == 1920);
  CHECK(limits->max_bitrate.value() == 25'000'000);
  CHECK(limits->max_unit_above_720p == 768 * 1024);
  test::FakeBoardTree five("raspberrypi,5-model-b", "Raspberry Pi 5", "6.12.25+rpt-rpi-2712", 4096);
  CHECK(!encoder_limits(hal::board::SystemView(five.root())));
  ::unsetenv("SEALCAM_BOARDS");
}

TEST_CASE("a line that each attempt logs appears once, and again after another line") {
  MemoryLog inner;
  OnceLog log(inner);
  const auto attempt = [&](std::initializer_list<const char*> lines) {
    const auto before = inner.lines().size();
    log.next_attempt();
    for (const char* line : lines) log.warning("{}", line);
    return inner.lines().size() - before;
  };
  CHECK(attempt({"taken", "not YUYV"}) == 2);
  CHECK(attempt({"gone"}) == 1);
  CHECK(attempt({"gone"}) == 0);
  CHECK(attempt({"gone", "and locked"}) == 1);
  CHECK(attempt({"taken", "not YUYV"}) == 2);
  CHECK(attempt({"taken", "not MJPG"}) == 1);
}

TEST_CASE("why a recording cannot be opened is logged once") {
  FakeClock clock;
  MemoryLog log;
  CameraConfig config;
  config.source.backend = "replay";
  config.source.file = "/nowhere/clip.mp4";
  ConfiguredCapture factory(config, std::nullopt, clock, log);
  for (int i = 0; i < 5; ++i) CHECK(factory.open_source().error().code == Errc::not_found);
  CHECK(std::ranges::count_if(log.lines(), [](const auto& line) { return line.contains("replay"); }) == 1);
}

TEST_CASE("OnceLog uses the level of the inner log") {
  MemoryLog inner;
  OnceLog log(inner);
  log.debug("hidden");
  CHECK(inner.lines().empty());
  inner.set_level(LogLevel::debug);
  log.debug("visible");
  CHECK(inner.lines().size() == 1);
}

TEST_CASE("the camera opens the light of the board's data, or logs the activity") {
  ::setenv("SEALCAM_BOARDS", SEALCAM_SOURCE_DIR "/board", 1);
  test::FakeBoardTree tree({"raspberrypi,3-model-b\0brcm,bcm2837", 34}, "Raspberry Pi 3", "6.12.117+deb13-arm64", 905);
  tree.pi_parts();
  const std::string brightness = "/sys/class/leds/ACT/brightness", trigger = "/sys/class/leds/ACT/trigger";
  MemoryLog log;
  {
    const auto light = open_activity_light(hal::board::SystemView(tree.root()), log);
    CHECK(light->set_activity(true));
    CHECK(tree.get(brightness) == "255");
  }
  CHECK(tree.get(brightness) == "0");
  CHECK(tree.get(trigger) == "heartbeat");
  tree.remove("/sys/class/leds");
  CHECK(open_activity_light(hal::board::SystemView(tree.root()), log)->set_activity(true));
  CHECK(log.contains("no activity light, so the log reports the sensor: /sys/class/leds/ACT"));
  CHECK(log.contains("activity: the sensor is on"));
  ::setenv("SEALCAM_BOARDS", "/nowhere", 1);
  CHECK(open_activity_light(hal::board::SystemView(tree.root()), log)->set_activity(true));
  CHECK(log.contains("SEALCAM_BOARDS=/nowhere"));
  ::unsetenv("SEALCAM_BOARDS");
}
