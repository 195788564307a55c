// SPDX-License-Identifier: Apache-2.0
/// Join attempts over time, with a fake clock and fake networks.
#include "camera/owner_settings.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/file.hpp"
#include "base/testing/fakes.hpp"
#include "hal/testing/fake_board.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;
using hal::JoinFault;
using hal::testing::FakeNetwork;
using protocol::WifiFault;

namespace {

protocol::Wifi wifi(std::string_view ssid, std::string_view passphrase = "correct horse") {
  const auto bytes = as_bytes(ssid);
  return {Bytes(bytes.begin(), bytes.end()), *protocol::Passphrase::parse(passphrase)};
}

/// A board in the network "old" and its camera.
struct Board {
  test::TemporaryFolder folder;
  device::StateFiles files{folder.path()};
  FakeClock clock;
  MemoryLog log;
  FakeNetwork air{clock};
  std::optional<WifiController> camera;
  bool carried = false;  // a cable reaches the broker without Wi-Fi

  Board() {
    air.add({.ssid = "old", .reaches_broker = true});
    air.start_in("old");
    start();
  }
  /// Starts the process, also again.
  void start() {
    camera.emplace(WifiController::Dependencies{files, air, clock, log});
    camera->load();
  }
  void kill() {
    camera.reset();
    air.forget_process();
  }
  [[nodiscard]] bool reached() const { return carried || air.reaches_broker(); }
  /// Ticks ten times a second. A connection to the broker takes a second. Returns true if fault() changed.
  bool run(std::chrono::seconds time) {
    bool changed = false;
    for (auto passed = 0ms; passed < time; passed += 100ms) {
      clock.advance(100ms);
      air.advance();
      if (air.network() != was_in_) since_ = clock.monotonic();
      was_in_ = air.network();
      const bool connected = reached() && (carried || clock.monotonic() - since_ >= 1s);
      if (camera && camera->tick(connected)) changed = true;
    }
    return changed;
  }
  [[nodiscard]] device::WifiOutcome stored() const {
    device::WifiOutcome outcome;
    REQUIRE(device::read_wifi_file(files, &outcome));
    return outcome;
  }

 private:
  std::string was_in_ = "old";
  MonotonicTime since_;
};

}  // namespace

TEST_CASE("a network that reaches the broker is kept and not tried again") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true});
  REQUIRE(board.camera->join(wifi("new")));
  CHECK(board.camera->state() == "waiting");
  board.run(4s);
  CHECK(board.air.network() == "old");  // the answer to the command is sent first
  board.run(20s);
  CHECK(board.air.network() == "new");
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->state() == "joined");
  CHECK(board.camera->fault() == nullptr);
  CHECK(board.stored().word == "joined");
  board.run(200s);
  CHECK(board.air.joins() == 1);
  board.kill();
  board.start();
  board.run(200s);
  CHECK(board.air.joins() == 1);
}

TEST_CASE("after a wrong passphrase the camera returns at once and reports it") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .fault = JoinFault::rejected});
  REQUIRE(board.camera->join(wifi("new", "not the passphrase")));
  CHECK(board.run(30s));
  CHECK(board.air.network() == "old");
  CHECK(board.air.kept() == "old");
  REQUIRE(board.camera->fault() != nullptr);
  CHECK(board.camera->fault()->fault == WifiFault::rejected);
  CHECK(board.stored().word == "rejected");
  CHECK(board.log.contains("rejected the passphrase"));
  for (const auto& line : board.log.lines()) CHECK_FALSE(line.contains("not the passphrase"));
  board.run(3600s);  // no new attempt while the broker is reached
  CHECK(board.air.joins() == 1);
}

TEST_CASE("the camera leaves a network without the broker within two minutes") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->join(wifi("nowhere")));
  board.run(60s);
  CHECK(board.air.network() == "nowhere");
  CHECK(board.run(60s));
  CHECK(board.air.network() == "old");
  CHECK(board.camera->fault()->fault == WifiFault::no_broker);
}

TEST_CASE("an activation that does not end is stopped") {
  Board board;
  board.air.add({.ssid = "slow", .reaches_broker = true, .takes = 10h});
  REQUIRE(board.camera->join(wifi("slow")));
  board.run(64s);
  CHECK(board.camera->state() == "trying");
  CHECK(board.run(4s));
  CHECK(board.air.network() == "old");
  CHECK(board.camera->fault() != nullptr);
}

TEST_CASE("if the process ends during an attempt, the board returns by itself and the next process tries again") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->join(wifi("nowhere")));
  board.run(30s);
  CHECK(board.air.network() == "nowhere");
  board.kill();
  board.run(90s);
  CHECK(board.air.network() == "old");  // without the process
  board.start();
  CHECK(board.camera->state() == "waiting");
  board.run(120s);
  CHECK(board.air.network() == "old");
  CHECK(board.stored().word == "no_broker");
}

TEST_CASE("a new process waits until the board has returned, then tries again") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .takes = 20s});
  REQUIRE(board.camera->join(wifi("new")));
  board.run(10s);
  board.kill();
  board.start();
  board.run(300s);
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->state() == "joined");
  CHECK(board.air.joins() == 2);
}

TEST_CASE("after three attempts that ended the process the network counts as failed") {
  Board board;
  board.air.add({.ssid = "fatal", .reaches_broker = false});
  REQUIRE(board.camera->join(wifi("fatal")));
  for (int i = 0; i < 5; ++i) {
    board.run(30s);
    board.kill();
    board.run(200s);
    board.start();
  }
  CHECK(board.air.joins() == 3);
  CHECK(board.air.network() == "old");
  CHECK(board.stored().word == "other");
}

TEST_CASE("after a restart the board is in the network that it kept") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .takes = 3s});
  REQUIRE(board.camera->join(wifi("new")));
  board.run(7s);
  board.air.power_cut();
  CHECK(board.air.network() == "old");
  board.start();
  board.run(60s);
  CHECK(board.air.kept() == "new");
  board.air.power_cut();
  CHECK(board.air.network() == "new");
}

TEST_CASE("without a broker a failed network is tried again, less and less often") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .fault = JoinFault::not_found});
  REQUIRE(board.camera->join(wifi("new")));
  board.run(30s);
  CHECK(board.air.joins() == 1);
  board.air.remove("old");  // the earlier network is gone
  board.run(110s);
  CHECK(board.air.joins() == 1);
  board.run(30s);
  CHECK(board.air.joins() == 2);
  board.run(3600s);
  const int joins = board.air.joins();
  CHECK(joins > 4);
  CHECK(joins < 9);
  board.air.add({.ssid = "new", .reaches_broker = true});
  CHECK(board.run(1900s));
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->fault() == nullptr);
}

TEST_CASE("without a broker the network manager tries known networks again each minute") {
  Board board;
  SECTION("a network that the owner named") {
    board.air.add({.ssid = "new", .reaches_broker = true});
    REQUIRE(board.camera->join(wifi("new")));
    board.run(30s);
  }
  SECTION("a network of the card or of the board") {}
  const std::string network = board.air.kept();
  board.run(3600s);
  CHECK(board.air.retries() == 0);  // control: with a broker
  board.air.give_up();
  board.run(59s);
  CHECK(board.air.network().empty());
  board.run(3s);
  CHECK(board.air.network() == network);
  CHECK(board.air.retries() == 1);
  board.run(600s);
  CHECK(board.air.retries() == 1);
  board.air.add({.ssid = network, .reaches_broker = false});  // the broker is off
  board.run(602s);
  CHECK(board.air.retries() == 11);
  CHECK(board.air.network() == network);
}

TEST_CASE("a new network replaces the current attempt") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  board.air.add({.ssid = "new", .reaches_broker = true});
  REQUIRE(board.camera->join(wifi("nowhere")));
  board.run(20s);
  CHECK(board.air.network() == "nowhere");
  REQUIRE(board.camera->join(wifi("new")));
  board.run(30s);
  CHECK(board.air.kept() == "new");
  CHECK(board.stored().word == "joined");
  CHECK(board.camera->fault() == nullptr);
}

TEST_CASE("a connection over a cable proves the network only after a while") {
  Board board;
  board.carried = true;
  board.run(60s);
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->join(wifi("nowhere")));
  board.run(12s);
  CHECK(board.air.network() == "nowhere");
  CHECK(board.air.kept() == "old");
  board.run(20s);
  CHECK(board.air.kept() == "nowhere");
}

TEST_CASE("a board that cannot join networks reports it") {
  test::TemporaryFolder folder;
  const device::StateFiles files{folder.path()};
  FakeClock clock;
  MemoryLog log;
  hal::testing::UnmanagedNetwork network;
  WifiController camera({files, network, clock, log});
  camera.load();
  CHECK(camera.state() == "none");
  REQUIRE(camera.join(wifi("new")));
  for (int i = 0; i < 100; ++i) {
    clock.advance(100ms);
    (void)camera.tick(true);
  }
  CHECK(camera.state() == "unmanaged");
  CHECK(camera.fault()->fault == WifiFault::cannot);
}

TEST_CASE("the camera logs a damaged file and continues") {
  Board board;
  REQUIRE(write_file_durably(board.files.wifi(), as_bytes("{")));
  board.start();
  CHECK(board.log.contains("wifi.json is damaged"));
  board.run(10s);
  CHECK(board.air.joins() == 0);
  REQUIRE(board.camera->join(wifi("old")));
  CHECK(device::read_wifi_file(board.files));
}

TEST_CASE("each fault has a unique name") {
  for (int i = static_cast<int>(JoinFault::unmanaged); i <= static_cast<int>(JoinFault::other); ++i) {
    const auto& fault = describe(static_cast<JoinFault>(i));
    CHECK(fault.join == static_cast<JoinFault>(i));
    REQUIRE(fault_of(fault.name) != nullptr);
    CHECK(fault_of(fault.name)->join == fault.join);
    CHECK_FALSE(fault.what.empty());
    CHECK_FALSE(fault.next.empty());
  }
  CHECK(fault_of("") == nullptr);
  CHECK(fault_of(joined_outcome) == nullptr);
  CHECK(fault_of("from_a_later_version")->join == JoinFault::other);
}
