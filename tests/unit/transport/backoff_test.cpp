// SPDX-License-Identifier: Apache-2.0
#include "transport/backoff.hpp"

#include <catch2/catch_test_macros.hpp>
#include <set>

using sealcam::transport::Backoff;
using namespace std::chrono_literals;

TEST_CASE("waits grow to the longest one and begin anew after a success") {
  Backoff backoff(50ms, 1000ms, 1);
  Backoff::milliseconds base = 50ms;
  for (int i = 0; i < 12; ++i) {
    const auto wait = backoff.next();
    CHECK(wait >= base * 4 / 5);
    CHECK(wait <= std::min(base * 6 / 5, 1000ms));
    base = std::min(base * 2, 1000ms);
  }
  backoff.reset();
  CHECK(backoff.next() <= 60ms);
}

TEST_CASE("devices that lost the broker together do not come back together") {
  std::set<long> waits;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    Backoff backoff(800ms, 1000ms, seed * 2'654'435'761U);
    waits.insert(backoff.next().count());
  }
  CHECK(waits.size() > 50);
}
