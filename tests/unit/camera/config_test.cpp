// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "build_paths.hpp"
#include "camera/camera.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace sealcam::test;
using hal::Control;

namespace {

std::expected<CameraConfig, std::string> read(std::string_view source) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "camera.json") << R"({"source": )" << source << "}";
  return read_config(folder.path() / "camera.json", false);
}

/// The message behind the file's name, or "good".
std::string problem(std::string_view source) {
  const auto config = read(source);
  if (config) return "good";
  return config.error().substr(config.error().find(": ") + 2);
}

}  // namespace

TEST_CASE("a V4L2 source needs only its backend") {
  const auto config = read(R"({"backend": "v4l2"})");
  REQUIRE(config);
  CHECK(config->source.device == "auto");
  CHECK(config->source.format.empty());
  CHECK(config->source.rate == 0);
  CHECK(config->source.controls.empty());
}

TEST_CASE("a V4L2 source with all settings") {
  const auto config = read(R"({"backend": "v4l2", "device": "/dev/v4l/by-id/usb-camera", "size": "1280x720", "rate": 25,
    "format": "MJPG", "controls": {"exposure": 5000, "gain": "auto", "white_balance": 4500, "hflip": true, "vflip": false}})");
  REQUIRE(config);
  const SourceConfig& s = config->source;
  CHECK(s.device == "/dev/v4l/by-id/usb-camera");
  CHECK(s.format == "MJPG");
  REQUIRE(s.controls.size() == 5);
  const auto value = [&](Control control) {
    return std::ranges::find(s.controls, control, &hal::Setting::control)->value;
  };
  CHECK(value(Control::exposure) == hal::ControlValue{.value = 5000});
  CHECK(value(Control::gain) == hal::ControlValue{.automatic = true});
  CHECK(value(Control::hflip) == hal::ControlValue{.value = 1});
  CHECK(value(Control::vflip) == hal::ControlValue{.value = 0});
}

TEST_CASE("errors of a V4L2 source name the JSON pointer") {
  const auto v4l2 = [](std::string_view more) { return problem(R"({"backend": "v4l2", )" + std::string(more) + "}"); };
  CHECK(v4l2(R"("device": "video0")").starts_with("/source/device: must be auto or the path"));
  CHECK(v4l2(R"("format": "YVYU")") ==
        "/source/format: must be one of auto H264 NV12 NM12 YU12 YM12 YUYV UYVY RGB3 BGR3 GREY MJPG JPEG");
  CHECK(v4l2(R"("controls": [1])") == "/source/controls: must be an object");
  CHECK(v4l2(R"("controls": {"zoom": 2})") ==
        "/source/controls/zoom: unknown control; the controls are exposure, gain, white_balance, focus, hflip, vflip");
  CHECK(v4l2(R"("controls": {"keyframe": true})").starts_with("/source/controls/keyframe: unknown control"));
  CHECK(v4l2(R"("controls": {"frame_rate": 15})") == "/source/controls/frame_rate: is set by /source/rate");
  CHECK(v4l2(R"("controls": {"bitrate": 15})") == "/source/controls/bitrate: is set by /encoder/bitrate");
  CHECK(v4l2(R"("controls": {"hflip": 1})") == "/source/controls/hflip: must be true or false");
  CHECK(v4l2(R"("controls": {"gain": "high"})") == "/source/controls/gain: must be auto or a number");
  CHECK(v4l2(R"("controls": {"gain": true})").starts_with("/source/controls/gain: must be a number"));
  CHECK(v4l2(R"("controls": {})") == "good");
  CHECK(v4l2(R"("realtime": true)") == "/source/realtime: unknown setting");
  CHECK(v4l2(R"("number": 1)") == "/source/number: unknown setting");
  CHECK(problem(R"({"backend": "fake", "device": "auto"})") == "/source/device: unknown setting");
  CHECK(problem(R"({"backend": "v4l"})") == "/source/backend: must be one of fake replay auto v4l2 libcamera");
}

TEST_CASE("a camera keeps pictures without a broker only if its owner switches this on") {
  const auto config = read(R"({"backend": "fake"})");
  REQUIRE(config);
  CHECK_FALSE(config->keep_past);
  const auto on = read(R"({"backend": "fake"}, "outage": {"keep": true})");
  REQUIRE(on);
  CHECK(on->keep_past);
}

TEST_CASE("the limit of kept pictures is 0, or at least 8 MiB") {
  const auto limit = [](std::string_view mib) {
    return problem(R"({"backend": "fake"}, "outage": {"max_mib": )" + std::string(mib) + "}");
  };
  for (const auto* mib : {"1", "7"}) CHECK(limit(mib) == "/outage/max_mib: must be at least 8, or 0");
  for (const auto* mib : {"0", "8", "1048576"}) CHECK(limit(mib) == "good");
}

TEST_CASE("a libcamera source with all settings") {
  const auto plain = read(R"({"backend": "libcamera"})");
  REQUIRE(plain);
  CHECK(plain->source.device == "auto");
  CHECK(plain->source.format.empty());
  const auto config = read(R"({"backend": "libcamera", "device": "imx708", "size": "1280x720", "rate": 25,
                               "format": "YU12", "controls": {"focus": "auto", "vflip": true}})");
  REQUIRE(config);
  CHECK(config->source.device == "imx708");
  CHECK(config->source.format == "YU12");
  REQUIRE(config->source.controls.size() == 2);
  const auto wrong = [](std::string_view more) {
    return problem(R"({"backend": "libcamera", )" + std::string(more) + "}");
  };
  CHECK(wrong(R"("device": "")") == "/source/device: must be auto, or the id or the model of a camera");
  CHECK(wrong(R"("format": "H264")") == "/source/format: must be one of auto NV12 YU12 YUYV MJPG");
  CHECK(wrong(R"("controls": {"zoom": 2})").starts_with("/source/controls/zoom: unknown control"));
  CHECK(wrong(R"("realtime": true)") == "/source/realtime: unknown setting");
}

TEST_CASE("auto accepts only settings that both backends have") {
  const auto plain = read(R"({"backend": "auto"})");
  REQUIRE(plain);
  CHECK(plain->source.backend == "auto");
  CHECK(plain->source.device == "auto");
  CHECK(plain->source.format.empty());
  const auto config = read(R"({"backend": "auto", "device": "auto", "size": "1280x720", "rate": 25, "format": "YUYV",
                               "controls": {"exposure": 5000, "vflip": true}})");
  REQUIRE(config);
  CHECK(config->source.size == hal::Size{1280, 720});
  CHECK(config->source.rate == 25);
  CHECK(config->source.format == "YUYV");
  CHECK(config->source.controls.size() == 2);
  const auto wrong = [](std::string_view more) { return problem(R"({"backend": "auto", )" + std::string(more) + "}"); };
  for (const char* device : {"/dev/video0", "imx708", ""}) {
    CHECK(
        wrong(R"("device": ")" + std::string(device) + '"') ==
        "/source/device: must be auto, because /source/backend is auto; for another device, set /source/backend to its "
        "backend");
  }
  for (const char* format : {"H264", "NM12", "YM12", "JPEG"}) {  // only V4L2 has them
    CHECK(wrong(R"("format": ")" + std::string(format) + '"') ==
          "/source/format: must be one of auto NV12 YU12 YUYV MJPG");
  }
  CHECK(wrong(R"("controls": {"zoom": 2})").starts_with("/source/controls/zoom: unknown control"));
  CHECK(wrong(R"("realtime": true)") == "/source/realtime: unknown setting");
  CHECK(wrong(R"("number": 1)") == "/source/number: unknown setting");
}

TEST_CASE("the default source is auto, also for a service, and --source replaces it") {
  const TemporaryFolder folder;
  const auto none = read_config("/nowhere/camera.json", true);
  REQUIRE(none);
  CHECK(none->source.backend == "auto");
  const auto chosen = read_config("/nowhere/camera.json", true, "fake");
  REQUIRE(chosen);
  CHECK(chosen->source.backend == "fake");
  const auto service = read_config(SEALCAM_SOURCE_DIR "/board/common/camera.json", false);
  REQUIRE(service);
  CHECK(service->source.backend == "auto");
  std::ofstream(folder.path() / "camera.json")
      << R"({"source": {"backend": "v4l2", "device": "/dev/video0", "size": "1280x720", "rate": 25}})";
  const auto replaced = read_config(folder.path() / "camera.json", false, "fake");
  REQUIRE(replaced);
  CHECK(replaced->source.backend == "fake");
  CHECK(replaced->source.device == "auto");
  CHECK(replaced->source.size == hal::Size{1280, 720});
  CHECK(replaced->source.rate == 25);
}
