// SPDX-License-Identifier: Apache-2.0
#include "update/clock.hpp"

#include <catch2/catch_test_macros.hpp>
#include <fstream>

#include "support/temporary_folder.hpp"

using namespace sealcam;

TEST_CASE("the clock is not set before a time server answered") {
  const test::TemporaryFolder folder;
  const auto marker = folder.path() / "synchronized";
  const update::SynchronizedClock clock(marker);
  CHECK_FALSE(is_plausible(clock.wall()));
  const auto before = SystemClock().wall();
  std::ofstream(marker) << "";
  CHECK(clock.wall() >= before);
  CHECK(clock.boot().since_boot.count() > 0);
}
