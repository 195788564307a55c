// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <sstream>

#include "core/log.hpp"
#include "hal/board/led_control.hpp"
#include "hal/board/log_control.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::hal::board;

namespace {

/// Plain files in the place of an LED's attributes: what is written is what is read.
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

TEST_CASE("the light is taken from its trigger, driven, and given back") {
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

TEST_CASE("identifying blinks, and the activity shows again afterwards") {
  const FakeLed led;
  const auto light = LedControl::open(led.folder.path());
  REQUIRE(light);
  CHECK((*light)->set_identify(true));
  CHECK(led.get("trigger") == "timer");
  CHECK((*light)->set_activity(true));
  CHECK(led.get("trigger") == "timer");  // not ended by a sensor that starts
  CHECK((*light)->set_identify(false));
  CHECK(led.get("trigger") == "none");
  CHECK(led.get("brightness") == "255");
}

TEST_CASE("a light that is not there, says nonsense or goes away is an error") {
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

TEST_CASE("without a light the log says when the sensor is on") {
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
