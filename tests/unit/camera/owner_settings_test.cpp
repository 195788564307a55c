// SPDX-License-Identifier: Apache-2.0
#include "camera/owner_settings.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "camera/capture_factory.hpp"
#include "hal/testing/fake_board.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;
using protocol::CameraSettings;

TEST_CASE("the owner's settings are read as they were written") {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "settings.json";
  CHECK(read_settings(file) == CameraSettings{});
  for (const auto& settings :
       {CameraSettings{}, CameraSettings{BitsPerSecond(700'000), CameraSettings::Size{1280, 720}, 15U},
        CameraSettings{{}, CameraSettings::Size{640, 480}, {}},
        CameraSettings{{}, {}, {}, PictureAreas(8, {990, 995, 10, 5}), 0U, PictureAreas{{0, 0, 1000, 1000}}},
        CameraSettings{.masks = PictureAreas(), .motion = 100U}}) {
    REQUIRE(write_settings(file, settings));
    CHECK(read_settings(file) == settings);
  }
}

TEST_CASE("the error of a damaged file names the file and the next step") {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "settings.json";
  for (const char* content :
       {"", "{}", R"({"version": 2})", R"({"version": 1, "width": 640})", R"({"version": 1, "bitrate": 0})",
        R"({"version": 1, "color": true})", R"({"version": 1, "masks": ["0,0,0,1"]})",
        R"({"version": 1, "masks": "0,0,1,1"})", R"({"version": 1, "motion": 101})",
        R"({"version": 1, "zones": ["0,0,1,1", "0,0,1,1", "0,0,1,1", "0,0,1,1", "0,0,1,1",
                                                          "0,0,1,1", "0,0,1,1", "0,0,1,1", "0,0,1,1"]})"}) {
    REQUIRE(write_file_durably(file, as_bytes(content)));
    const auto read = read_settings(file);
    REQUIRE_FALSE(read);
    CHECK(read.error().contains(file.string()));
    CHECK(read.error().contains("delete the file"));
  }
}

TEST_CASE("the owner's settings override the configuration if they are valid") {
  MemoryLog log;
  CameraConfig config;
  config.min_bitrate = BitsPerSecond(150'000);
  const auto good = with_settings(config, {BitsPerSecond(100'000), CameraSettings::Size{1280, 720}, 15U}, log);
  CHECK(good.encoder.bitrate == BitsPerSecond(100'000));
  CHECK(good.min_bitrate == BitsPerSecond(100'000));
  CHECK(good.source.size == hal::Size{1280, 720});
  CHECK(good.source.rate == 15);
  CHECK(best_quality(good).bitrate == BitsPerSecond(100'000));
  CHECK(log.lines().empty());
  const auto bad = with_settings(config, {BitsPerSecond(24'999), CameraSettings::Size{1281, 720}, 121U}, log);
  CHECK(bad.encoder.bitrate == config.encoder.bitrate);
  CHECK(bad.source.size == config.source.size);
  CHECK(bad.source.rate == config.source.rate);
  CHECK(log.lines().size() == 3);
}

TEST_CASE("masks, sensitivity and zones come from the owner's settings alone") {
  MemoryLog log;
  const auto none = with_settings({}, {}, log);
  CHECK(none.areas.masks.empty());
  CHECK(none.areas.sensitivity == 50);
  const auto set = with_settings(
      {}, {.masks = PictureAreas{{1, 2, 3, 4}}, .motion = 0U, .zones = PictureAreas{{0, 0, 500, 1000}, {5, 6, 7, 8}}},
      log);
  REQUIRE(set.areas.masks.list().size() == 1);
  CHECK(set.areas.masks.list()[0] == PictureArea{1, 2, 3, 4});
  CHECK(set.areas.sensitivity == 0);
  CHECK(set.areas.zones.list().size() == 2);
}

TEST_CASE("the reset button needs five seconds, and is not read again after an error") {
  MemoryLog log;
  auto owned = std::make_unique<hal::testing::FakeButton>();
  auto& line = *owned;
  ResetButton button(std::move(owned), log);
  MonotonicTime now;
  const auto reads = [&](int n) {
    bool pressed = false;
    for (int i = 0; i < n; ++i) pressed |= button.long_pressed(now = now + 100ms);
    return pressed;
  };
  CHECK_FALSE(reads(5));
  line.held = true;
  CHECK_FALSE(reads(49));
  CHECK(reads(3));
  line.held = false;
  CHECK_FALSE(reads(1));
  line.held = true;
  line.error = Errc::device_lost;
  CHECK_FALSE(reads(100));
  CHECK(log.lines().size() == 1);
  ResetButton none(nullptr, log);
  CHECK_FALSE(none.long_pressed(now));
}
