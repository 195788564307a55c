// SPDX-License-Identifier: Apache-2.0
/// The time line of a network on trial, by a clock that stands still until it is moved, on a board whose air is
/// scripted.
#include "camera/wifi_keeper.hpp"

#include <catch2/catch_test_macros.hpp>

#include "hal/fake/fake_network.hpp"
#include "support/temporary_folder.hpp"

using namespace sealcam;
using namespace sealcam::camera;
using namespace std::chrono_literals;
using hal::JoinFault;
using hal::fake::FakeNetwork;
using protocol::WifiTrouble;

namespace {

protocol::Wifi wifi(std::string_view ssid, std::string_view passphrase = "correct horse") {
  const auto bytes = as_bytes(ssid);
  return {Bytes(bytes.begin(), bytes.end()), *protocol::Passphrase::parse(passphrase)};
}

/// A board in its first network, and the camera's view of it. The broker answers where it is reached.
struct Board {
  test::TemporaryFolder folder;
  pairing::StateFiles files{folder.path()};
  FakeClock clock;
  MemoryLog log;
  FakeNetwork air{clock};
  std::optional<WifiKeeper> camera;
  bool carried = false;  // a cable reaches the broker whatever the air does

  Board() {
    air.add({.ssid = "old", .reaches_broker = true});
    air.start_in("old");
    start();
  }
  /// The process begins (again).
  void start() {
    camera.emplace(WifiKeeper::Parts{files, air, clock, log});
    camera->load();
  }
  void kill() {
    camera.reset();
    air.forget_process();
  }
  [[nodiscard]] bool reached() const { return carried || air.reaches_broker(); }
  /// Ten ticks a second; a connection to the broker takes up to a second. True when trouble() changed at least once.
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
  [[nodiscard]] pairing::WifiOutcome stored() const {
    pairing::WifiOutcome outcome;
    REQUIRE(pairing::read_wifi_file(files, &outcome));
    return outcome;
  }

 private:
  std::string was_in_ = "old";
  MonotonicTime since_;
};

}  // namespace

TEST_CASE("a network over which the broker is reached is kept, and nothing is tried again") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true});
  REQUIRE(board.camera->want(wifi("new")));
  CHECK(board.camera->state() == "waiting");
  board.run(4s);
  CHECK(board.air.network() == "old");  // the answer to the command gets out first
  board.run(20s);
  CHECK(board.air.network() == "new");
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->state() == "joined");
  CHECK(board.camera->trouble() == nullptr);
  CHECK(board.stored().word == "joined");
  board.run(200s);
  CHECK(board.air.joins() == 1);
  board.kill();
  board.start();
  board.run(200s);
  CHECK(board.air.joins() == 1);
}

TEST_CASE("a wrong passphrase leads back at once, and is told") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .fault = JoinFault::refused});
  REQUIRE(board.camera->want(wifi("new", "not the passphrase")));
  CHECK(board.run(30s));
  CHECK(board.air.network() == "old");
  CHECK(board.air.kept() == "old");
  REQUIRE(board.camera->trouble() != nullptr);
  CHECK(board.camera->trouble()->trouble == WifiTrouble::refused);
  CHECK(board.stored().word == "refused");
  CHECK(board.log.contains("refused the passphrase"));
  for (const auto& line : board.log.lines()) CHECK_FALSE(line.contains("not the passphrase"));
  board.run(3600s);  // the broker is reached: nothing to gain
  CHECK(board.air.joins() == 1);
}

TEST_CASE("a network without the broker is left within two minutes of the word") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->want(wifi("nowhere")));
  board.run(60s);
  CHECK(board.air.network() == "nowhere");
  CHECK(board.run(60s));
  CHECK(board.air.network() == "old");
  CHECK(board.camera->trouble()->trouble == WifiTrouble::no_broker);
}

TEST_CASE("an activation that has no end has one") {
  Board board;
  board.air.add({.ssid = "slow", .reaches_broker = true, .takes = 10h});
  REQUIRE(board.camera->want(wifi("slow")));
  board.run(64s);
  CHECK(board.camera->state() == "trying");
  CHECK(board.run(4s));
  CHECK(board.air.network() == "old");
  CHECK(board.camera->trouble() != nullptr);
}

TEST_CASE("a process that dies on trial leaves the board to go back by itself, and the next one tries again") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->want(wifi("nowhere")));
  board.run(30s);
  CHECK(board.air.network() == "nowhere");
  board.kill();
  board.run(90s);
  CHECK(board.air.network() == "old");  // nobody told it to
  board.start();
  CHECK(board.camera->state() == "waiting");
  board.run(120s);
  CHECK(board.air.network() == "old");
  CHECK(board.stored().word == "no_broker");
}

TEST_CASE("a process that is started again on trial waits for the board to go back") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .takes = 20s});
  REQUIRE(board.camera->want(wifi("new")));
  board.run(10s);
  board.kill();
  board.start();
  board.run(300s);
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->state() == "joined");
  CHECK(board.air.joins() == 2);
}

TEST_CASE("a trial that ends the process each time is given up") {
  Board board;
  board.air.add({.ssid = "deadly", .reaches_broker = false});
  REQUIRE(board.camera->want(wifi("deadly")));
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

TEST_CASE("after a restart the board is in the network that was kept") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .takes = 3s});
  REQUIRE(board.camera->want(wifi("new")));
  board.run(7s);
  board.air.power_cut();
  CHECK(board.air.network() == "old");
  board.start();
  board.run(60s);
  CHECK(board.air.kept() == "new");
  board.air.power_cut();
  CHECK(board.air.network() == "new");
}

TEST_CASE("a network that failed is tried again where there is nothing to lose, less and less often") {
  Board board;
  board.air.add({.ssid = "new", .reaches_broker = true, .fault = JoinFault::not_found});
  REQUIRE(board.camera->want(wifi("new")));
  board.run(30s);
  CHECK(board.air.joins() == 1);
  board.air.remove("old");  // the owner moves house
  board.run(110s);
  CHECK(board.air.joins() == 1);
  board.run(30s);
  CHECK(board.air.joins() == 2);
  board.run(3600s);
  const int often = board.air.joins();
  CHECK(often > 4);
  CHECK(often < 9);
  board.air.add({.ssid = "new", .reaches_broker = true});
  CHECK(board.run(1900s));
  CHECK(board.air.kept() == "new");
  CHECK(board.camera->trouble() == nullptr);
}

TEST_CASE("another word of the owner takes the place of a trial") {
  Board board;
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  board.air.add({.ssid = "new", .reaches_broker = true});
  REQUIRE(board.camera->want(wifi("nowhere")));
  board.run(20s);
  CHECK(board.air.network() == "nowhere");
  REQUIRE(board.camera->want(wifi("new")));
  board.run(30s);
  CHECK(board.air.kept() == "new");
  CHECK(board.stored().word == "joined");
  CHECK(board.camera->trouble() == nullptr);
}

TEST_CASE("a connection that a cable carries is no proof at once, and one after a while") {
  Board board;
  board.carried = true;
  board.run(60s);
  board.air.add({.ssid = "nowhere", .reaches_broker = false});
  REQUIRE(board.camera->want(wifi("nowhere")));
  board.run(12s);
  CHECK(board.air.network() == "nowhere");
  CHECK(board.air.kept() == "old");
  board.run(20s);
  CHECK(board.air.kept() == "nowhere");
}

TEST_CASE("what keeps a board from joining is told, and costs nothing") {
  test::TemporaryFolder folder;
  const pairing::StateFiles files{folder.path()};
  FakeClock clock;
  MemoryLog log;
  hal::UnmanagedNetwork network;
  WifiKeeper camera({files, network, clock, log});
  camera.load();
  CHECK(camera.state() == "none");
  REQUIRE(camera.want(wifi("new")));
  for (int i = 0; i < 100; ++i) {
    clock.advance(100ms);
    (void)camera.tick(true);
  }
  CHECK(camera.state() == "unmanaged");
  CHECK(camera.trouble()->trouble == WifiTrouble::cannot);
}

TEST_CASE("a damaged file is told, and the camera goes on") {
  Board board;
  REQUIRE(write_file_durably(board.files.wifi(), as_bytes("{")));
  board.start();
  CHECK(board.log.contains("wifi.json is damaged"));
  board.run(10s);
  CHECK(board.air.joins() == 0);
  REQUIRE(board.camera->want(wifi("old")));
  CHECK(pairing::read_wifi_file(board.files));
}

TEST_CASE("every fault has a word of its own that leads back to it") {
  for (int i = static_cast<int>(JoinFault::unmanaged); i <= static_cast<int>(JoinFault::other); ++i) {
    const auto& fault = describe(static_cast<JoinFault>(i));
    CHECK(fault.fault == static_cast<JoinFault>(i));
    REQUIRE(fault_of(fault.word) != nullptr);
    CHECK(fault_of(fault.word)->fault == fault.fault);
    CHECK_FALSE(fault.sentence.empty());
    CHECK_FALSE(fault.next.empty());
  }
  CHECK(fault_of("") == nullptr);
  CHECK(fault_of(joined_word) == nullptr);
  CHECK(fault_of("from_a_later_version")->fault == JoinFault::other);
}
