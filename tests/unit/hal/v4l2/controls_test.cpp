// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/device.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cerrno>
#include <limits>

#include "base/testing/fakes.hpp"
#include "support/fake_v4l2.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;

namespace {

/// The controls of a common webcam.
struct Webcam {
  FakeClock clock;
  FakeV4l2 fake{clock};
  std::unique_ptr<V4l2Device> device = fake.open();
  Webcam() {
    using C = V4l2FakeControl;
    fake.controls[V4L2_CID_EXPOSURE_AUTO] =
        C{.type = V4L2_CTRL_TYPE_MENU, .max = 3, .fallback = 3, .items = {1, 3}, .value = 3};
    fake.controls[V4L2_CID_EXPOSURE_ABSOLUTE] = C{.min = 3, .max = 2047, .fallback = 250, .value = 250};
    fake.controls[V4L2_CID_AUTO_WHITE_BALANCE] = C{.type = V4L2_CTRL_TYPE_BOOLEAN, .fallback = 1, .value = 1};
    fake.controls[V4L2_CID_WHITE_BALANCE_TEMPERATURE] = C{.min = 2800, .max = 6500, .fallback = 4000, .value = 4600};
    fake.controls[V4L2_CID_GAIN] = C{.max = 255, .flags = V4L2_CTRL_FLAG_READ_ONLY, .value = 64};
    fake.controls[V4L2_CID_FOCUS_ABSOLUTE] = C{.max = 250, .flags = V4L2_CTRL_FLAG_DISABLED};
  }
};

Result<> set(V4l2Controls& controls, Control control, ControlValue value) {
  return static_cast<SourceControls&>(controls).set({control, value});
}

std::vector<std::string> lines(V4l2Controls& controls) {
  std::vector<std::string> out;
  for (const auto& info : controls.list()) out.push_back(to_string(info));
  return out;
}

using Written = std::vector<std::pair<std::uint32_t, std::int32_t>>;

}  // namespace

TEST_CASE("the list has the controls in Sealcam's names and units") {
  Webcam w;
  V4l2Controls controls(*w.device, 30);
  CHECK(lines(controls) == std::vector<std::string>{"exposure: auto or 300 to 204700 us, default auto, now auto",
                                                    "gain: 0 to 255, read-only, now 64",
                                                    "white_balance: auto or 2800 to 6500 K, default auto, now auto",
                                                    "frame_rate: 30/s, read-only, now 30/s"});
}

TEST_CASE("a value switches automatic off, and auto switches it on") {
  Webcam w;
  V4l2Controls controls(*w.device, 30);
  REQUIRE(set(controls, Control::exposure, {.value = 10'000}));
  CHECK(w.fake.written == Written{{V4L2_CID_EXPOSURE_AUTO, V4L2_EXPOSURE_MANUAL}, {V4L2_CID_EXPOSURE_ABSOLUTE, 100}});
  CHECK(controls.list()[0].value == ControlValue{.automatic = false, .value = 10'000});
  w.fake.written.clear();
  REQUIRE(set(controls, Control::exposure, {.automatic = true}));
  CHECK(w.fake.written == Written{{V4L2_CID_EXPOSURE_AUTO, V4L2_EXPOSURE_APERTURE_PRIORITY}});
  w.fake.written.clear();
  REQUIRE(set(controls, Control::white_balance, {.value = 5000}));
  CHECK(w.fake.written == Written{{V4L2_CID_AUTO_WHITE_BALANCE, 0}, {V4L2_CID_WHITE_BALANCE_TEMPERATURE, 5000}});
}

TEST_CASE("an invalid setting is rejected without a call of the driver") {
  Webcam w;
  V4l2Controls controls(*w.device, 30);
  const auto code = [&](Control c, ControlValue v) { return set(controls, c, v).error().code; };
  CHECK(code(Control::focus, {.value = 1}) == Errc::not_found);
  CHECK(code(Control::bitrate, {.value = 1'000'000}) == Errc::not_found);
  CHECK(code(Control::gain, {.value = 1}) == Errc::unsupported);
  CHECK(code(Control::frame_rate, {.value = 15}) == Errc::unsupported);
  CHECK(code(Control::exposure, {.value = 299}) == Errc::invalid_argument);
  CHECK(code(Control::exposure, {.value = std::numeric_limits<double>::quiet_NaN()}) == Errc::invalid_argument);
  CHECK(w.fake.written.empty());
  w.fake.errors[VIDIOC_S_CTRL] = {ENODEV};
  CHECK(code(Control::exposure, {.automatic = true}) == Errc::device_lost);
}

TEST_CASE("a driver with presets of white balance offers only automatic") {
  FakeClock clock;
  FakeV4l2 fake{clock};
  fake.controls[V4L2_CID_AUTO_N_PRESET_WHITE_BALANCE] = {.type = V4L2_CTRL_TYPE_MENU, .max = 9, .items = {0, 1, 2}};
  const auto device = fake.open();
  V4l2Controls controls(*device, 0);
  CHECK(lines(controls) == std::vector<std::string>{"white_balance: auto, default 0 K, now 0 K"});
  CHECK(set(controls, Control::white_balance, {.automatic = true}));
  CHECK(fake.written == Written{{V4L2_CID_AUTO_N_PRESET_WHITE_BALANCE, 1}});
  CHECK(set(controls, Control::white_balance, {.value = 5000}).error().code == Errc::unsupported);
}

TEST_CASE("a node that encodes has its controls under the same names") {
  FakeClock clock;
  FakeV4l2 fake{clock};
  fake.controls[V4L2_CID_MPEG_VIDEO_BITRATE] = {.min = 25'000, .max = 25'000'000, .value = 10'000'000};
  fake.controls[V4L2_CID_MPEG_VIDEO_H264_I_PERIOD] = {.max = 0x7fffffff, .value = 60};
  fake.controls[V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME] = {.type = V4L2_CTRL_TYPE_BUTTON, .max = 0};
  const auto device = fake.open();
  V4l2Controls controls(*device, 30);
  CHECK(set(controls, Control::bitrate, {.value = 1'500'000}));
  CHECK(set(controls, Control::keyframe_interval, {.value = 90}));
  CHECK(set(controls, Control::keyframe, {}));
  CHECK(fake.written == Written{{V4L2_CID_MPEG_VIDEO_BITRATE, 1'500'000},
                                {V4L2_CID_MPEG_VIDEO_H264_I_PERIOD, 90},
                                {V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0}});
}

TEST_CASE("each control is found by its name") {
  for (std::size_t i = 0; i < control_count; ++i) {
    const auto control = static_cast<Control>(i);
    CHECK(control_named(name(control)) == control);
  }
  CHECK_FALSE(control_named("zoom"));
}
