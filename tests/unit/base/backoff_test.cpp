// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

using sealcam::Backoff;
using namespace std::chrono_literals;

TEST_CASE("waits grow to the maximum and start again after a success") {
  Backoff backoff(50ms, 1000ms, 1);
  Backoff::Duration base = 50ms;
  for (int i = 0; i < 12; ++i) {
    const auto wait = backoff.next();
    CHECK(wait >= base * 4 / 5);
    CHECK(wait <= std::min<Backoff::Duration>(base * 6 / 5, 1000ms));
    base = std::min<Backoff::Duration>(base * 2, 1000ms);
  }
  backoff.reset();
  CHECK(backoff.next() <= 60ms);
}

TEST_CASE("devices that lost the broker together do not reconnect together") {
  std::set<std::int64_t> waits;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    Backoff backoff(800ms, 1000ms, seed * 2'654'435'761U);
    waits.insert(backoff.next().count());
  }
  CHECK(waits.size() > 50);
}

TEST_CASE("without a seed the waits double exactly, and due() follows them") {
  Backoff backoff(1s, 3s);
  sealcam::MonotonicTime now{1h};
  CHECK(backoff.due(now));
  for (const auto wait : {1s, 2s, 3s, 3s}) {
    backoff.failed(now);
    CHECK_FALSE(backoff.due(now + wait - 1ns));
    CHECK(backoff.remaining(now) == wait);
    now = now + wait;
    CHECK(backoff.due(now));
    CHECK(backoff.remaining(now) == 0s);
  }
  backoff.reset();
  CHECK(backoff.due(sealcam::MonotonicTime{}));
  backoff.failed(now);
  CHECK(backoff.remaining(now) == 1s);
}
