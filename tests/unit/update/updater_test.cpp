// SPDX-License-Identifier: Apache-2.0
#include "update/updater.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "device.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using test::Bundle, test::Offered;
using Phase = update::Status::Phase;
using Action = update::Consent::Action;

TEST_CASE("a release is installed at night, tried and confirmed") {
  Offered device;
  REQUIRE(device.ends_with("0.2.0 installed"));
  CHECK(device.version() == "0.2.0");
  CHECK(device.board.selected == "b");
  CHECK(device.starts == 2);
  CHECK(device.state().minimum == update::Version{0, 1, 0});
  CHECK_FALSE(device.state().trial.has_value());
  for (const auto phase : {Phase::offered, Phase::downloading, Phase::restart, Phase::trial})
    CHECK(device.phases.contains(phase));
  device.run(24h, 5min);
  CHECK(device.starts == 2);
  CHECK(device.board.installs == 1);
}

TEST_CASE("before the night, a release is only offered") {
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 5h});  // 05:00 UTC
  device.run(20h, 5min);
  CHECK(device.status.phase == Phase::offered);
  CHECK(device.status.offer->version == update::Version{0, 2, 0});
  CHECK(device.board.installs == 0);
  device.run(2h, 1min);
  CHECK(device.board.installs == 1);
}

TEST_CASE("a camera without a clock updates after 24 h of running time, also over restarts") {
  Offered device;
  device.clock.set_wall({1h});
  device.run(14h, 5min);
  device.cut_power();
  device.run(8h, 5min);
  CHECK(device.board.installs == 0);
  CHECK(device.ends_with("0.2.0 installed", 5h));  // at most an hour is lost at the power cut
}

TEST_CASE("a sensor that is gone after the update leads back to the old version") {
  Offered device;
  device.broken["0.2.0"] = [](auto& camera) {
    camera.works.sensor = false;
    camera.fault = "sensor";
  };
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.version() == "0.1.0");
  CHECK(device.board.selected == "a");
  CHECK(device.reason() == "the sensor delivers no pictures (sensor)");
  device.run(10 * 24h, 5min);  // not again
  CHECK(device.board.installs == 1);
  CHECK(device.last() == "0.2.0 rolled_back");
  device.broken.clear();
  device.owner(Action::start);
  CHECK(device.ends_with("0.2.0 installed", 1h));
}

TEST_CASE("a start of the owner that fails is not repeated") {
  Offered device;
  device.broken["0.2.0"] = [](auto& camera) { camera.runs = false; };
  device.owner(Action::start);
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.reason() == "the camera does not run");
  device.run(5 * 24h, 5min);
  CHECK(device.board.installs == 1);
}

TEST_CASE("a new version replaces one that failed") {
  Offered device;
  device.broken["0.2.0"] = [](auto& camera) { camera.works.epoch = false; };
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  device.board.channel = Bundle{.version = "0.2.1"};
  CHECK(device.ends_with("0.2.1 installed"));
}

TEST_CASE("without a broker for a day, the camera updates once the broker is back") {
  Offered device;
  device.run(10min);
  CHECK(device.state().worked.broker);
  device.camera.state.works.broker = false;
  device.run(24h, 1min);
  CHECK(device.board.installs == 0);
  device.camera.state.works.broker = true;
  CHECK(device.ends_with("0.2.0 installed"));
  CHECK_FALSE(device.log.contains("rolled back"));
}

TEST_CASE("a broker that stays away for two days is no condition of the update") {
  Offered device;
  device.run(10min);
  device.camera.state.works.broker = false;
  CHECK(device.ends_with("0.2.0 installed", 5 * 24h));
}

TEST_CASE("a broker that is lost in the trial leads back with a reason, and the version is tried again") {
  Offered device;
  device.broken["0.2.0"] = [](auto& camera) { camera.works.broker = false; };
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.reason() == "the broker does not acknowledge the camera's grants");
  CHECK_FALSE(device.state().failure_of({0, 2, 0})->final);
  device.broken.clear();
  CHECK(device.ends_with("0.2.0 installed"));
}

TEST_CASE("a version that never reaches the broker is tried three times") {
  Offered device;
  device.broken["0.2.0"] = [](auto& camera) { camera.works.broker = false; };
  device.run(20 * 24h, 1min);
  CHECK(device.board.installs == 3);
  CHECK(device.state().failure_of({0, 2, 0})->final);
  CHECK(device.version() == "0.1.0");
}

TEST_CASE("a version that does not start is tried three times and rolled back") {
  Offered device;
  device.board.does_not_start.insert("0.2.0");
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.reason() == "version 0.2.0 did not start, 3 times");
  CHECK(device.starts == 4);
  CHECK(device.board.installs == 1);
}

TEST_CASE("a trial that a power cut ends is started again, at most three times") {
  Offered device;
  for (int cut = 0; cut < 3; ++cut) {
    REQUIRE(device.run_until([&] { return device.version() == "0.2.0"; }));
    device.run(30s, 10s);
    device.cut_power();
    CHECK(device.version() == "0.1.0");
  }
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.reason() == "the trial was interrupted 3 times");
  CHECK_FALSE(device.state().failure_of({0, 2, 0})->final);
  CHECK(device.ends_with("0.2.0 installed"));
}

TEST_CASE("with privacy on, a camera updates without its sensor") {
  Offered device;
  device.camera.state.privacy = true;
  device.camera.state.works.sensor = true;  // as CameraFiles reports it with privacy
  CHECK(device.ends_with("0.2.0 installed"));
  CHECK_FALSE(device.state().worked.sensor);
}

TEST_CASE("an unpaired camera updates, and rolls back if its pairing port stays closed") {
  const bool opens = GENERATE(false, true);
  Offered device;
  device.camera.state.paired = false;
  device.camera.state.works = {};
  if (!opens) device.broken["0.2.0"] = [](auto& camera) { camera.runs = false; };
  CHECK(device.ends_with(opens ? "0.2.0 installed" : "0.2.0 rolled_back"));
}

TEST_CASE("a release that is older, for another board or unsigned is rejected with a reason and never installed") {
  Offered device;
  device.board.channel->version = "0.0.9";
  device.board.channel->minimum = "0.0.9";
  REQUIRE(device.ends_with("0.0.9 rejected"));
  CHECK(device.reason() == "version 0.0.9 is older than 0.1.0, which runs");
  device.board.channel = Bundle{.compatible = "sealcam-otherboard"};
  REQUIRE(device.ends_with("0.2.0 rejected"));
  CHECK(device.reason().contains("sealcam-otherboard"));
  device.board.info_error = "signature verification failed: self-signed certificate";
  REQUIRE(device.ends_with("? rejected"));
  CHECK(device.reason().contains("signature verification failed"));
  CHECK(device.board.installs == 0);
}

TEST_CASE("the oldest permitted version rises with a confirmed release only") {
  Offered device(Bundle{.version = "0.2.0", .minimum = "0.1.0"});
  REQUIRE(device.ends_with("0.2.0 installed"));
  device.board.channel = Bundle{.version = "0.3.0", .minimum = "0.2.0"};
  device.broken["0.3.0"] = [](auto& camera) { camera.runs = false; };
  REQUIRE(device.ends_with("0.3.0 rolled_back"));
  CHECK(device.state().minimum == update::Version{0, 1, 0});
  device.broken.clear();
  device.owner(Action::start);
  REQUIRE(device.ends_with("0.3.0 installed"));
  CHECK(device.state().minimum == update::Version{0, 2, 0});
}

TEST_CASE("a failed download is tried again an hour later") {
  Offered device;
  device.board.install_error = "failed to read from nbd";
  REQUIRE(device.ends_with("0.2.0 failed"));
  CHECK(device.reason() == "rauc install: failed to read from nbd");
  CHECK(device.version() == "0.1.0");
  const auto installs = [&] {
    return std::ranges::count_if(device.board.calls, [](const auto& call) { return call[1] == "install"; });
  };
  CHECK(installs() == 1);
  device.run(50min);
  CHECK(installs() == 1);
  device.board.install_error.clear();
  CHECK(device.ends_with("0.2.0 installed"));
}

TEST_CASE("a full data partition prevents the update with a reason, before the download") {
  Offered device;
  device.camera.state.free_space = 100 * 1024;
  REQUIRE(device.ends_with("0.2.0 failed"));
  CHECK(device.reason().starts_with("the data partition has 100 KiB free, and an update needs 4096"));
  CHECK(device.board.installs == 0);
}

TEST_CASE("without a state on the card there is no installation and no trial") {
  Offered device;
  device.run(10min);
  device.store.full = true;
  device.owner(Action::start);
  device.run(12h, 5min);
  CHECK(device.board.installs == 0);
  CHECK(device.starts == 1);
}

TEST_CASE("a bundle that the web server exchanged after the decision is never started") {
  Offered device;
  device.board.exchanged = Bundle{.version = "0.0.1"};
  REQUIRE(device.ends_with("0.2.0 failed"));
  CHECK(device.reason() == "another bundle than the one of the decision was installed");
  CHECK(device.starts == 1);
  CHECK(device.board.selected == "a");
  device.board.exchanged.reset();  // control
  CHECK(device.ends_with("0.2.0 installed"));
}

TEST_CASE("a release that is withdrawn between offer and night is not installed") {
  const bool removed = GENERATE(false, true);
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 20h});
  device.run(1h);
  REQUIRE(device.status.phase == Phase::offered);
  if (removed) device.board.channel.reset();
  else device.board.channel->version = "0.1.0";
  device.run(24h, 1min);
  CHECK(device.board.installs == 0);
  CHECK(device.version() == "0.1.0");
}

TEST_CASE("the owner defers, rejects and starts a release") {
  Offered device;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(device.clock.wall().since_epoch).count();
  device.owner(Action::defer, "", now + 5 * 86'400);
  device.run(4 * 24h, 5min);
  CHECK(device.status.phase == Phase::deferred);
  device.owner(Action::reject, "0.2.0");
  device.run(10 * 24h, 5min);
  CHECK(device.status.phase == Phase::rejected);
  CHECK(device.board.installs == 0);
  device.owner(Action::start, "0.2.0");
  CHECK(device.ends_with("0.2.0 installed", 1h));
}

TEST_CASE("a start of the owner polls the channel at once") {
  Offered device;
  device.board.channel.reset();
  device.run(1h);
  device.board.channel = Bundle();
  device.owner(Action::start);
  CHECK(device.ends_with("0.2.0 installed", 10min));
}

TEST_CASE("a version that cannot be confirmed is rolled back") {
  Offered device;
  device.board.mark_fails = true;
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.board.selected == "a");
  CHECK(device.reason().contains("autoboot.txt"));
}

TEST_CASE("a version whose RAUC does not answer is rolled back") {
  Offered device;
  REQUIRE(device.run_until([&] { return device.version() == "0.2.0"; }));
  device.board.silent = true;
  REQUIRE(device.run_until([&] { return device.version() == "0.1.0"; }, 20min));
  device.board.silent = false;
  REQUIRE(device.ends_with("0.2.0 rolled_back"));
  CHECK(device.reason().contains("D-Bus"));
}

TEST_CASE("a slot that runs without a recorded trial gets no update and returns after a day") {
  Offered device;
  device.board.slots["b"] = {"0.1.5", ""};
  device.board.tryboot = true;
  device.board.restarting = true;
  device.run(30s);
  REQUIRE(device.version() == "0.1.5");
  device.run(23h, 5min);
  CHECK(device.version() == "0.1.5");
  CHECK(device.board.installs == 0);
  device.run(2h, 5min);
  CHECK(device.version() == "0.1.0");
}

TEST_CASE("a damaged state is reported, and the running version is the oldest permitted one") {
  Offered device;
  device.store.text = "damaged";
  device.board.channel->version = "0.0.9";
  device.board.channel->minimum = "0.0.1";
  REQUIRE(device.ends_with("0.0.9 rejected"));
  CHECK(device.log.contains("the state of the updater is not JSON"));
  CHECK(device.state().minimum == update::Version{0, 1, 0});
}

TEST_CASE("without a channel the board is never restarted and polls nothing") {
  Offered device;
  device.settings.channel.clear();
  device.cut_power();
  device.run(72h, 5min);
  CHECK(device.board.installs == 0);
  for (const auto& call : device.board.calls) CHECK(call[1] == "status");
}
