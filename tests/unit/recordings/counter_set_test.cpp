// SPDX-License-Identifier: Apache-2.0
#include "recordings/format.hpp"

#include <catch2/catch_test_macros.hpp>

namespace sealcam::recordings {
namespace {

using Ranges = std::vector<CounterRange>;

TEST_CASE("counters join to ranges, and what is missing between them is found") {
  CounterSet set;
  for (const auto counter : {5U, 7U, 6U, 10U, 1U}) CHECK(set.add(counter));
  CHECK(set.ranges() == Ranges{{1, 1}, {5, 3}, {10, 1}});
  CHECK(set.missing(0, 12) == Ranges{{0, 1}, {2, 3}, {8, 2}, {11, 2}});
  CHECK(set.missing(5, 7).empty());
  CHECK(set.first() == 1);
  CHECK(set.last() == 10);
  CHECK(set.contains(6));
  CHECK_FALSE(set.contains(8));
}

TEST_CASE("a counter is added once, and a range only if none of its counters is there") {
  CounterSet set;
  CHECK(set.add(CounterRange{10, 5}));
  CHECK_FALSE(set.add(10));
  CHECK_FALSE(set.add(14));
  CHECK_FALSE(set.add(CounterRange{8, 3}));
  CHECK_FALSE(set.add(CounterRange{14, 2}));
  CHECK_FALSE(set.add(CounterRange{0, 100}));
  CHECK_FALSE(set.add(CounterRange{20, 0}));
  CHECK_FALSE(set.add(std::uint64_t{1} << 32));
  CHECK_FALSE(set.add(CounterRange{UINT32_MAX, 2}));
  CHECK(set.add(CounterRange{UINT32_MAX, 1}));
  CHECK(set.add(CounterRange{8, 2}));
  CHECK(set.add(15));
  CHECK(set.ranges() == Ranges{{8, 8}, {UINT32_MAX, 1}});
}

}  // namespace
}  // namespace sealcam::recordings
