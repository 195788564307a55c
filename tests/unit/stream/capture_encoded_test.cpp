// SPDX-License-Identifier: Apache-2.0
/// The capture loop with a sensor that delivers H.264.
#include <catch2/catch_test_macros.hpp>

#include "unit/stream/capture_fakes.hpp"
#include "unit/stream/gop.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using hal::Control;
using hal::ControlKind;

namespace {

struct EncodedScene : CaptureScene {
  EncodedScene() {
    factory.format = hal::PixelFormat::h264;
    factory.controls = {
        {.control = Control::bitrate, .min = 100'000, .max = 5'000'000},
        {.control = Control::keyframe_interval, .min = 1, .max = 120},
        {.control = Control::keyframe, .kind = ControlKind::action},
    };
  }
  void key() { give(CaptureFakes::key_unit()); }
  void delta(int n = 1) {
    while (n-- > 0) give(CaptureFakes::delta_unit());
  }
  void give(Bytes unit) {
    factory.unit = std::move(unit);
    steps(1);
  }
  /// What was set since the last call.
  std::vector<std::string> set() { return std::exchange(factory.set, {}); }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("a sensor that delivers H.264 needs no encoder; what is no access unit is refused") {
  CaptureScene s;
  s.factory.format = hal::PixelFormat::h264;
  s.control.set_active(true);
  s.factory.unit = CaptureFakes::key_unit();
  s.steps(1);
  s.factory.unit = CaptureFakes::delta_unit();
  s.steps(1);
  s.factory.unit = Bytes(30, std::byte{0x77});
  s.steps(1);
  CHECK(s.loop.counters().corrupt == 1);
  s.factory.unit = CaptureFakes::delta_unit();
  s.steps(1);  // refers to what was damaged
  s.factory.unit = CaptureFakes::key_unit();
  s.steps(1);
  CHECK(drain(s.queue) == "I0! P1! I4!");
  CHECK(s.loop.counters().encoder_opened == 0);
}

TEST_CASE("a sensor that encodes is told bitrate and group length when it is opened and when they change") {
  EncodedScene s;
  s.control.set_quality({BitsPerSecond(2'000'000), 60, 0});
  s.control.set_active(true);
  s.key();
  CHECK(s.loop.encoder_name() == "sensor");
  CHECK(s.set() == Words{"bitrate 2000000", "keyframe_interval 60", "keyframe 0"});
  s.delta();
  CHECK(s.set().empty());
  s.control.set_quality({BitsPerSecond(50'000), 300, 0});  // both outside what it can
  s.delta(2);
  CHECK(s.set() == Words{"bitrate 100000", "keyframe_interval 120"});
  CHECK(drain(s.queue) == "I0! P1! P2! P3!");
  s.factory.source_error = Errc::device_lost;
  s.steps(1);
  s.factory.source_error.reset();
  s.clock.advance(1s);
  s.key();
  CHECK(s.set() == Words{"bitrate 100000", "keyframe_interval 120", "keyframe 0"});
  CHECK(s.loop.counters().encoder_opened == 0);
}

TEST_CASE("a key frame is asked of the sensor once each time one is needed") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  (void)s.set();
  s.control.request_keyframe();
  s.delta(2);
  CHECK(s.set() == Words{"keyframe 0"});
  CHECK(drain(s.queue) == "I0! P1! P2!");
  s.give(Bytes(30, std::byte{0x77}));
  s.delta(3);
  CHECK(s.set() == Words{"keyframe 0"});
  s.key();
  CHECK(drain(s.queue) == "I7!");
}

TEST_CASE("access units that go on from a lost one are not sent") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.delta();
  s.factory.lose = 1;
  s.delta(2);
  s.key();
  s.delta();
  s.factory.lose = 3;
  s.key();  // needs nothing before it
  CHECK(drain(s.queue) == "I0! P1! I5! P6! I10!");
}

TEST_CASE("whoever begins to watch in the middle of a group gets a key frame first") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.delta();
  CHECK(drain(s.queue) == "I0! P1!");
  s.control.set_active(false);
  s.delta(3);
  s.control.set_active(true);
  s.delta(2);
  CHECK(drain(s.queue).empty());
  s.key();
  CHECK(drain(s.queue) == "I7!");
}

TEST_CASE("a sensor that encodes and cannot be told is said once, and goes on") {
  EncodedScene s;
  s.factory.controls.clear();
  s.control.set_active(true);
  s.key();
  s.control.request_keyframe();
  s.delta();
  CHECK(s.set().empty());
  CHECK(s.logged("cannot be told: bitrate, keyframe_interval, keyframe") == 1);
  s.factory.source_error = Errc::device_lost;
  s.steps(1);
  s.factory.source_error.reset();
  s.clock.advance(1s);
  s.key();
  CHECK(s.logged("cannot be told") == 1);
  CHECK(drain(s.queue) == "I0! P1! I2!");
}

TEST_CASE("a control that fails is said once, and pictures go on") {
  EncodedScene s;
  s.factory.set_error = Errc::io;
  s.control.set_active(true);
  s.key();
  s.control.request_keyframe();
  s.delta();
  CHECK(s.logged("does not take bitrate") == 1);
  CHECK(s.logged("does not take") == 1);
  CHECK(drain(s.queue) == "I0! P1!");
}
