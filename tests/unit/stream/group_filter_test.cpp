// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/encoding_sensor.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// A sensor with 30 pictures and one key frame a second.
struct Sensor {
  FakeClock clock;
  MemoryLog log;
  CaptureControl control{Quality{}};
  GroupFilter filter{log, control};
  std::size_t keyframe = 50'000, delta = 7'000;
  int number = 0, keyframes = 0, deltas = 0;  ///< that passed

  void run(std::chrono::nanoseconds length) {
    keyframes = deltas = 0;
    for (const auto end = clock.monotonic() + length; clock.monotonic() < end;) {
      clock.advance(std::chrono::nanoseconds(33'333'333));
      const bool key = number++ % 30 == 0;
      if (filter.pass(clock.monotonic(), key ? keyframe : delta, key)) ++(key ? keyframes : deltas);
    }
  }
  void network(std::uint32_t bitrate, bool reduced = true) { control.set_quality({BitsPerSecond(bitrate)}, reduced); }
};

}  // namespace

TEST_CASE("all access units pass while the network carries the configured bitrate, also of a sensor that exceeds it") {
  Sensor s;
  s.delta = 40'000;
  s.network(2'000'000, false);
  s.run(60s);
  CHECK(s.deltas > 1700);
  CHECK_FALSE(s.control.keyframes_alone());
}

TEST_CASE("if the network carries less than the sensor sends, key frames pass alone, with pauses so that they fit") {
  Sensor s;
  s.network(2'000'000, false);
  s.run(10s);
  s.network(600'000);
  s.run(8s);
  CHECK(s.control.keyframes_alone());
  CHECK(s.log.contains("sending key frames alone"));
  s.run(20s);
  CHECK(s.deltas == 0);
  CHECK(s.keyframes >= 19);
  s.network(100'000);  // with the overhead of 30 frames a second, 172 kbit/s
  s.run(30s);
  CHECK(s.deltas == 0);
  CHECK(s.keyframes >= 9);  // a key frame has 402 kbit, so it needs 2.3 s
  CHECK(s.keyframes <= 11);
  s.control.set_hold(true);
  s.run(5s);
  CHECK(s.keyframes == 0);
}

TEST_CASE("a sensor that follows the bitrate sends all its pictures") {
  Sensor s;
  s.network(2'000'000, false);
  s.run(10s);
  s.network(600'000);
  s.run(1s);
  s.keyframe = 15'000;
  s.delta = 2'000;
  s.run(60s);
  CHECK(s.deltas > 1700);
}

TEST_CASE("all access units pass again when the network has recovered, later after each attempt that was too early") {
  Sensor s;
  s.network(2'000'000, false);
  s.run(10s);
  const auto until = [&s](bool alone) {
    const auto begun = s.clock.monotonic();
    while (s.control.keyframes_alone() != alone) s.run(100ms);
    return s.clock.monotonic() - begun;
  };
  s.network(600'000);
  CHECK(until(true) <= 8s);
  s.network(2'000'000, false);
  const auto first = until(false);
  CHECK(first >= 9s);
  CHECK(first <= 14s);
  CHECK(s.log.contains("sending all pictures"));
  s.network(600'000);
  (void)until(true);
  s.network(2'000'000, false);
  CHECK(until(false) >= 19s);
  s.run(60s);
  s.network(600'000);
  (void)until(true);
  s.network(2'000'000, false);
  CHECK(until(false) <= 14s);  // the attempt before lasted
}

TEST_CASE("a new source begins with all access units, and a pause without pictures is no low rate") {
  Sensor s;
  s.network(600'000);
  s.run(10s);
  CHECK(s.control.keyframes_alone());
  s.clock.advance(1min);
  s.run(3s);
  CHECK(s.control.keyframes_alone());
  s.filter.reset();
  CHECK_FALSE(s.control.keyframes_alone());
  s.run(1s);
  CHECK(s.deltas >= 29);
}
