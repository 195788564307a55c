// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/capture_loop.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("the loop fetches pictures but does not encode them while inactive") {
  CaptureScene s;
  s.steps(5);
  CHECK(s.loop.counters().captured == 5);
  CHECK(s.loop.counters().encoded == 0);
  s.control.set_active(true);
  s.steps(3);
  CHECK(drain(s.queue) == "I5! P6! P7!");
  CHECK(s.wakes == 3);
}

TEST_CASE("the encoder makes a key frame at the start, and one per request") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(2);
  s.control.request_keyframe();
  s.control.request_keyframe();
  s.steps(3);
  CHECK(drain(s.queue) == "I0! P1! I2! P3! P4!");
}

TEST_CASE("an encoder with delay keeps the challenge of each picture") {
  CaptureScene s;
  s.factory.encoder_delay = 3;
  s.control.set_active(true);
  s.challenges.add(DeviceId{}, protocol::Challenge(1), s.clock.monotonic(), s.clock.monotonic() + 10s, Lease::live);
  s.steps(2);
  s.challenges.add(DeviceId{}, protocol::Challenge(2), s.clock.monotonic(), s.clock.monotonic() + 10s, Lease::live);
  s.steps(6);
  std::string echoes;
  while (const auto unit = s.queue.take()) {
    echoes += std::to_string(unit->info.number.value()) + ":" +
              std::to_string(unit->info.echoes.empty() ? 0 : unit->info.echoes.begin()->value()) + " ";
    CHECK(unit->info.captured == s.factory.captured[unit->info.number.value()]);
    s.queue.release();
  }
  CHECK(echoes == "0:1 1:1 2:2 3:2 4:2 ");
}

TEST_CASE("a new size needs a new encoder; a new bitrate, rate or group length does not; the sensor stays open") {
  CaptureScene s;
  s.factory.source_size = {320, 240};
  s.control.set_active(true);
  s.steps(1);
  s.control.set_quality({BitsPerSecond(500'000), 60, 0});
  s.steps(1);
  CHECK(s.factory.bitrate == 500'000);
  CHECK(s.loop.counters().encoder_opened == 1);
  s.control.set_quality({BitsPerSecond(500'000), 300, 0, 200ms, 300ms});
  s.steps(1);
  CHECK(s.loop.counters().encoder_opened == 1);
  CHECK(s.loop.counters().source_opened == 1);
  CHECK(s.factory.rate == 5);
  CHECK(s.factory.vbv == 300ms);
  (void)drain(s.queue);
  s.control.set_quality({BitsPerSecond(500'000), 300, 1});
  s.steps(2);
  CHECK(s.factory.downscale == 1);
  CHECK(s.factory.encoder_size == hal::Size{320, 240});
  CHECK(s.factory.interval == 300);
  CHECK(s.loop.counters().encoder_opened == 2);
  for (const bool keyframe : {true, false}) {
    const auto unit = s.queue.take();
    REQUIRE(unit);
    CHECK(unit->info.keyframe == keyframe);
    CHECK(unit->info.size == hal::Size{160, 120});
    s.queue.release();
  }
  s.control.set_quality({BitsPerSecond(500'000), 300, 0});
  s.steps(1);
  CHECK(s.queue.take()->info.size == hal::Size{320, 240});
  CHECK(s.loop.counters().encoder_opened == 3);
  CHECK(s.loop.counters().source_opened == 1);
}

TEST_CASE("an encoder that cannot change its bitrate is opened again, but not for small changes") {
  CaptureScene s;
  s.factory.bitrate_unsupported = true;
  s.control.set_active(true);
  s.steps(1);
  const auto after = [&](std::uint32_t bitrate, int pictures = 2) {
    s.control.set_quality({BitsPerSecond(bitrate), 60, 0});
    s.steps(pictures);
    return s.loop.counters().encoder_opened.load();
  };
  CHECK(after(1'000'000) == 2);
  CHECK(s.factory.bitrate == 1'000'000);
  CHECK(after(1'050'000) == 2);
  CHECK(after(900'000) == 2);
  CHECK(after(800'000) == 3);
  CHECK(after(1'000'000) == 4);
  CHECK(after(1'100'000) == 4);
  CHECK(after(1'100'000, 70) == 5);  // the change lasts
  CHECK(s.factory.bitrate == 1'100'000);
}

TEST_CASE("the loop requests a key frame after each group") {
  CaptureScene s;
  s.control.set_quality({BitsPerSecond(500'000), 3, 0});
  s.control.set_active(true);
  s.steps(8);
  CHECK(drain(s.queue) == "I0! P1! P2! I3! P4! P5! I6! P7!");
  s.control.set_quality({BitsPerSecond(500'000), 1, 0});
  s.steps(2);
  CHECK(drain(s.queue) == "I8! I9!");
}

TEST_CASE("the loop encodes fewer pictures if the network carries fewer, and none while it holds") {
  CaptureScene s;
  s.control.set_quality({BitsPerSecond(500'000), 60, 0, 66ms});
  s.control.set_active(true);
  s.steps(6);
  CHECK(drain(s.queue) == "I0! P2! P4!");
  s.control.set_quality({BitsPerSecond(500'000), 60, 0, 200ms});
  s.steps(18);
  const auto seen = drain(s.queue);
  CHECK(std::ranges::count(seen, 'P') == 3);
  s.control.set_quality({BitsPerSecond(500'000), 60, 0});
  s.control.set_hold(true);
  const int wakes = s.wakes;
  s.steps(5);
  CHECK(drain(s.queue).empty());
  CHECK(s.wakes == wakes + 5);  // the network thread can end the hold
  s.control.set_hold(false);
  s.steps(1);
  CHECK(drain(s.queue).starts_with('P'));
  CHECK(s.loop.counters().source_opened == 1);
}

TEST_CASE("the encoder has the size of the pictures, also if the source reports another one") {
  CaptureScene s;
  s.control.set_active(true);
  s.steps(1);
  CHECK(s.factory.encoder_size == hal::Size{64, 48});
  s.factory.real_size = hal::Size{96, 64};
  s.steps(2);
  CHECK(s.factory.encoder_size == hal::Size{96, 64});
  CHECK(s.loop.counters().encoder_opened == 2);
  CHECK(drain(s.queue) == "I0! I1! P2!");
}

TEST_CASE("the loop ends with a finite source") {
  CaptureScene s;
  s.factory.source_error = Errc::end_of_stream;
  s.steps(1);
  CHECK(s.loop.finished());
  s.loop.run({});  // returns
}

TEST_CASE("masks apply to the next picture, which is a key frame, and to each encoder that is opened later") {
  CaptureScene s;
  s.control.set_active(true);
  s.factory.record_masks = true;
  s.steps(3);
  CHECK(drain(s.queue) == "I0! P1! P2!");  // a fake access unit is not filled with its number
  s.control.set_areas({.masks = FewAreas(PictureAreas{{0, 0, 100, 100}, {500, 500, 10, 10}})});
  s.steps(2);
  const auto unit = s.queue.take();
  REQUIRE(unit);
  CHECK(unit->info.keyframe);
  CHECK(unit->info.areas == s.control.areas_version());
  s.queue.release();
  s.factory.encoder_error = Errc::device_lost;
  s.steps(1);
  s.factory.encoder_error.reset();
  s.clock.advance(1s);
  s.steps(2);
  CHECK(s.factory.encoded_masks == std::vector<std::size_t>{0, 0, 0, 2, 2, 2, 2});
  CHECK(s.loop.counters().encoder_opened == 2);
}

TEST_CASE("a unit of an encoder with delay has the version of the masks of its own picture") {
  CaptureScene s;
  s.control.set_active(true);
  s.factory.encoder_delay = 2;
  s.steps(4);
  s.control.set_areas({.masks = FewAreas(PictureAreas{{0, 0, 100, 100}})});
  s.steps(4);
  std::string versions;
  while (const auto unit = s.queue.take()) {
    versions += std::to_string(unit->info.areas);
    s.queue.release();
  }
  CHECK(versions == "000011");
}
