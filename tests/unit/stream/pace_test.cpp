// SPDX-License-Identifier: Apache-2.0
#include "stream/pace.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::stream;
using namespace std::chrono_literals;

namespace {

struct Scene {
  FakeClock clock;
  Pace pace{{.best = {BitsPerSecond(2'000'000), 60, 0}}};
  void run(std::chrono::nanoseconds length, std::chrono::nanoseconds publish, std::size_t unsent = 0) {
    for (const auto end = clock.monotonic() + length; clock.monotonic() < end; clock.advance(100ms)) {
      pace.published(publish);
      pace.tick(clock.monotonic(), unsent);
    }
  }
  [[nodiscard]] std::uint32_t bitrate() const { return pace.quality().bitrate.value(); }
};

}  // namespace

TEST_CASE("a good network changes nothing") {
  Scene s;
  s.run(60s, 1ms);
  CHECK(s.pace.quality() == Quality{BitsPerSecond(2'000'000), 60, 0});
}

TEST_CASE("slow publishes, unsent bytes and dropped groups each lower the bitrate") {
  Scene slow, unsent, dropped;
  slow.run(1100ms, 300ms);
  CHECK(slow.bitrate() < 2'000'000);
  unsent.run(1100ms, 1ms, 200'000);
  CHECK(unsent.bitrate() < 2'000'000);
  dropped.run(400ms, 1ms);
  dropped.pace.dropped();
  dropped.run(700ms, 1ms);
  CHECK(dropped.bitrate() == 1'400'000);
}

TEST_CASE("first bitrate, then longer groups, then smaller pictures, and no further") {
  Scene s;
  s.run(3s, 400ms);
  CHECK(s.bitrate() < 600'000);
  CHECK(s.pace.quality().keyframe_interval == 60);
  s.run(2500ms, 400ms);
  CHECK(s.bitrate() == 150'000);
  CHECK(s.pace.quality().keyframe_interval == 300);
  CHECK(s.pace.quality().shrink == 0);
  s.run(2s, 400ms);
  CHECK(s.pace.quality().shrink == 1);
  s.run(60s, 400ms);
  CHECK(s.pace.quality() == Quality{BitsPerSecond(150'000), 300, 2});
}

TEST_CASE("a network that recovers gets everything back, slowly") {
  Scene s;
  s.run(60s, 400ms);
  s.run(3s, 1ms);
  CHECK(s.bitrate() > 150'000);
  CHECK(s.bitrate() < 500'000);
  s.run(15s, 1ms);
  CHECK(s.bitrate() == 2'000'000);
  CHECK(s.pace.quality().shrink == 2);
  s.run(60s, 1ms);
  CHECK(s.pace.quality() == Quality{BitsPerSecond(2'000'000), 60, 0});
}

TEST_CASE("a step taken back too early is waited for longer the next time") {
  Scene s;
  const auto until_better = [&s] {
    s.run(60s, 400ms);
    while (s.bitrate() < 2'000'000) s.run(100ms, 1ms);
    const MonotonicTime top = s.clock.monotonic();
    while (s.pace.quality().shrink == 2) s.run(100ms, 1ms);
    return s.clock.monotonic() - top;
  };
  const auto first = until_better();
  const auto second = until_better();
  CHECK(first < 11s);
  CHECK(second > 18s);
}

TEST_CASE("what was measured before a pause is forgotten") {
  Scene s;
  s.run(400ms, 400ms);
  s.pace.idle();
  s.clock.advance(60s);
  s.run(2s, 1ms);
  CHECK(s.bitrate() == 2'000'000);
}
