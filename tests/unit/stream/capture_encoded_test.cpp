// SPDX-License-Identifier: Apache-2.0
/// Tests the capture loop with a sensor that delivers H.264.
#include <catch2/catch_test_macros.hpp>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using hal::Control;
using hal::ControlKind;
using protocol::CameraFault;

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
  /// The controls that were set since the last call.
  std::vector<std::string> set() { return std::exchange(factory.set, {}); }
};

using Settings = std::vector<std::string>;

}  // namespace

TEST_CASE("a sensor that delivers H.264 needs no encoder, and invalid access units are rejected") {
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
  s.steps(1);  // depends on the damaged unit
  s.factory.unit = CaptureFakes::key_unit();
  s.steps(1);
  CHECK(drain(s.queue) == "I0! P1! I4!");
  CHECK(s.loop.counters().encoder_opened == 0);
  CHECK_FALSE(s.control.detects_motion());  // nothing decodes these pictures
  s.factory.format = hal::PixelFormat::yu12;
  s.control.request_reopen();
  s.steps(2);
  CHECK(s.control.detects_motion());
}

TEST_CASE("a sensor that encodes receives bitrate and group length when it is opened and when they change") {
  EncodedScene s;
  s.control.set_quality({BitsPerSecond(2'000'000), 60, 0});
  s.control.set_active(true);
  s.key();
  CHECK(s.loop.encoder_name() == "sensor");
  CHECK(s.set() == Settings{"bitrate 2000000", "keyframe_interval 60", "keyframe 0"});
  s.delta();
  CHECK(s.set().empty());
  s.control.set_quality({BitsPerSecond(50'000), 300, 0});  // both outside the range of the control
  s.delta(2);
  CHECK(s.set() == Settings{"bitrate 100000", "keyframe_interval 120"});
  CHECK(drain(s.queue) == "I0! P1! P2! P3!");
  s.factory.source_error = Errc::device_lost;
  s.steps(1);
  s.factory.source_error.reset();
  s.clock.advance(1s);
  s.key();
  CHECK(s.set() == Settings{"bitrate 100000", "keyframe_interval 120", "keyframe 0"});
  CHECK(s.loop.counters().encoder_opened == 0);
}

TEST_CASE("the sensor receives one request for each key frame that is needed") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  (void)s.set();
  s.control.request_keyframe();
  s.delta(2);
  CHECK(s.set() == Settings{"keyframe 0"});
  CHECK(drain(s.queue) == "I0! P1! P2!");
  s.give(Bytes(30, std::byte{0x77}));
  s.delta(3);
  CHECK(s.set() == Settings{"keyframe 0"});
  s.key();
  CHECK(drain(s.queue) == "I7!");
}

TEST_CASE("access units that depend on a lost one are not sent") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.delta();
  s.factory.lose = 1;
  s.delta(2);
  s.key();
  s.delta();
  s.factory.lose = 3;
  s.key();  // a key frame depends on no other picture
  CHECK(drain(s.queue) == "I0! P1! I5! P6! I10!");
}

TEST_CASE("a hub that starts to watch within a group receives a key frame first") {
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

TEST_CASE("H.264 without key frames is a fault after five seconds") {
  EncodedScene s;
  s.control.set_active(true);
  s.factory.unit = CaptureFakes::delta_unit();
  s.run_for(4900ms);
  CHECK_FALSE(s.control.fault());
  CHECK(s.logged("cannot be sent") == 0);  // a hub that starts to watch within a group waits, too
  s.run_for(200ms);
  CHECK(s.control.fault() == CameraFault::pictures);
  CHECK(s.loop.fault().contains("no key frame"));
  CHECK(s.factory.formats_failed == 1);
}

TEST_CASE("access units that are larger than a message are a fault after five seconds") {
  EncodedScene s;
  s.control.set_active(true);
  s.factory.unit = CaptureFakes::key_unit();
  s.factory.unit.resize((1U << 20) + 1, std::byte{0x55});
  s.run_for(6s);
  CHECK(s.control.fault() == CameraFault::pictures);
  CHECK(s.loop.fault().contains("larger than 1 MiB"));
  CHECK(s.logged("larger than 1 MiB") == 2);  // the first picture, and the fault
}

TEST_CASE("H.264 that waits for a slow network is no fault") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.factory.unit = CaptureFakes::delta_unit();
  s.run_for(20s);  // nothing takes the units of the queue
  CHECK(s.queue.counters().rejected > 0);
  CHECK_FALSE(s.control.fault());
  CHECK(s.factory.formats_failed == 0);
}

TEST_CASE("H.264 that cannot be sent at all is a fault at once, and the sensor is opened again with growing pauses") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.factory.source_error = Errc::unsupported;
  s.steps(1);
  CHECK(s.control.fault() == CameraFault::pictures);
  CHECK(s.factory.formats_failed == 1);
  CHECK(s.factory.sources == 0);
  // The first picture of each attempt can be sent.
  for (int i = 0; i < 20; ++i) {
    s.factory.source_error.reset();
    s.run_for(1ms);
    s.factory.source_error = Errc::unsupported;
    s.run_for(1ms);
  }
  CHECK(s.clock.monotonic() - s.factory.captured[0] > 60s);
  CHECK(s.logged("no picture can be sent") == 1);
  CHECK(s.control.fault() == CameraFault::pictures);
}

TEST_CASE("on a slow network, key frames of the sensor are sent alone; all pictures follow from a key frame on") {
  EncodedScene s;
  s.factory.controls.erase(s.factory.controls.begin());  // the bitrate
  s.control.set_active(true);
  Bytes large = CaptureFakes::delta_unit();
  large.resize(8'000, std::byte{0x55});
  const auto group = [&] {
    s.key();
    for (int n = 0; n < 29; ++n) s.give(large);
  };
  const auto sent = [&s] {
    const std::string text = drain(s.queue);
    return std::pair(std::ranges::count(text, 'I'), std::ranges::count(text, 'P'));
  };
  for (int n = 0; n < 5; ++n) group();
  (void)sent();
  s.control.set_quality({BitsPerSecond(100'000), 60, 0, 200ms}, true);
  for (int n = 0; n < 9; ++n) {
    group();
    (void)sent();
  }
  CHECK(s.control.keyframes_alone());
  CHECK(s.set().back() == "keyframe_interval 60");  // not that of a slow network with all pictures
  for (int n = 0; n < 3; ++n) group();
  CHECK(sent() == std::pair<std::ptrdiff_t, std::ptrdiff_t>(3, 0));
  CHECK(s.set().empty());  // no request for a key frame after each one
  CHECK_FALSE(s.control.fault());
  s.control.set_quality({BitsPerSecond(2'500'000), 60, 0}, false);
  while (s.control.keyframes_alone()) s.give(large);
  CHECK(sent().second == 0);
  CHECK(s.set() == Settings{"keyframe 0"});
  group();
  CHECK(sent() == std::pair<std::ptrdiff_t, std::ptrdiff_t>(1, 29));
}

TEST_CASE("missing controls of a sensor that encodes are logged once, and its pictures continue") {
  EncodedScene s;
  s.factory.controls.clear();
  s.control.set_active(true);
  s.key();
  s.control.request_keyframe();
  s.delta();
  CHECK(s.set().empty());
  CHECK(s.logged("has no control for bitrate, keyframe_interval, keyframe") == 1);
  s.factory.source_error = Errc::device_lost;
  s.steps(1);
  s.factory.source_error.reset();
  s.clock.advance(1s);
  s.key();
  CHECK(s.logged("has no control for") == 1);
  CHECK(drain(s.queue) == "I0! P1! I2!");
}

TEST_CASE("a failing control is logged once, and the pictures continue") {
  EncodedScene s;
  s.factory.set_error = Errc::io;
  s.control.set_active(true);
  s.key();
  s.control.request_keyframe();
  s.delta();
  CHECK(s.logged("cannot set the sensor's control bitrate") == 1);
  CHECK(s.logged("cannot set the sensor's control") == 1);
  CHECK(drain(s.queue) == "I0! P1!");
}

TEST_CASE("while there are privacy masks, no picture that the sensor encoded is sent") {
  EncodedScene s;
  s.control.set_active(true);
  s.key();
  s.delta();
  REQUIRE(drain(s.queue) != "");  // control
  const FewAreas mask(PictureAreas{{0, 0, 100, 100}});
  SECTION("the camera opens another format") {
    s.control.request_reopen();
    s.control.set_areas({.masks = mask});
    s.factory.format = hal::PixelFormat::yu12;
    s.factory.record_masks = true;
    s.steps(3);
    CHECK(s.factory.encoded_masks == std::vector<std::size_t>{1, 1, 1});
    CHECK_FALSE(s.control.fault());
  }
  SECTION("a sensor without another format is a fault") {
    s.control.set_areas({.masks = mask});
    for (int i = 0; i < 50; ++i) s.key();
    CHECK(s.control.fault() == CameraFault::pictures);
    CHECK(s.loop.fault().contains("privacy masks"));
    CHECK(s.factory.formats_failed > 0);
    CHECK(s.queue.size() == 0);
    s.control.set_areas({});
    s.clock.advance(10s);
    for (int i = 0; i < 400; ++i) s.key();
    CHECK(s.queue.size() > 0);
    CHECK_FALSE(s.control.fault());
  }
  SECTION("nothing is sent while the loop has not opened it again") {
    s.factory.before_next = [&s, mask] {  // between the turn's check and its picture
      s.control.request_reopen();
      s.control.set_areas({.masks = mask});
    };
    s.key();
    CHECK(s.queue.size() == 0);
    CHECK_FALSE(s.control.fault());
  }
}
