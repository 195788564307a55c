// SPDX-License-Identifier: Apache-2.0
#include <sysexits.h>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "base/testing/fakes.hpp"
#include "camera/reports.hpp"
#include "support/fake_v4l2.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;

namespace {

Survey one_sensor() {
  FakeClock clock;
  FakeV4l2 fake(clock);
  fake.offers = {{"YUYV", PixelFormat::yuyv, {{{640, 480}, {640, 480}, {1, 1}, {{30, 30}, {15, 15}}}}},
                 {"NV12", PixelFormat::nv12, {{{32, 32}, {1920, 1080}, {2, 2}, {{1, 60}}}}}};
  fake.controls[V4L2_CID_HFLIP] = {.type = V4L2_CTRL_TYPE_BOOLEAN, .value = 1};
  fake.controls[V4L2_CID_EXPOSURE_ABSOLUTE] = {.min = 3, .max = 2047, .fallback = 250, .value = 100};
  const std::vector<Node> nodes = {{"/dev/v4l/by-id/usb-a", "/dev/video2"}};
  return survey(nodes, fake.opener());
}

}  // namespace

TEST_CASE("the list of sensors as text") {
  CHECK(as_text(one_sensor()) ==
        "/dev/v4l/by-id/usb-a\n"
        "  Fake camera, driver fake, bus test:0\n"
        "  now /dev/video2\n"
        "  YUYV  640x480 at 30, 15/s\n"
        "  NV12  32x32 to 1920x1080 in steps of 2x2 at 1 to 60/s\n"
        "  exposure: 300 to 204700 us, default 25000 us, now 10000 us\n"
        "  hflip: on or off, default off, now on\n");
  CHECK(advice(one_sensor()).empty());
  CHECK(camera::exit_code(one_sensor()) == EX_OK);
}

TEST_CASE("the list of sensors as JSON") {
  const auto json = nlohmann::json::parse(as_json(one_sensor()));
  const auto& sensor = json.at("sensors").at(0);
  CHECK(sensor.at("path") == "/dev/v4l/by-id/usb-a");
  CHECK(sensor.at("device") == "/dev/video2");
  CHECK(sensor.at("driver") == "fake");
  CHECK(sensor.at("multi_planar") == false);
  CHECK(sensor.at("formats").at(0).at("sizes").at(0).at("size") == "640x480");
  CHECK(sensor.at("formats").at(0).at("sizes").at(0).at("rates") == nlohmann::json({30, 15}));
  CHECK(sensor.at("formats").at(1).at("sizes").at(0).at("max") == "1920x1080");
  CHECK(sensor.at("controls").at(0).at("name") == "exposure");
  CHECK(sensor.at("controls").at(0).at("unit") == "us");
  CHECK(sensor.at("controls").at(0).at("max") == 204'700);
  CHECK(sensor.at("controls").at(1).at("value") == true);
  CHECK(json.at("left_out").empty());
}

TEST_CASE("the cameras of libcamera are in the list, too") {
  const std::vector<hal::libcamera::CameraEntry> cameras = {
      {.id = "/base/i2c@1/imx708@1a",
       .model = "imx708",
       .location = "back",
       .formats = {{"NV12", true, {32, 32}, {4608, 2592}}, {"RGB3", false, {64, 64}, {64, 64}}},
       .controls = {{.control = Control::focus, .min = 0, .max = 32, .can_be_automatic = true}}}};
  CHECK(as_text({}, cameras) ==
        "/base/i2c@1/imx708@1a\n"
        "  imx708, libcamera, back\n"
        "  NV12  32x32 to 4608x2592\n"
        "  RGB3  64x64 (not used)\n"
        "  focus: auto or 0 to 32, default 0, now 0\n");
  const auto json = nlohmann::json::parse(as_json(one_sensor(), cameras));
  REQUIRE(json.at("sensors").size() == 2);
  const auto& camera = json.at("sensors").at(1);
  CHECK(camera.at("backend") == "libcamera");
  CHECK(camera.at("id") == "/base/i2c@1/imx708@1a");
  CHECK(camera.at("formats").at(0).at("sizes").at(0).at("max") == "4608x2592");
  CHECK(camera.at("controls").at(0).at("name") == "focus");
  CHECK(camera::exit_code({}, cameras) == EX_OK);
  CHECK(advice({}, cameras).empty());
}

TEST_CASE("without a sensor there is advice and an exit code") {
  CHECK(camera::exit_code({}) == EX_UNAVAILABLE);
  CHECK(advice({}).contains("plug in"));
  CHECK(advice({}).contains("--source fake"));
  const Survey encoder{{}, {{{"/dev/video11", ""}, "an encoder, decoder or converter", false}}};
  CHECK(camera::exit_code(encoder) == EX_UNAVAILABLE);
  CHECK(as_text(encoder) == "no sensor: /dev/video11: an encoder, decoder or converter\n");
  const Survey locked{{}, {{{"/dev/video0", ""}, "permission", true}}};
  CHECK(camera::exit_code(locked) == EX_NOPERM);
  CHECK(advice(locked).contains("group"));
  CHECK(nlohmann::json::parse(as_json(locked)).at("left_out").at(0).at("path") == "/dev/video0");
}
