// SPDX-License-Identifier: Apache-2.0
#include "stream/capture_loop.hpp"

#include <catch2/catch_test_macros.hpp>

#include "hal/fake/fake_board.hpp"
#include "unit/stream/capture_fakes.hpp"
#include "unit/stream/gop.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("pictures are fetched but not encoded while nobody asks") {
  CaptureScene s;
  s.steps(5);
  CHECK(s.loop.counters().captured == 5);
  CHECK(s.loop.counters().encoded == 0);
  s.control.set_active(true);
  s.steps(3);
  CHECK(drain(s.queue) == "I5! P6! P7!");
  CHECK(s.wakes == 3);
}

TEST_CASE("key frames come at the start and on request, once") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(2);
  s.control.request_keyframe();
  s.control.request_keyframe();
  s.steps(3);
  CHECK(drain(s.queue) == "I0! P1! I2! P3! P4!");
}

TEST_CASE("the challenge goes with its picture through an encoder that delays") {
  CaptureScene s;
  s.factory.encoder_delay = 3;
  s.control.set_active(true);
  s.board.add(DeviceId{}, protocol::Challenge(1), s.clock.monotonic(), s.clock.monotonic() + 10s, true);
  s.steps(2);
  s.board.add(DeviceId{}, protocol::Challenge(2), s.clock.monotonic(), s.clock.monotonic() + 10s, true);
  s.steps(6);
  std::string echoes;
  while (const auto unit = s.queue.take()) {
    echoes += std::to_string(unit->info.number.value()) + ":" + std::to_string(unit->info.echo.value()) + " ";
    CHECK(unit->info.captured == s.factory.captured[unit->info.number.value()]);
    s.queue.release();
  }
  CHECK(echoes == "0:1 1:1 2:2 3:2 4:2 ");
}

TEST_CASE("a lost sensor is opened again with growing pauses, logged once, and the numbers go on") {
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

TEST_CASE("a silent sensor is opened again after five seconds, damaged pictures are passed over") {
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

TEST_CASE("an encoder that fails is replaced, and the stream goes on with a key frame") {
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

TEST_CASE("quality: bitrate without, group length and size with a new encoder") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  s.control.set_quality({BitsPerSecond(500'000), 60, 0});
  s.steps(1);
  CHECK(s.factory.bitrate == 500'000);
  CHECK(s.loop.counters().encoder_opened == 1);
  s.control.set_quality({BitsPerSecond(500'000), 300, 0});
  s.steps(1);
  CHECK(s.loop.counters().encoder_opened == 2);
  CHECK(s.loop.counters().source_opened == 1);
  s.control.set_quality({BitsPerSecond(500'000), 300, 1});
  s.steps(1);
  CHECK(s.loop.counters().source_opened == 2);
  CHECK(s.factory.shrink == 1);
  CHECK(s.factory.interval == 300);
  s.factory.bitrate_unsupported = true;
  s.control.set_quality({BitsPerSecond(400'000), 300, 1});
  s.steps(2);
  CHECK(s.loop.counters().encoder_opened == 4);
  CHECK(s.factory.bitrate == 400'000);
}

TEST_CASE("a picture that cannot be decoded costs no encoder") {
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
  CHECK(s.logged("cannot be decoded") == 1);
}

TEST_CASE("a sensor that comes and goes is described once") {
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

TEST_CASE("a finite source ends the loop") {
  CaptureScene s;
  s.factory.source_error = Errc::end_of_stream;
  s.steps(1);
  CHECK(s.loop.finished());
  s.loop.run({});  // returns
}

TEST_CASE("the activity light is on exactly while the sensor is open, watched or not") {
  CaptureScene s;
  hal::fake::FakeBoard light;
  {
    CaptureLoop loop({s.factory, s.queue, s.board, s.control, s.clock, s.log, &light}, [] {});
    CHECK_FALSE(light.active);
    s.factory.before_next = [&] { CHECK(light.active); };  // never a picture in the dark
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
      CHECK_FALSE(light.active);  // not for a sensor that does not open
    }
    s.clock.advance(5s);
    (void)loop.step();
    CHECK(light.active);
    s.factory.source_error = Errc::timeout;
    (void)loop.step();
    CHECK(light.active);  // silent, but open
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

TEST_CASE("a stopped capture thread leaves the light off; a light that fails is told once") {
  CaptureScene s;
  hal::fake::FakeBoard light;
  CaptureLoop loop({s.factory, s.queue, s.board, s.control, s.clock, s.log, &light}, [] {});
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
