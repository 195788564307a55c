// SPDX-License-Identifier: Apache-2.0
/// The calls to NetworkManager, their order, and the reaction to rejected calls. The test in QEMU (tests/qemu) checks
/// the effect of the calls.
#include <algorithm>

#include "fake_manager.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;
using hal::networkmanager::NetworkManager;
using test::Board;
using Phase = JoinProgress::Phase;
using Calls = std::vector<std::string>;

namespace {

constexpr auto in_memory = "/run/NetworkManager/system-connections/sealcam.nmconnection";
constexpr auto netplan = "/run/NetworkManager/system-connections/netplan-NM-0a1b-home.nmconnection";  // saved in /etc

const Calls way_in = {"CheckpointCreate /d/wifi 60 2", "AddConnection2 at home by itself 34",
                      "ActivateConnection /s/new /d/wifi"};

Calls followed_by(const Calls& more) {
  Calls all = way_in;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

TEST_CASE("a network is joined in memory with a checkpoint, and is stored before older networks are deleted") {
  Board board;
  CHECK(board.pump().phase == Phase::joining);
  CHECK(board.manager.calls == way_in);
  CHECK(board.manager.passphrase == "correct horse");
  CHECK(board.network.join(as_bytes("x"), "12345678", 60s).error().code == Errc::conflict);
  board.get_in();
  board.network.keep();
  CHECK(board.pump().phase == Phase::kept);
  CHECK(board.manager.calls == followed_by({"Update2 unchanged 1", "CheckpointDestroy /c/1", "Delete /s/old"}));
  board.manager.calls.clear();
  CHECK(board.after(10min).phase == Phase::kept);
  CHECK(board.manager.calls.empty());
  board.begin();  // another attempt
  board.pump();
  CHECK(board.manager.called("CheckpointCreate"));
}

TEST_CASE("the profile fits the access points, so that NetworkManager returns to the network by itself") {
  const auto [flags, key_management] = GENERATE(table<std::uint32_t, std::string>({
      {0x100, "wpa-psk"},  // WPA2
      {0x500, "wpa-psk"},  // WPA2 and WPA3
      {0x400, "sae"},      // only WPA3
      {0x000, "wpa-psk"},  // open: the join fails, but with a reason
  }));
  Board board;
  board.manager.network_flags = flags;
  board.pump();
  if (flags == 0) board.after(10s);
  CHECK(board.manager.key_management == key_management);
}

TEST_CASE("a network that the adapter does not know yet is searched for 10 s with a scan, before anything changes") {
  Board board;
  board.manager.network_flags = 0x400;
  board.manager.scans_until_seen = 3;
  SECTION("it appears") {
    CHECK(board.pump().phase == Phase::looking);
    board.after(1s);
    CHECK(board.after(1s).phase == Phase::looking);
    CHECK(board.after(1s).phase == Phase::joining);
    CHECK(board.manager.key_management == "sae");
  }
  SECTION("it is hidden or out of range") {
    board.manager.scans_until_seen = 1000;
    board.pump();
    for (int second = 1; second < 10; ++second) CHECK(board.after(1s).phase == Phase::looking);
    CHECK(board.after(1s).phase == Phase::joining);
    CHECK(board.manager.key_management == "wpa-psk");
  }
  SECTION("the camera's user may not scan") {
    board.manager.reject["RequestScan"] = "org.freedesktop.NetworkManager.Device.NotAllowed";
    board.pump();
    for (int second = 1; second < 4; ++second) board.after(1s);
    CHECK(board.manager.key_management == "sae");
  }
  CHECK(std::ranges::count_if(board.manager.calls, [](const auto& call) { return call.starts_with("RequestScan"); }) ==
        1);
}

TEST_CASE("after keep() the attempt completes even if the caller stops early") {
  Board board;
  board.get_in();
  board.network.keep();
  int rounds = 0;
  while (board.manager.drain_once(board.network).phase != Phase::kept) REQUIRE(++rounds < 1000);
  CHECK(board.manager.called("Delete /s/old"));
  CHECK(board.network.join(as_bytes("another"), "correct horse", 60s));
}

TEST_CASE("a failed activation is rolled back after the adapter is free, with its fault") {
  for (const auto& [reason, fault] : {std::pair{7U, JoinFault::rejected}, std::pair{53U, JoinFault::not_found},
                                      std::pair{5U, JoinFault::no_address}, std::pair{1U, JoinFault::other}}) {
    Board board;
    board.pump();
    board.manager.descriptor_states(30, 110, 60);  // the end of the earlier network
    CHECK(board.pump().phase == Phase::joining);
    board.manager.descriptor_states(50, 40, 0);
    board.manager.descriptor_states(120, 60, reason);
    board.pump();
    CHECK(board.after(1s).phase == Phase::joining);
    CHECK(board.manager.calls == way_in);
    const auto progress = board.after(1s);
    CHECK(progress.phase == Phase::back);
    CHECK(progress.fault == fault);
    CHECK(board.manager.calls == followed_by({"CheckpointRollback /c/1", "Delete /s/new"}));
  }
}

TEST_CASE("keep() stores only the network that the adapter is in") {
  Board board;
  board.get_in();
  board.manager.active_state = 4;  // the adapter returned to the old network, which reaches the broker
  board.network.keep();
  CHECK(board.pump().phase == Phase::back);
  CHECK_FALSE(board.manager.called("Update2"));
  CHECK(board.manager.called("CheckpointRollback"));
}

TEST_CASE("a network is rolled back if storing fails or the time limit has passed") {
  for (const char* member : {"Update2", "CheckpointDestroy"}) {
    Board board;
    board.get_in();
    board.manager.reject[member] = "org.freedesktop.NetworkManager.Failed";
    board.network.keep();
    const auto progress = board.pump();
    CHECK(progress.phase == Phase::back);
    CHECK(progress.detail == "scripted");
    CHECK(board.manager.called("CheckpointRollback"));
    CHECK(board.manager.called("Delete /s/new"));
    CHECK_FALSE(board.manager.called("Delete /s/old"));
  }
}

TEST_CASE("leave() reports the caller's fault, or otherwise the fault of the last state") {
  Board useless;
  useless.get_in();
  useless.network.leave(JoinFault::useless);
  CHECK(useless.pump().fault == JoinFault::useless);
  CHECK(useless.manager.called("CheckpointRollback"));
  for (const auto& [state, fault] : {std::pair{50U, JoinFault::not_found}, std::pair{60U, JoinFault::rejected},
                                     std::pair{70U, JoinFault::no_address}}) {
    Board slow;
    slow.pump();
    slow.manager.descriptor_states(state, 40, 0);
    slow.pump();
    slow.network.leave(JoinFault::none);
    CHECK(slow.pump().fault == fault);
  }
}

TEST_CASE("forget() deletes only Sealcam's networks, also during an attempt") {
  Board board;
  board.get_in();
  board.network.forget();
  CHECK(board.pump().phase == Phase::idle);
  board.manager.calls.erase(board.manager.calls.begin(), board.manager.calls.begin() + 3);
  std::ranges::sort(board.manager.calls);
  CHECK(board.manager.calls == Calls{"Delete /s/new", "Delete /s/old"});

  FakeClock clock;
  NetworkManager nobody(clock, "unix:path=/nowhere/bus");
  nobody.forget();
  CHECK(nobody.step().phase == Phase::idle);
}

TEST_CASE("without permission the attempt reports not_permitted and leaves no profile") {
  Board board;
  board.manager.reject["CheckpointCreate"] = "org.freedesktop.NetworkManager.PermissionDenied";
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::back);
  CHECK(progress.fault == JoinFault::not_permitted);
  CHECK(board.manager.calls == Calls{"CheckpointCreate rejected"});

  Board half;
  half.manager.reject["AddConnection2"] = "org.freedesktop.NetworkManager.Settings.PermissionDenied";
  CHECK(half.pump().fault == JoinFault::not_permitted);
  CHECK(half.manager.called("CheckpointRollback"));
}

TEST_CASE("the attempt waits 20 s for an adapter") {
  Board none;
  none.manager.adapter_type = 1;
  CHECK(none.pump().phase == Phase::looking);
  for (int i = 0; i < 19; ++i) CHECK(none.after(1s).phase == Phase::looking);
  none.after(1s);
  CHECK(none.after(1s).fault == JoinFault::no_adapter);

  Board off;
  off.manager.card_state = 20;
  CHECK(off.pump().phase == Phase::looking);
  off.manager.card_state = 30;
  CHECK(off.after(1s).phase == Phase::joining);

  Board stays_off;
  stays_off.manager.card_state = 20;
  for (int i = 0; i < 22; ++i) stays_off.after(1s);
  CHECK(stays_off.pump().fault == JoinFault::switched_off);
  CHECK(stays_off.manager.calls.empty());
}

TEST_CASE("the attempt waits until an earlier attempt ends") {
  Board board;
  board.manager.reject["CheckpointCreate"] = "org.freedesktop.NetworkManager.InvalidArguments";
  for (int i = 0; i < 70; ++i) CHECK(board.after(1s).phase == Phase::looking);
  board.manager.reject.clear();
  CHECK(board.after(1s).phase == Phase::joining);

  Board endless;
  endless.manager.reject["CheckpointCreate"] = "org.freedesktop.NetworkManager.InvalidArguments";
  for (int i = 0; i < 82; ++i) endless.after(1s);
  CHECK(endless.pump().phase == Phase::back);
}

TEST_CASE("a missing bus, a missing NetworkManager and the end of NetworkManager are reported") {
  FakeClock clock;
  NetworkManager nobody(clock, "unix:path=/nowhere/bus");
  REQUIRE(nobody.join(as_bytes("x"), "12345678", 60s));
  CHECK(nobody.step().phase == Phase::looking);
  for (int i = 0; i < 22; ++i) {
    clock.advance(1s);
    (void)nobody.step();
  }
  CHECK(nobody.step().fault == JoinFault::unmanaged);

  Board absent;
  absent.manager.reject["GetDevices"] = "org.freedesktop.DBus.Error.ServiceUnknown";
  for (int i = 0; i < 22; ++i) absent.after(1s);
  CHECK(absent.pump().fault == JoinFault::unmanaged);

  Board gone;
  gone.get_in();
  gone.manager.die();
  CHECK(gone.after(1s).phase == Phase::back);
}

TEST_CASE("a restart of NetworkManager during an attempt does not store the network") {
  for (const bool joined : {false, true}) {
    Board board;
    if (joined) board.get_in();
    else board.pump();
    board.manager.calls.clear();
    board.manager.restart();
    // A new NetworkManager reuses paths: /s/new and /a/1 are now objects of another network.
    board.manager.unsaved = {{"/s/old", in_memory}, {"/s/home", in_memory}};
    board.after(1s);
    const auto progress = board.after(1s);
    CHECK(progress.phase == Phase::back);
    CHECK(progress.fault == JoinFault::other);
    CHECK(board.manager.calls == Calls{"Delete /s/old"});
  }
}

TEST_CASE("the attempt waits two minutes for a NetworkManager that ended, with one call per second") {
  Board board;
  board.get_in();
  board.manager.restart();
  board.manager.owner.clear();
  board.manager.unsaved = {{"/s/new", in_memory}};
  for (int i = 0; i < 100; ++i) {
    board.network.leave(JoinFault::useless);  // the time limit of the caller is over too
    CHECK(board.after(1s).phase == Phase::joining);
  }
  CHECK(board.manager.nobody_there < 110);
  board.manager.owner = ":1.9";
  board.manager.calls.clear();
  CHECK(board.after(1s).phase == Phase::back);
  CHECK(board.manager.calls == Calls{"Delete /s/new"});

  Board forever;
  forever.get_in();
  forever.manager.owner.clear();
  for (int i = 0; i < 123; ++i) forever.after(1s);
  CHECK(forever.pump().phase == Phase::back);
  forever.manager.nobody_there = 0;
  for (int i = 0; i < 100; ++i) forever.after(1s);
  CHECK(forever.manager.nobody_there == 0);
}

TEST_CASE("the end of the bus during an attempt does not store the network") {
  Board board;
  board.get_in();
  board.manager.calls.clear();
  board.manager.unsaved = {{"/s/new", in_memory}};
  board.manager.die();
  board.after(1s);
  CHECK(board.after(1s).phase == Phase::back);
  CHECK(board.manager.calls == Calls{"Delete /s/new"});
}

TEST_CASE("a stored network stays, also if NetworkManager ends before the checkpoint is deleted") {
  Board board;
  board.get_in();
  board.manager.reject["CheckpointDestroy"] = board.manager.reject["CheckpointRollback"] =
      "org.freedesktop.DBus.Error.ServiceUnknown";
  board.network.keep();
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::kept);
  CHECK(progress.fault == JoinFault::none);
  CHECK_FALSE(board.manager.called("Delete"));
}

TEST_CASE(
    "stale profiles are deleted before the next checkpoint, and the attempt waits until the adapter is in a network") {
  Board board;
  board.manager.unsaved = {{"/s/new", in_memory}, {"/s/old", netplan}, {"/s/home", in_memory}};
  CHECK(board.pump().phase == Phase::looking);
  board.manager.card_state = 110;  // the adapter is leaving a network
  CHECK(board.after(1s).phase == Phase::looking);
  board.manager.card_state = 30;
  CHECK(board.after(3s).phase == Phase::looking);
  CHECK(board.manager.calls == Calls{"Delete /s/new"});
  board.manager.card_state = 100;
  CHECK(board.after(1s).phase == Phase::joining);
  board.manager.calls.erase(board.manager.calls.begin());
  CHECK(board.manager.calls == way_in);

  Board alone;  // no other network is in range
  alone.manager.unsaved = {{"/s/new", in_memory}};
  alone.pump();
  alone.manager.card_state = 30;
  for (int i = 0; i < 14; ++i) CHECK(alone.after(1s).phase == Phase::looking);
  CHECK(alone.after(1s).phase == Phase::joining);
}

TEST_CASE("an attempt does not start while stale profiles cannot be deleted") {
  for (const auto& [error, fault] :
       {std::pair{"org.freedesktop.NetworkManager.Failed", JoinFault::other},
        std::pair{"org.freedesktop.NetworkManager.PermissionDenied", JoinFault::not_permitted}}) {
    Board board;
    board.manager.unsaved = {{"/s/new", in_memory}};
    board.manager.reject["Delete"] = error;
    board.pump();
    for (int i = 0; i < 21; ++i) board.after(1s);
    CHECK(board.pump().fault == fault);
    CHECK_FALSE(board.manager.called("CheckpointCreate"));
    CHECK(board.manager.calls.size() < 25);
  }
  Board endless;  // another process adds the profiles repeatedly
  for (int i = 0; i < 25; ++i) {
    endless.manager.unsaved = {{"/s/new", in_memory}};
    endless.after(1s);
  }
  CHECK(endless.pump().phase == Phase::back);
  CHECK_FALSE(endless.manager.called("CheckpointCreate"));
}
