// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/testing/fakes.hpp"

namespace sealcam {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

CaptureTime at(microseconds t) { return {1'790'000'000s + t}; }
BootTime arrived(microseconds t) { return {1h + t}; }

TEST_CASE("timestamps follow the camera's clock, and the local clock if the camera's clock jumps") {
  Timeline line;
  CHECK(line.next(at(0us), arrived(5ms)) == 0us);
  CHECK(line.next(at(33'333us), arrived(90ms)) == 33'333us);  // the delay of the network has no effect
  CHECK(line.next(at(-3600s), arrived(123ms)) == 66'333us);   // an hour back: 33 ms by the local clock
  CHECK(line.next(at(-3600s + 40ms), arrived(163ms)) == 106'333us);
  CHECK(line.next(at(3600s), arrived(203ms)) == 146'333us);  // two hours forward
  CHECK(line.next(at(3600s), arrived(203ms)) == 147'333us);  // the same moment twice still grows
}

TEST_CASE("a camera may send any 64 bits as the capture time") {
  constexpr CaptureTime first{microseconds::min()}, last{microseconds::max()};
  Timeline line;
  CHECK(line.next(first, arrived(0us)) == 0us);
  CHECK(line.next(last, arrived(40ms)) == 40ms);
  CHECK(line.next(first, arrived(80ms)) == 80ms);
  CHECK(line.next({first.since_epoch + 33ms}, arrived(81ms)) == 113ms);
}

TEST_CASE("the clocks of a test move independently") {
  FakeClock clock;
  const auto monotonic = clock.monotonic();
  const auto boot = clock.boot();
  const auto wall = clock.wall();
  clock.advance(1s);
  CHECK(clock.monotonic() - monotonic == 1s);
  CHECK(clock.boot() - boot == 1s);
  CHECK(clock.wall().since_epoch - wall.since_epoch == 1s);
  clock.suspend(60s);
  CHECK(clock.monotonic() - monotonic == 1s);
  CHECK(clock.boot() - boot == 61s);
  CHECK(clock.wall().since_epoch - wall.since_epoch == 61s);
  clock.step_wall(-3600s);
  CHECK(clock.boot() - boot == 61s);
  CHECK(clock.wall().since_epoch - wall.since_epoch == -3539s);
}

TEST_CASE("the clock of the system that counts sleep is not behind the one that does not") {
  const SystemClock clock;
  const auto monotonic = clock.monotonic();
  CHECK(clock.boot().since_boot >= monotonic.since_boot);
}

}  // namespace
}  // namespace sealcam
