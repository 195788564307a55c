// SPDX-License-Identifier: Apache-2.0
#include "core/timeline.hpp"

#include <catch2/catch_test_macros.hpp>

namespace sealcam {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

CaptureTime at(microseconds t) { return {1'790'000'000s + t}; }
MonotonicTime arrived(microseconds t) { return {1h + t}; }

TEST_CASE("time stamps follow the camera's clock, and ours where the camera's jumps") {
  Timeline line;
  CHECK(line.next(at(0us), arrived(5ms)) == 0us);
  CHECK(line.next(at(33'333us), arrived(90ms)) == 33'333us);  // the network's delay does not show
  CHECK(line.next(at(-3600s), arrived(123ms)) == 66'333us);   // an hour back: 33 ms by our clock
  CHECK(line.next(at(-3600s + 40ms), arrived(163ms)) == 106'333us);
  CHECK(line.next(at(3600s), arrived(203ms)) == 146'333us);  // two hours forward
  CHECK(line.next(at(3600s), arrived(203ms)) == 147'333us);  // the same moment twice still grows
}

}  // namespace
}  // namespace sealcam
