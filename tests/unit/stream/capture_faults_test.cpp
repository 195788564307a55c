// SPDX-License-Identifier: Apache-2.0
/// Faults of the sensor and of the encoder, and the activity light.
#include <catch2/catch_test_macros.hpp>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::CameraFault;

TEST_CASE("a lost sensor is opened again with growing pauses, is logged once, and its numbers continue") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(3);
  s.factory.source_error = Errc::device_lost;
  s.factory.open_fails = 3;
  CHECK(s.loop.step() == 0ns);
  s.factory.source_error.reset();
  CHECK(s.loop.step() == 200ms);
  s.clock.advance(200ms);
  CHECK(s.loop.step() == 400ms);
  s.clock.advance(400ms);
  CHECK(s.loop.step() == 800ms);
  s.clock.advance(800ms);
  CHECK(s.loop.step() == 1600ms);
  s.clock.advance(1600ms);
  s.steps(2);
  CHECK(drain(s.queue) == "I0! P1! P2! I3! P4!");
  CHECK(s.loop.counters().source_opened == 2);
  CHECK(std::ranges::count_if(s.log.lines(), [](auto& line) { return line.contains("error: "); }) == 1);
  CHECK(s.log.contains("delivers again"));
}

TEST_CASE("a sensor without pictures is opened again after five seconds, and damaged pictures are skipped") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  s.factory.source_error = Errc::corrupt_frame;
  s.steps(2);
  CHECK(s.loop.counters().corrupt == 2);
  s.factory.source_error = Errc::timeout;
  s.steps(3);
  CHECK(s.loop.counters().source_opened == 1);
  s.clock.advance(5s);
  s.steps(1);
  s.factory.source_error.reset();
  s.clock.advance(200ms);
  s.steps(1);
  CHECK(s.loop.counters().source_opened == 2);
}

TEST_CASE("a failed encoder is replaced, and the stream continues with a key frame") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(3);
  CHECK(drain(s.queue) == "I0! P1! P2!");
  s.factory.encoder_error = Errc::device_lost;
  s.steps(1);
  CHECK(s.factory.failed == std::vector<std::string>{"fake"});
  s.factory.encoder_error.reset();
  s.clock.advance(200ms);
  s.steps(2);
  CHECK(drain(s.queue) == "I4! P5!");
  CHECK(s.loop.counters().encoder_opened == 2);
}

TEST_CASE("an undecodable picture does not replace the encoder") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  s.factory.encoder_error = Errc::malformed;
  s.steps(3);
  s.factory.encoder_error.reset();
  s.steps(1);
  CHECK(drain(s.queue) == "I0! P4!");
  CHECK(s.loop.counters().corrupt == 3);
  CHECK(s.loop.counters().encoder_opened == 1);
  CHECK(s.logged("a picture of the sensor cannot be sent") == 1);
}

TEST_CASE("if no picture could be sent for five seconds, the sensor is opened with its next format") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  s.factory.encoder_error = Errc::malformed;
  s.run_for(4900ms);
  CHECK(s.factory.formats_failed == 0);
  CHECK_FALSE(s.control.fault());
  s.run_for(200ms);
  CHECK(s.factory.formats_failed == 1);
  CHECK(s.control.fault() == CameraFault::pictures);
  CHECK(s.loop.fault().contains("set by the test: malformed"));
  s.run_for(60s);
  CHECK(s.factory.formats_failed > 5);
  CHECK(s.factory.formats_failed < 13);
  CHECK(s.logged("no picture can be sent") == 1);
  CHECK(s.logged("a picture of the sensor cannot be sent") == 1);
  s.factory.encoder_error.reset();
  s.run_for(10s);
  CHECK_FALSE(s.control.fault());
  CHECK(s.loop.fault().empty());
  CHECK(s.logged("can be sent again") == 1);
  CHECK_FALSE(drain(s.queue).empty());
  s.factory.encoder_error = Errc::malformed;
  s.run_for(6s);
  CHECK(s.logged("no picture can be sent") == 2);
}

TEST_CASE("pictures that cannot be sent are no fault while one of them can, or while no hub watches") {
  CaptureScene s;
  s.control.set_active(true);
  for (int i = 0; i < 10; ++i) {
    s.factory.encoder_error = Errc::malformed;
    s.run_for(4s);
    s.factory.encoder_error.reset();
    s.steps(1);
  }
  s.control.set_active(false);
  s.factory.encoder_error = Errc::malformed;
  s.run_for(10s);
  CHECK_FALSE(s.control.fault());
  CHECK(s.factory.formats_failed == 0);
}

TEST_CASE("a sensor that delivers only damaged pictures has a fault") {
  CaptureScene s;
  s.factory.before_next = [&] { s.clock.advance(33ms); };
  s.factory.source_error = Errc::corrupt_frame;
  s.run_for(6s);
  CHECK(s.control.fault() == CameraFault::pictures);
  CHECK(s.factory.formats_failed == 1);
}

TEST_CASE("a missing sensor and a failing encoder are faults until they work, and privacy ends a fault") {
  CaptureScene s;
  s.control.set_active(true);
  s.factory.open_fails = 1;
  s.steps(1);
  CHECK(s.control.fault() == CameraFault::sensor);
  s.clock.advance(1s);
  s.steps(1);
  CHECK_FALSE(s.control.fault());
  s.factory.encoder_error = Errc::device_lost;
  s.steps(1);
  CHECK(s.control.fault() == CameraFault::encoder);
  CHECK(s.loop.fault().contains("set by the test"));
  s.factory.encoder_error.reset();
  s.clock.advance(1s);
  s.steps(1);
  CHECK_FALSE(s.control.fault());
  s.factory.source_error = Errc::device_lost;
  s.steps(1);
  CHECK(s.control.fault() == CameraFault::sensor);
  s.control.set_closed(true);
  s.steps(1);
  CHECK_FALSE(s.control.fault());
}

TEST_CASE("an encoder that returns nothing is replaced") {
  CaptureScene s;
  s.factory.encoder_delay = 1000;
  s.control.set_active(true);
  s.steps(64);
  CHECK(s.factory.failed.empty());
  s.steps(1);
  CHECK(s.factory.failed.size() == 1);
  CHECK(s.control.fault() == CameraFault::encoder);
}

TEST_CASE("a sensor that is lost several times is described once") {
  CaptureScene s;
  for (int i = 0; i < 5; ++i) {
    s.factory.source_error = Errc::device_lost;
    s.steps(1);
    s.factory.source_error.reset();
    s.clock.advance(10s);
    s.steps(2);
  }
  CHECK(s.loop.counters().source_opened == 6);
  CHECK(s.logged("sensor: ") == 1);
}

TEST_CASE("the activity light is on while the sensor is open, watched or not") {
  CaptureScene s;
  hal::testing::FakeBoard light;
  {
    CaptureLoop loop({s.factory, s.queue, s.challenges, s.control, s.clock, s.log, light}, [] {});
    CHECK_FALSE(light.active);
    s.factory.before_next = [&] { CHECK(light.active); };  // no picture is captured while the light is off
    (void)loop.step();
    CHECK(light.active);
    s.factory.source_error = Errc::device_lost;
    s.factory.open_fails = 2;
    (void)loop.step();
    CHECK_FALSE(light.active);
    s.factory.source_error.reset();
    for (int i = 0; i < 2; ++i) {
      s.clock.advance(5s);
      (void)loop.step();
      CHECK_FALSE(light.active);  // the sensor did not open
    }
    s.clock.advance(5s);
    (void)loop.step();
    CHECK(light.active);
    s.factory.source_error = Errc::timeout;
    (void)loop.step();
    CHECK(light.active);  // open, but without pictures
    s.clock.advance(5s);
    (void)loop.step();
    CHECK_FALSE(light.active);
    s.factory.source_error.reset();
    s.clock.advance(5s);
    (void)loop.step();
    CHECK(light.history == "+-+-+");
  }
  CHECK(light.history == "+-+-+-");
}

TEST_CASE("a stopped capture thread switches the light off, and a failing light is logged once") {
  CaptureScene s;
  hal::testing::FakeBoard light;
  CaptureLoop loop({s.factory, s.queue, s.challenges, s.control, s.clock, s.log, light}, [] {});
  (void)loop.step();
  std::stop_source stop;
  stop.request_stop();
  loop.run(stop.get_token());
  CHECK(light.history == "+-");
  light.error = Errc::device_lost;
  for (int i = 0; i < 3; ++i) {
    s.clock.advance(5s);
    s.factory.source_error.reset();
    (void)loop.step();
    s.factory.source_error = Errc::device_lost;
    (void)loop.step();
  }
  CHECK(std::ranges::count_if(s.log.lines(), [](auto& line) { return line.contains("activity light"); }) == 1);
}
