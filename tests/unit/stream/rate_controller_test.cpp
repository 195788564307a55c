// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/rate_controller.hpp"
#include "base/testing/fakes.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::stream;
using namespace std::chrono_literals;

namespace {

constexpr Quality best{BitsPerSecond(2'000'000), 60, 0};

/// A path with a constant delay that carries a constant rate.
struct Scene {
  FakeClock clock;
  RateController controller{{.best = best}};
  SendBacklog backlog{4};
  double used = 1;  ///< share of the bitrate that the encoder sends
  void run(std::chrono::nanoseconds length, const PathEstimate& path) {
    for (const auto end = clock.monotonic() + length; clock.monotonic() < end; clock.advance(100ms)) {
      controller.measured(path);
      controller.sent(static_cast<std::size_t>(static_cast<double>(sent()) * used / 80));
      controller.tick(clock.monotonic());
    }
  }
  /// A path that is full if the bitrate is above `rate`.
  void run_limited(std::chrono::nanoseconds length, std::uint64_t rate) {
    for (const auto end = clock.monotonic() + length; clock.monotonic() < end;)
      run(100ms, {.delay = sent() > rate ? 300ms : 0ms, .rate = rate});
  }
  [[nodiscard]] std::uint64_t sent() const {
    const auto& q = controller.quality();
    const auto pictures = q.min_interval == 0ms ? 30 : 1000 / q.min_interval.count();
    return q.bitrate.value() + 2'400 * static_cast<std::uint64_t>(pictures);
  }
  [[nodiscard]] std::uint32_t bitrate() const { return controller.quality().bitrate.value(); }
};

constexpr PathEstimate empty{}, stalled{.delay = 400ms, .rate = 0};

}  // namespace

TEST_CASE("the quality stays the same on a good network") {
  Scene s;
  s.run(60s, empty);
  CHECK(s.controller.quality() == best);
  CHECK_FALSE(s.controller.reduced());
}

TEST_CASE("frames that the connection does not take, unacknowledged bytes and dropped groups each reduce the bitrate") {
  Scene waiting, unacknowledged, dropped;
  waiting.backlog.add(5000);
  for (int n = 0; n < 25; ++n) {
    waiting.run(100ms, waiting.backlog.measure(waiting.clock.monotonic(), {}));
    unacknowledged.run(100ms, unacknowledged.backlog.measure(unacknowledged.clock.monotonic(),
                                                             {.acknowledged = 1'000, .unacknowledged = 200'000}));
  }
  CHECK(waiting.bitrate() < 2'000'000);
  CHECK(unacknowledged.bitrate() < 2'000'000);
  dropped.run(400ms, empty);
  dropped.controller.dropped();
  dropped.run(200ms, empty);
  CHECK(dropped.bitrate() == 1'400'000);
}

TEST_CASE("the hub with the best path reduces the bitrate too, and an old report does not") {
  Scene s;
  s.controller.reported(s.clock.monotonic(), {.delay = 500ms, .rate = 600'000});
  s.run(700ms, empty);
  CHECK(s.bitrate() < 1'100'000);  // at most half in one step
  s.controller.reported(s.clock.monotonic(), {.delay = 500ms, .rate = 600'000});
  s.run(500ms, empty);
  CHECK(s.bitrate() < 600'000);
  const auto before = s.bitrate();
  s.run(3s, empty);
  CHECK(s.bitrate() > before);
}

TEST_CASE("a delay that the own connection measured, too, is not one of the path from the broker to the hub") {
  Scene s;
  for (int n = 0; n < 20; ++n) {
    s.controller.reported(s.clock.monotonic(), {.delay = 800ms, .rate = 200'000});
    s.run(500ms, {.total = 700ms});
  }
  CHECK(s.controller.quality() == best);
  s.controller.reported(s.clock.monotonic(), {.delay = 1200ms, .rate = 200'000});
  s.run(600ms, {.total = 700ms});
  CHECK(s.bitrate() < 1'100'000);
}

TEST_CASE("a delay on the path to the hub that a lower rate does not shorten is that of other traffic") {
  for (const auto delay : {700ms, 3000ms}) {
    Scene s;
    std::uint64_t low = s.sent();
    for (int n = 0; n < 30; ++n) {
      s.controller.reported(s.clock.monotonic(), {.delay = delay, .rate = s.sent()});
      s.run(1s, empty);
      low = std::min(low, s.sent());
    }
    INFO("delay of " << delay.count() << " ms");
    CHECK((low > 400'000) == (delay < SendBacklog::max_other));  // LIVE needs recent pictures
  }
}

TEST_CASE("a bitrate that the encoder uses in part grows slowly, but up to the configured one") {
  Scene s;
  s.run(3s, {.delay = 500ms, .rate = 600'000});
  s.used = 0.7;
  s.run(30s, empty);
  CHECK(s.sent() < 800'000);
  s.run(240s, empty);
  CHECK(s.controller.quality() == best);
}

TEST_CASE(
    "congestion first reduces the bitrate, then the rate of pictures, then makes the pictures smaller, down to key "
    "frames alone") {
  Scene s;
  s.run(10s, {.delay = 400ms, .rate = 500'000});
  CHECK(s.bitrate() < 500'000);
  CHECK(s.controller.quality().min_interval == 0ms);
  CHECK(s.controller.quality().keyframe_interval == 60);
  const auto at = [&](std::uint64_t rate) {
    s.run_limited(15s, rate);
    return s.controller.quality();
  };
  const auto fifteen = at(140'000), five = at(64'000), one = at(20'000), half = at(12'000), quarter = at(9'000),
             keys = at(4'500);
  CHECK(fifteen.min_interval == 66ms);
  CHECK(fifteen.downscale == 0);
  CHECK(five.min_interval == 200ms);
  CHECK(five.downscale == 0);
  CHECK(one.min_interval == 1s);
  CHECK(one.downscale == 0);
  CHECK(half.downscale == 1);
  CHECK(quarter.downscale == 2);
  CHECK(keys.min_interval == 2s);
  CHECK(keys.keyframe_interval == 1);
  CHECK(keys.downscale == 2);
  for (const auto& slow : {fifteen, five, one, half, quarter}) {
    CHECK(slow.keyframe_interval * slow.min_interval <= 10s);
    CHECK(slow.vbv == RateController::slow_vbv);
  }
}

TEST_CASE("the bitrate follows what the path carried, however often the path is found full") {
  Scene s;
  s.run(3s, {.delay = 500ms, .rate = 600'000});
  const auto first = s.bitrate();
  s.run(3s, {.delay = 500ms, .rate = 600'000});
  CHECK(s.bitrate() == first);
  CHECK(s.sent() > 500'000);
  CHECK(s.sent() < 600'000);
}

TEST_CASE("near the rate of a full path, the bitrate grows by small steps") {
  Scene s;
  s.run_limited(20s, 600'000);
  std::uint64_t low = s.sent(), high = low;
  for (int n = 0; n < 300; ++n) {
    s.run_limited(100ms, 600'000);
    low = std::min(low, s.sent());
    high = std::max(high, s.sent());
  }
  CHECK(low > 510'000);
  CHECK(high < 690'000);
}

TEST_CASE("the full quality returns within ten seconds after the network recovers") {
  for (const std::uint64_t rate : {500'000U, 150'000U, 64'000U}) {
    Scene s;
    s.run_limited(60s, rate);
    s.run(1s, empty);
    CHECK(s.sent() < rate * 5 / 4);
    s.run(9s, empty);
    CHECK(s.controller.quality() == best);
  }
}

TEST_CASE(
    "the bitrate does not grow while the encoder sends much less, except if only a part of the pictures is sent") {
  Scene s;
  s.run(3s, {.delay = 500ms, .rate = 600'000});
  s.used = 0.4;
  s.run(5s, empty);
  const auto before = s.bitrate();
  CHECK(before < 700'000);  // the last seconds with more pictures count for a while
  s.run(60s, empty);
  CHECK(s.bitrate() == before);
  s.used = 0.8;
  s.run(10s, empty);
  CHECK(s.controller.quality() == best);
  s.run(3s, {.delay = 500ms, .rate = 600'000});
  s.used = 0.1;
  s.controller.set_partial(true);
  s.run(10s, empty);
  CHECK(s.controller.quality() == best);
}

TEST_CASE("with few pictures, the bitrate grows also if the encoder sends less, so that the pictures come back") {
  Scene s;
  s.run_limited(20s, 64'000);
  CHECK(s.controller.quality().min_interval == 200ms);
  s.used = 0.1;
  s.run(20s, empty);
  CHECK(s.controller.quality().min_interval == 0ms);
  CHECK(s.bitrate() < 600'000);
}

TEST_CASE("a stall does not reduce the bitrate below the minimum") {
  Scene s;
  s.run(60s, stalled);
  CHECK(s.bitrate() == 150'000);
  CHECK(s.controller.quality().min_interval == 0ms);
}

TEST_CASE("an improvement that was too early doubles the wait before the next one") {
  Scene s;
  // At 5 pictures a second the path is full below the rate that 15 need.
  const auto until_better = [&s] {
    while (s.controller.quality().min_interval != 200ms) s.run(100ms, {.delay = 300ms, .rate = 100'000});
    const MonotonicTime begun = s.clock.monotonic();
    while (s.controller.quality().min_interval == 200ms) s.run_limited(100ms, 140'000);
    return s.clock.monotonic() - begun;
  };
  const auto first = until_better();
  (void)until_better();
  const auto third = until_better();
  const auto fourth = until_better();
  CHECK(first < 8s);
  CHECK(third >= 8s);
  CHECK(fourth >= 16s);
}

TEST_CASE("measurements from before a pause are discarded") {
  Scene s;
  s.run(400ms, stalled);
  s.controller.idle();
  s.clock.advance(60s);
  s.run(2s, empty);
  CHECK(s.bitrate() == 2'000'000);
}

TEST_CASE("a picture that would wait too long is held") {
  Scene s;
  s.run(100ms, empty);
  CHECK_FALSE(s.controller.hold());
  s.run(100ms, {.delay = 700ms, .rate = 500'000});
  CHECK(s.controller.hold());
  s.run(100ms, empty);
  CHECK_FALSE(s.controller.hold());
}

TEST_CASE("if the first bytes after two pauses are late, other traffic fills the queue and its delay does not count") {
  FakeClock clock;
  SendBacklog backlog(2);
  std::uint64_t acknowledged = 1'000;
  PathEstimate path;
  // 40 kB in the network and 5 kB that wait in this machine, at 400 kbit/s. The first byte needs the time `first`.
  const auto stream = [&](std::chrono::milliseconds first, std::chrono::milliseconds length) {
    const auto step = [&](std::size_t bytes) {
      clock.advance(50ms);
      acknowledged += bytes;
      path = backlog.measure(clock.monotonic(), {acknowledged, 45'000, 5'000, 20ms});
    };
    backlog.measure(clock.monotonic(), {acknowledged, 0, 0, 20ms});
    for (auto end = clock.monotonic() + first; clock.monotonic() < end;) step(0);
    for (auto end = clock.monotonic() + length; clock.monotonic() < end;) step(2'500);
    return path;
  };
  const auto alone = stream(50ms, 2s);
  CHECK(alone.pause > RateController::hold_delay);  // to find out which traffic fills the queue
  CHECK(alone.other == 0ms);
  CHECK(alone.total > 800ms);
  CHECK(stream(50ms, 2s).delay > 800ms);  // the camera itself
  const auto once = stream(600ms, 300ms);
  CHECK(once.pause > RateController::hold_delay);  // so that there is another pause
  CHECK(once.delay < RateController::target_delay);
  CHECK(once.other == 0ms);
  const auto shared = stream(600ms, 3s);
  CHECK(shared.other > 700ms);
  CHECK(shared.other < 850ms);
  CHECK(shared.delay < 150ms);
  CHECK(shared.pause == 0ms);
  CHECK(shared.total >= shared.delay + shared.other);
  CHECK(shared.rate > 380'000);
  CHECK(stream(600ms, 15s).pause == 0ms);  // the time is twice as long now
  const auto test = stream(600ms, 65s);
  CHECK(test.pause > RateController::hold_delay);
  CHECK(test.delay < RateController::target_delay);
  CHECK(stream(600ms, 3s).other > 700ms);
  const auto over = stream(50ms, 1s);
  CHECK(over.other == 0ms);
  CHECK(over.delay > 800ms);
}

TEST_CASE("a short burst is no backlog, a long one waits for the rate of the connection") {
  FakeClock clock;
  SendBacklog backlog(2);
  backlog.measure(clock.monotonic(), {});
  const auto slot = backlog.add(10'000);
  clock.advance(100ms);
  CHECK(backlog.measure(clock.monotonic(), {.acknowledged = 0, .unacknowledged = 100'000}).delay == 0ms);
  PathEstimate path;
  for (std::uint64_t n = 1; n <= 10; ++n) {
    clock.advance(100ms);
    path = backlog.measure(clock.monotonic(), {.acknowledged = n * 5'000, .unacknowledged = 50'000});
  }
  CHECK(path.rate > 360'000);
  CHECK(path.rate < 440'000);
  CHECK(path.delay > 1000ms);
  CHECK(path.delay < 1300ms);
  // The path to the broker takes 100 ms although nothing waits.
  path = backlog.measure(clock.monotonic(), {.acknowledged = 50'000, .unacknowledged = 50'000, .min_rtt = 100ms});
  CHECK(path.delay < 1200ms);
  CHECK(backlog.remove(slot) == 10'000);
  CHECK(backlog.frames() == 0);
  // Another connection begins at zero.
  CHECK(backlog.measure(clock.monotonic(), {.acknowledged = 10, .unacknowledged = 50'000}).delay == 0ms);
}
