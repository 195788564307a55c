// SPDX-License-Identifier: Apache-2.0
#include "camera/once_log.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::camera;

TEST_CASE("what is said at every try is logged at the first, and again after something else") {
  MemoryLog inner;
  OnceLog log(inner);
  const auto attempt = [&](std::initializer_list<const char*> lines) {
    const auto before = inner.lines().size();
    log.next_try();
    for (const char* line : lines) log.warning("{}", line);
    return inner.lines().size() - before;
  };
  CHECK(attempt({"taken", "not YUYV"}) == 2);
  CHECK(attempt({"gone"}) == 1);
  CHECK(attempt({"gone"}) == 0);
  CHECK(attempt({"gone", "and locked"}) == 1);
  CHECK(attempt({"taken", "not YUYV"}) == 2);
  CHECK(attempt({"taken", "not MJPG"}) == 1);
}

TEST_CASE("the level is the inner log's") {
  MemoryLog inner;
  OnceLog log(inner);
  log.debug("nobody asked");
  CHECK(inner.lines().empty());
  inner.set_level(LogLevel::debug);
  log.debug("somebody asked");  // and it was not said before
  CHECK(inner.lines().size() == 1);
}
