// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/stream.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::hal::v4l2;
using namespace std::chrono_literals;

static MonotonicTime at(std::chrono::milliseconds t) { return {t}; }

TEST_CASE("a monotonic timestamp of the driver is the time of the picture, at any age") {
  TimestampNormalizer s(at(1000ms), 33ms);
  CHECK(s.time(at(1030ms), at(1000ms), at(1031ms)) == at(1030ms));
  CHECK(s.time(at(1060ms), at(1000ms), at(9000ms)) == at(1060ms));  // fetched late: the old time does not change
  CHECK(s.corrected_times() == 0);
}

TEST_CASE("a picture without a usable timestamp counts as taken one interval before its buffer was queued") {
  TimestampNormalizer s(at(5000ms), 33ms);
  CHECK(s.time({}, at(6000ms), at(6200ms)) == at(5967ms));
  CHECK(s.corrected_times() == 0);
  CHECK(s.time(at(6250ms), at(6040ms), at(6240ms)) == at(6007ms));  // a calculated time, slightly in the future
  CHECK(s.corrected_times() == 0);
  CHECK(s.time(at(0ms), at(6080ms), at(6280ms)) == at(6047ms));  // a counter that wrapped
  CHECK(s.time(at(999'999'999ms), at(6120ms), at(6320ms)) == at(6087ms));
  CHECK(s.time(at(6080ms), at(6160ms), at(6360ms)) == at(6087ms));  // jitter: not before the previous picture
  CHECK(s.time({}, at(6090ms), at(6400ms)) == at(6087ms));          // neither if its buffer was queued earlier
  CHECK(s.corrected_times() == 2);
}

TEST_CASE("no picture is older than the stream") {
  TimestampNormalizer s(at(5000ms), 33ms);
  CHECK(s.time(at(4990ms), at(5000ms), at(5010ms)) == at(5000ms));
  CHECK(s.time({}, at(5000ms), at(5020ms)) == at(5000ms));
}

TEST_CASE("numbers start at 0 and keep the driver's gaps, also across the wrap") {
  TimestampNormalizer s({}, 33ms);
  CHECK(s.number(0xfffffffe) == FrameNumber(0));
  CHECK(s.number(0xffffffff) == FrameNumber(1));
  CHECK(s.number(0) == FrameNumber(2));
  CHECK(s.number(4) == FrameNumber(6));
  CHECK(s.corrected_numbers() == 0);
}

TEST_CASE("numbers increase by 1 for a driver that does not count") {
  TimestampNormalizer s({}, 33ms);
  CHECK(s.number(9) == FrameNumber(0));
  CHECK(s.number(9) == FrameNumber(1));
  CHECK(s.number(3) == FrameNumber(2));
  CHECK(s.number(4) == FrameNumber(3));
  CHECK(s.corrected_numbers() == 2);
}
