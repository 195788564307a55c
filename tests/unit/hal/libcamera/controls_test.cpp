// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/cameras.hpp"

#include <libcamera/control_ids.h>
#include <libcamera/version.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cmath>

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::libcamera;
namespace ids = lib::controls;

namespace {

/// The controls of a Camera Module 3.
lib::ControlInfoMap camera_module() {
  return lib::ControlInfoMap(
      {
          {&ids::AeEnable, lib::ControlInfo(false, true)},
#if LIBCAMERA_VERSION_MAJOR > 0 || LIBCAMERA_VERSION_MINOR >= 5
          {&ids::ExposureTimeMode, lib::ControlInfo(0, 1)},
          {&ids::AnalogueGainMode, lib::ControlInfo(0, 1)},
#endif
          {&ids::ExposureTime, lib::ControlInfo(26, 66'666, 20'000)},
          {&ids::AnalogueGain, lib::ControlInfo(1.0F, 16.0F, 1.0F)},
          {&ids::AwbEnable, lib::ControlInfo(false, true)},
          {&ids::AfMode, lib::ControlInfo(0, 2)},
          {&ids::LensPosition, lib::ControlInfo(0.0F, 32.0F, 1.0F)},
          {&ids::FrameDurationLimits, lib::ControlInfo(INT64_C(17'849), INT64_C(1'000'000))},
      },
      ids::controls);
}

const ControlInfo& of(const std::vector<ControlInfo>& list, Control control) {
  const auto found = std::ranges::find(list, control, &ControlInfo::control);
  REQUIRE(found != list.end());
  return *found;
}

lib::ControlList next(LibcameraControls& controls, const lib::ControlInfoMap& infos) {
  lib::ControlList list(infos);
  controls.move_to(list);
  return list;
}

}  // namespace

TEST_CASE("the list has the controls with the ranges of the camera") {
  const auto infos = camera_module();
  LibcameraControls controls(infos, {.rate = 30, .can_flip = true, .hflip = true});
  const auto list = controls.list();
  CHECK(std::ranges::is_sorted(list, {}, &ControlInfo::control));
  CHECK(to_string(of(list, Control::exposure)) == "exposure: auto or 26 to 66666 us, default auto, now auto");
  CHECK(to_string(of(list, Control::gain)) == "gain: auto or 1 to 16, default auto, now auto");
  CHECK(to_string(of(list, Control::white_balance)) == "white_balance: auto, default auto, now auto");
  CHECK(to_string(of(list, Control::focus)) == "focus: auto or 0 to 32, default auto, now auto");
  CHECK(to_string(of(list, Control::hflip)) == "hflip: on or off, read-only, now on");
  CHECK(to_string(of(list, Control::vflip)) == "vflip: on or off, read-only, now off");
  const auto& rate = of(list, Control::frame_rate);
  CHECK(rate.read_only);
  CHECK(rate.value.value == 30);
  CHECK(rate.min == 1);
  CHECK(rate.max == 56.03);
}

TEST_CASE("a setting is in exactly one request") {
  const auto infos = camera_module();
  LibcameraControls controls(infos, {.rate = 30});
  CHECK(next(controls, infos).empty());
  REQUIRE(controls.set({Control::exposure, {.value = 5000}}));
  REQUIRE(controls.set({Control::focus, {.value = 2.5}}));
  auto sent = next(controls, infos);
  CHECK(sent.get(ids::ExposureTime) == 5000);
  CHECK(sent.get(ids::LensPosition) == 2.5F);
  CHECK(sent.get(ids::AfMode) == ids::AfModeManual);
#if LIBCAMERA_VERSION_MAJOR > 0 || LIBCAMERA_VERSION_MINOR >= 5
  CHECK(sent.get(ids::ExposureTimeMode) == ids::ExposureTimeModeManual);
#else
  CHECK(sent.get(ids::AeEnable) == false);
  CHECK_FALSE(of(controls.list(), Control::gain).value.automatic);  // one switch for exposure and gain
#endif
  CHECK(next(controls, infos).empty());
  REQUIRE(controls.set({Control::exposure, {.automatic = true}}));
  REQUIRE(controls.set({Control::focus, {.automatic = true}}));
  REQUIRE(controls.set({Control::white_balance, {.automatic = true}}));
  sent = next(controls, infos);
  CHECK_FALSE(sent.contains(ids::ExposureTime.id()));
  CHECK(sent.get(ids::AfMode) == ids::AfModeContinuous);
  CHECK(sent.get(ids::AwbEnable) == true);
}

TEST_CASE("the list has the values that the camera chose") {
  const auto infos = camera_module();
  LibcameraControls controls(infos, {.rate = 30});
  lib::ControlList used(ids::controls);
  used.set(ids::ExposureTime, 12'345);
  used.set(ids::AnalogueGain, 4.0F);
  controls.update(used);
  CHECK(of(controls.list(), Control::exposure).value == ControlValue{true, 12'345});
  CHECK(of(controls.list(), Control::gain).value == ControlValue{true, 4});
}

TEST_CASE("an unknown control is rejected and not sent") {
  const auto infos = camera_module();
  LibcameraControls controls(infos, {.rate = 30, .can_flip = true});
  const auto rejected = [&](const Setting& setting) {
    const auto set = controls.set(setting);
    REQUIRE_FALSE(set);
    CHECK(next(controls, infos).empty());
    return set.error().code;
  };
  CHECK(rejected({Control::exposure, {.value = 70'000}}) == Errc::invalid_argument);
  CHECK(rejected({Control::white_balance, {.value = 4500}}) == Errc::unsupported);
  CHECK(rejected({Control::hflip, {.value = 1}}) == Errc::unsupported);
  CHECK(rejected({Control::frame_rate, {.value = 15}}) == Errc::unsupported);
  CHECK(rejected({Control::bitrate, {.value = 1}}) == Errc::not_found);
  // A camera without controls.
  const lib::ControlInfoMap none({}, ids::controls);
  LibcameraControls bare(none, {});
  CHECK(bare.list().empty());
  CHECK(bare.set({Control::focus, {.automatic = true}}).error().code == Errc::not_found);
  CHECK(bare.set({Control::vflip, {.value = 1}}).error().code == Errc::not_found);
}

TEST_CASE("the rate is set as the duration of pictures") {
  const auto infos = camera_module();
  const auto limits_of = [&](double rate) {
    lib::ControlList list(infos);
    REQUIRE(set_rate(infos, rate, list));
    const auto limits = list.get(ids::FrameDurationLimits);
    REQUIRE(limits);
    CHECK((*limits)[0] == (*limits)[1]);
    return std::pair((*limits)[0], rate);
  };
  CHECK(limits_of(30) == std::pair(INT64_C(33'333), 30.0));
  CHECK(limits_of(1) == std::pair(INT64_C(1'000'000), 1.0));
  CHECK(limits_of(0.1) == std::pair(INT64_C(1'000'000), 1.0));
  CHECK(limits_of(120).first == 17'849);
  CHECK(std::lround(limits_of(120).second) == 56);
  double rate = 30;
  const lib::ControlInfoMap none({}, ids::controls);
  lib::ControlList list(none);
  CHECK_FALSE(set_rate(none, rate, list));
  CHECK(rate == 30);
}
