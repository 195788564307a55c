// SPDX-License-Identifier: Apache-2.0
// The power is cut after each effect of an update: each write of the state file, each step of an installation, each
// restart, and the boot selection.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "crypto/psa.hpp"
#include "device.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using test::Bundle, test::Device;

namespace {

constexpr unsigned enough = 200;  ///< more effects than an update has

/// A device that is offered a release; the test cuts the power after `effects` effects.
void offer(Device& device, unsigned effects, bool tryboot_survives, bool works) {
  REQUIRE(crypto::init());
  device.board.channel = Bundle();
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 1h + 50min});  // ten minutes before the night
  device.board.tryboot_survives_power_cut = tryboot_survives;
  if (!works) device.broken["0.2.0"] = [](auto& camera) { camera.works.sensor = false; };
  device.effects_left = effects;
}

/// The card selects a complete slot with a version that works.
void check_selection(Device& device, bool works) {
  const auto& selected = device.board.slots[device.board.selected].version;
  REQUIRE((selected == "0.1.0" || (works && selected == "0.2.0")));
}

}  // namespace

TEST_CASE("a power cut at any moment leaves a board that starts, and the update succeeds in the end") {
  const bool tryboot_survives = GENERATE(false, true);
  unsigned cuts = 0;
  for (unsigned effects = 0; effects < enough; ++effects) {
    Device device;
    offer(device, effects, tryboot_survives, true);
    const auto done = [&] {
      check_selection(device, true);
      return device.last() == "0.2.0 installed";
    };
    INFO("power cut after " << effects << " effects");
    REQUIRE(device.run_until(done, 72h, 60s));
    CHECK(device.version() == "0.2.0");
    CHECK(device.state().minimum == update::Version{0, 1, 0});
    CHECK_FALSE(device.state().trial.has_value());
    if (device.effects_left) break;  // the update had fewer effects
    ++cuts;
  }
  CHECK(cuts > 15);
  CHECK(cuts < enough);
}

TEST_CASE("a power cut at any moment leaves a board that starts, and a version that fails is rolled back in the end") {
  const bool tryboot_survives = GENERATE(false, true);
  for (unsigned effects = 0; effects < enough; ++effects) {
    Device device;
    offer(device, effects, tryboot_survives, false);
    const auto done = [&] {
      check_selection(device, false);
      return device.last() == "0.2.0 rolled_back";
    };
    INFO("power cut after " << effects << " effects");
    REQUIRE(device.run_until(done, 72h, 60s));
    CHECK(device.version() == "0.1.0");
    CHECK(device.status.last->reason == "the sensor delivers no pictures");
    if (device.effects_left) break;
  }
}

TEST_CASE("power cuts again and again leave a board that starts") {
  const bool works = GENERATE(true, false);
  for (unsigned every : {5U, 7U, 11U, 13U}) {
    Device device;
    offer(device, every, false, works);
    for (int i = 0; i < 400; ++i) {
      device.run(30min, 60s);
      check_selection(device, works);
      if (!device.effects_left) device.effects_left = every;
    }
    device.effects_left.reset();
    REQUIRE(device.run_until([&] { return device.last() == (works ? "0.2.0 installed" : "0.2.0 rolled_back"); },
                             10 * 24h, 60s));
  }
}
