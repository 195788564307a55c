// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "hal/board/led_control.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal::board;

namespace {

/// Plain files instead of the attributes of an LED. A read returns the text that was written.
struct FakeLed {
  test::TemporaryFolder folder;
  explicit FakeLed(std::string_view triggers = "none mmc0 [heartbeat] timer") {
    put("trigger", triggers);
    put("brightness", "0\n");
    put("max_brightness", "255\n");
  }
  void put(const char* name, std::string_view text) const { std::ofstream(folder.path() / name) << text; }
  [[nodiscard]] std::string get(const char* name) const {
    std::stringstream text;
    text << std::ifstream(folder.path() / name).rdbuf();
    return text.str();
  }
};

}  // namespace

TEST_CASE("the light replaces the LED's trigger and restores it") {
  const FakeLed led;
  {
    const auto light = LedControl::open(led.folder.path());
    REQUIRE(light);
    CHECK(led.get("trigger") == "none");
    CHECK(led.get("brightness") == "0");
    CHECK((*light)->set_activity(true));
    CHECK(led.get("brightness") == "255");
    CHECK((*light)->set_activity(true));
    CHECK((*light)->set_activity(false));
    CHECK(led.get("brightness") == "0");
    CHECK((*light)->set_activity(true));
  }
  CHECK(led.get("trigger") == "heartbeat");
  CHECK(led.get("brightness") == "0");
}

TEST_CASE("a missing LED, an LED with invalid files and a removed LED are errors") {
  const test::TemporaryFolder nothing;
  CHECK(LedControl::open(nothing.path()).error().code == Errc::not_found);
  CHECK(LedControl::open(FakeLed("none timer").folder.path()).error().code == Errc::malformed);
  const FakeLed led;
  led.put("brightness", "bright");
  CHECK(LedControl::open(led.folder.path()).error().code == Errc::malformed);
  led.put("brightness", "1");
  const auto light = LedControl::open(led.folder.path());
  REQUIRE(light);
  std::filesystem::remove_all(led.folder.path());
  CHECK((*light)->set_activity(true).error().code == Errc::device_lost);
}

TEST_CASE("without an LED the log shows when the sensor is on") {
  MemoryLog log;
  {
    LogControl light(log);
    CHECK(light.set_activity(true));
    CHECK(light.set_activity(true));
    CHECK(log.lines().size() == 1);
    CHECK(log.contains("the sensor is on"));
  }
  CHECK(log.lines().size() == 2);
  CHECK(log.contains("the sensor is off"));
}
