// SPDX-License-Identifier: Apache-2.0
// When a release is installed, again or not again, and what the report shows.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "device.hpp"

using namespace sealcam;
using namespace std::chrono_literals;
using test::Bundle, test::Offered;
using Phase = update::Status::Phase;
using Action = update::Consent::Action;

TEST_CASE("an installation that fails again and again is tried less and less often, and only at night") {
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 1h});  // 01:00 UTC
  device.board.install_error = "failed to read from nbd";
  std::vector<std::chrono::seconds> times;
  unsigned before = 0;
  for (auto time = 0s; time < 5 * 24h; time += 1min) {
    device.run(1min, 1min);
    const auto installs = static_cast<unsigned>(
        std::ranges::count_if(device.board.calls, [](const auto& call) { return call[1] == "install"; }));
    if (installs != before) times.push_back((1h + time) % 24h);
    before = installs;
  }
  CHECK(times.size() >= 4);
  CHECK(times.size() <= 8);
  for (const auto time : times) CHECK((time >= 2h && time < 5h));
  device.board.install_error.clear();
  device.board.channel->version = "0.2.1";  // another version does not wait
  CHECK(device.ends_with("0.2.1 installed", 32h));
}

TEST_CASE("a decision of the owner during the download prevents the trial, and the bundle is not downloaded twice") {
  Offered device;
  const auto effect = device.board.effect;
  device.board.effect = [&] {
    effect();
    if (device.board.calls.back()[1] != "install" || device.board.installs == 0) return;
    device.clock.advance(1h);
    device.owner(Action::reject, "0.2.0");
  };
  REQUIRE(device.run_until([&] { return device.board.installs == 1; }));
  device.run(3 * 24h, 5min);
  CHECK(device.starts == 1);
  CHECK(device.status.phase == Phase::rejected);
  device.owner(Action::automatic);
  CHECK(device.ends_with("0.2.0 installed"));
  CHECK(device.board.installs == 1);
}

TEST_CASE("a camera that fails during the download prevents the trial, until it works again") {
  Offered device;
  const auto effect = device.board.effect;
  device.board.effect = [&] {
    effect();
    if (device.board.calls.back()[1] != "install" || device.board.installs == 0) return;
    device.clock.advance(10min);
    device.camera.state.works.sensor = false;
  };
  REQUIRE(device.run_until([&] { return device.board.installs == 1; }));
  device.run(1h);
  CHECK(device.starts == 1);
  device.camera.state.works.sensor = true;
  CHECK(device.ends_with("0.2.0 installed"));
  CHECK(device.state().worked.sensor);
}

TEST_CASE("a request at the console counts until a poll succeeds, which is repeated soon") {
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 12h});
  device.camera.state.request = update::Version{0, 2, 1};  // not offered
  device.run(1h);
  CHECK_FALSE(device.camera.state.request.has_value());
  CHECK(device.board.installs == 0);
  device.board.channel.reset();  // the network is not ready
  device.camera.state.request = update::Version{0, 2, 0};
  device.run(30s);
  const auto polls = device.board.calls.size();
  device.run(3min);
  CHECK(device.board.calls.size() >= polls + 1);
  CHECK(device.board.calls.size() <= polls + 2);
  CHECK(device.camera.state.request.has_value());
  device.board.channel = Bundle();
  CHECK(device.ends_with("0.2.0 installed", 15min));
  CHECK(device.state().started == 0);
}

TEST_CASE("a start without a version counts for the next poll that succeeds, and not for a later release") {
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 6h});
  device.board.channel->share = "0";
  device.run(1h);
  device.owner(Action::start);
  device.run(1min);
  device.board.channel->share = "100";
  device.run(12h, 5min);
  CHECK(device.status.phase == Phase::offered);
  CHECK(device.board.installs == 0);
}

TEST_CASE("a start of another version is not used up by an installation") {
  Offered device;
  device.owner(Action::start, "0.3.0");
  REQUIRE(device.ends_with("0.2.0 installed"));
  CHECK(device.state().started == 0);
  device.board.channel = Bundle{.version = "0.3.0"};
  CHECK(device.ends_with("0.3.0 installed", 8h));
}

TEST_CASE("after a reset, the numbers of the next owner begin again") {
  Offered device;
  device.camera.state.consent.number = 40;
  device.owner(Action::start);
  REQUIRE(device.ends_with("0.2.0 installed"));
  CHECK(device.state().started == 41);
  device.camera.state.paired = false;
  device.camera.state.consent = {};
  device.run(1min);
  CHECK(device.state().started == 0);
  device.camera.state.paired = true;
  device.board.channel = Bundle{.version = "0.3.0"};
  device.owner(Action::start, "0.3.0");
  CHECK(device.ends_with("0.3.0 installed", 1h));
}

TEST_CASE("two releases that alternate and fail are each tried once") {
  Offered device;
  device.broken["0.2.0"] = device.broken["0.2.1"] = [](auto& camera) { camera.runs = false; };
  for (int i = 0; i < 4; ++i) {
    device.board.channel->version = i % 2 == 0 ? "0.2.0" : "0.2.1";
    device.run(2 * 24h, 5min);
  }
  CHECK(device.board.installs == 2);
}

TEST_CASE("the report has the last poll that succeeded and the reason of one that failed") {
  Offered device;
  device.clock.set_wall({std::chrono::seconds(1'800'057'600) + 12h});
  CHECK_FALSE(device.status.poll.has_value());
  device.run(15min);
  const auto at = device.status.poll.value().at;
  CHECK(at >= 1'800'057'600 + 12 * 3600);
  CHECK(device.status.poll->error.empty());
  device.board.channel.reset();
  device.run(7h);
  CHECK(device.status.poll->error == "rauc info: HTTP error 404");
  CHECK(device.status.poll->at >= at);
  device.board.channel = Bundle();
  device.run(1h);
  CHECK(device.status.poll->error.empty());
}
