// SPDX-License-Identifier: Apache-2.0
/// What the board accepts from NetworkManager and from its caller, and calls outside of a join attempt.
#include "fake_manager.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;
using hal::networkmanager::NetworkManager;
using test::Board;
using Phase = JoinProgress::Phase;

TEST_CASE("messages of NetworkManager cannot control a terminal or flood the log") {
  Board board;
  board.get_in();
  board.manager.reject["Update2"] = "org.freedesktop.NetworkManager.Failed";
  board.manager.message = "\x1b[2J\n" + std::string(100'000, 'x');
  board.network.keep();
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::back);
  CHECK(progress.detail == "?[2J?" + std::string(195, 'x'));
}

TEST_CASE("the length of a list is limited") {
  Board board;
  board.get_in();
  board.manager.profiles = 100'000;
  board.network.keep();
  auto progress = board.pump();
  for (int i = 0; i < 200 && progress.phase != Phase::kept; ++i) progress = board.pump();
  CHECK(progress.phase == Phase::kept);
}

TEST_CASE("a retry registers a secret agent, which ends without a passphrase") {
  FakeClock clock;
  test::FakeManager manager;
  NetworkManager network(clock, manager.address());
  SECTION("it succeeds, again and again") {
    for (int i = 1; i <= 3; ++i) {
      network.retry();
      network.retry();  // the earlier call is running
      CHECK(manager.pump(network).phase == Phase::idle);
      CHECK(manager.calls.size() == static_cast<std::size_t>(i));
      CHECK(manager.calls.back() == "Register sealcam.camera");
      CHECK_FALSE(manager.connected());
    }
  }
  SECTION("NetworkManager rejects it, or is missing") {
    manager.reject["Register"] = "org.freedesktop.NetworkManager.AgentManager.PermissionDenied";
    network.retry();
    manager.pump(network);
    manager.owner = "";
    network.retry();
    CHECK(manager.pump(network).phase == Phase::idle);
    CHECK(manager.calls == std::vector<std::string>{"Register rejected"});
    CHECK_FALSE(manager.connected());
  }
  SECTION("an attempt has precedence") {
    REQUIRE(network.join(as_bytes("at home"), "correct horse", 60s));
    network.retry();
    manager.pump(network);
    CHECK_FALSE(manager.called("Register"));
    CHECK(manager.called("ActivateConnection"));
  }
  SECTION("there is no bus") {
    NetworkManager nowhere(clock, "unix:path=/nowhere/bus");
    nowhere.retry();
    CHECK(nowhere.step().phase == Phase::idle);
  }
}

TEST_CASE("an invalid network is rejected") {
  FakeClock clock;
  NetworkManager network(clock, "unix:path=/nowhere/bus");
  const std::string long_name(33, 'x');
  CHECK(network.join({}, "12345678", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes(long_name), "12345678", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes("x"), "1234567", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes("x"), "12345678", 5s).error().code == Errc::invalid_argument);
  CHECK(network.step().phase == Phase::idle);
}
