// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/stamps.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::hal::v4l2;
using namespace std::chrono_literals;

static MonotonicTime at(std::chrono::milliseconds t) { return {t}; }

TEST_CASE("a driver's monotonic stamp is the time of the picture, however long it waited") {
  Stamps s(at(1000ms));
  CHECK(s.time(at(1030ms), at(1031ms)) == at(1030ms));
  CHECK(s.time(at(1060ms), at(9000ms)) == at(1060ms));  // fetched late: old, and it stays old
  CHECK(s.mended_times() == 0);
}

TEST_CASE("stamps that cannot be true are replaced by now") {
  Stamps s(at(5000ms));
  CHECK(s.time({}, at(5010ms)) == at(5010ms));
  CHECK(s.mended_times() == 0);
  CHECK(s.time(at(5050ms), at(5040ms)) == at(5040ms));  // computed, a little ahead
  CHECK(s.time(at(0ms), at(5080ms)) == at(5080ms));     // a counter that wrapped
  CHECK(s.time(at(999'999'999ms), at(5100ms)) == at(5100ms));
  CHECK(s.time(at(5090ms), at(5140ms)) == at(5100ms));  // jitter: not before the picture before it
  CHECK(s.mended_times() == 2);
}

TEST_CASE("no picture is older than the stream") {
  Stamps s(at(5000ms));
  CHECK(s.time(at(4990ms), at(5010ms)) == at(5000ms));
}

TEST_CASE("numbers begin at 0, keep the driver's gaps, and go over the wrap") {
  Stamps s({});
  CHECK(s.number(0xfffffffe) == FrameNumber(0));
  CHECK(s.number(0xffffffff) == FrameNumber(1));
  CHECK(s.number(0) == FrameNumber(2));
  CHECK(s.number(4) == FrameNumber(6));
  CHECK(s.mended_numbers() == 0);
}

TEST_CASE("a driver that does not count is counted for") {
  Stamps s({});
  CHECK(s.number(9) == FrameNumber(0));
  CHECK(s.number(9) == FrameNumber(1));
  CHECK(s.number(3) == FrameNumber(2));
  CHECK(s.number(4) == FrameNumber(3));
  CHECK(s.mended_numbers() == 2);
}
