// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/send_backlog.hpp"

#include <array>
#include <catch2/catch_test_macros.hpp>

#include "base/testing/fakes.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace std::chrono_literals;
using protocol::Counter;

namespace {

DeviceId hub(std::uint8_t n) {
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = static_cast<std::byte>(n);
  return DeviceId(bytes);
}

struct Scene {
  FakeClock clock;
  HubReports reports;
  std::uint64_t counter = 0;
  /// Seals 10 frames of 1000 bytes in a second, with the given delay of the last one at the hub.
  std::optional<PathEstimate> second(const DeviceId& from, std::chrono::milliseconds delay) {
    seal();
    return report(from, delay);
  }
  void seal() {
    for (int n = 0; n < 10; ++n) {
      clock.advance(100ms);
      reports.sealed(Counter(++counter), clock.monotonic(), 1000);
    }
  }
  std::optional<PathEstimate> report(const DeviceId& from, std::chrono::milliseconds delay) {
    const auto arrival = std::chrono::duration_cast<std::chrono::milliseconds>(clock.monotonic().since_boot) + delay;
    return reports.report(from, {Counter(counter), arrival, counter}, clock.monotonic());
  }
};

}  // namespace

TEST_CASE("the delay at a hub is the growth of the difference of the two clocks") {
  Scene s;
  CHECK(s.second(hub(1), 40ms)->delay == 0ms);  // the difference of the clocks is unknown
  CHECK(s.second(hub(1), 45ms)->delay == 0ms);  // of two reports, the shorter delay counts
  (void)s.second(hub(1), 640ms);
  const auto late = s.second(hub(1), 840ms);
  REQUIRE(late);
  CHECK(late->delay == 600ms);
  CHECK(late->rate > 60'000);  // 80 kbit in 1.2 s
  CHECK(late->rate < 70'000);
}

TEST_CASE("the hub with the shortest delay decides, while its reports are recent") {
  Scene s;
  for (int n = 0; n < 3; ++n) {
    s.seal();
    (void)s.report(hub(1), 40ms);
    (void)s.report(hub(2), 20ms);
  }
  for (int n = 0; n < 3; ++n) {
    s.seal();
    (void)s.report(hub(2), 20ms);
    CHECK(s.report(hub(1), 900ms)->delay == 0ms);
  }
  s.seal();
  (void)s.report(hub(1), 900ms);
  s.seal();
  s.seal();
  CHECK(s.report(hub(1), 900ms)->delay == 860ms);  // hub 2 sent no report for 3 s
}

TEST_CASE("a picture that is very late is a queue at once") {
  Scene s;
  for (int n = 0; n < 3; ++n) (void)s.second(hub(1), 40ms);
  CHECK(s.second(hub(1), 640ms)->delay == 0ms);
  CHECK(s.second(hub(1), 1040ms)->delay == 1000ms);
}

TEST_CASE("a report without news, of an unknown frame or with an impossible time has no effect") {
  Scene s;
  (void)s.second(hub(1), 40ms);
  CHECK_FALSE(s.report(hub(1), 900ms));  // of the same frame
  CHECK_FALSE(s.reports.report(hub(1), {Counter(99), 1ms, 1}, s.clock.monotonic()));
  CHECK_FALSE(s.reports.report(hub(1), {Counter(std::uint64_t(1) << 60U), 1ms, 1}, s.clock.monotonic()));
  s.seal();
  CHECK_FALSE(s.reports.report(hub(1), {Counter(s.counter), std::chrono::milliseconds::max(), 1}, s.clock.monotonic()));
  s.reports.clear();
  CHECK_FALSE(s.report(hub(1), 40ms));
}

TEST_CASE("a path that became longer counts as short again after two minutes") {
  Scene s;
  (void)s.second(hub(1), 40ms);
  std::optional<PathEstimate> path;
  for (int n = 0; n < 130; ++n) path = s.second(hub(1), 540ms);
  CHECK(path->delay == 0ms);
}
