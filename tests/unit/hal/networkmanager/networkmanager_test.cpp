// SPDX-License-Identifier: Apache-2.0
/// What is said to NetworkManager, in which order, and what becomes of it when it says no. What it does then is for the
/// test in QEMU.
#include <algorithm>

#include "fake_manager.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace std::chrono_literals;
using hal::networkmanager::NetworkManager;
using Phase = JoinProgress::Phase;
using Calls = std::vector<std::string>;

namespace {

struct Board {
  FakeClock clock;
  test::FakeManager manager;
  NetworkManager network{clock, manager.address()};

  Board() { begin(); }
  void begin() { REQUIRE(network.join(as_bytes("at home"), "correct horse", 60s)); }
  JoinProgress pump() { return manager.pump(network); }
  JoinProgress after(std::chrono::milliseconds time) {
    clock.advance(time);
    return pump();
  }
  void get_in() {
    pump();
    manager.active_state = 2;
    REQUIRE(after(1s).phase == Phase::joined);
  }
};

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

TEST_CASE("a network is joined in memory behind a checkpoint, and kept on the disk before older ones go") {
  Board board;
  CHECK(board.pump().phase == Phase::joining);
  CHECK(board.manager.calls == way_in);
  CHECK(board.manager.passphrase == "correct horse");
  CHECK(board.network.join(as_bytes("x"), "12345678", 60s).error().code == Errc::conflict);
  board.get_in();
  board.network.keep();
  CHECK(board.pump().phase == Phase::kept);
  CHECK(board.manager.calls == followed_by({"Update2 as it is 1", "CheckpointDestroy /c/1", "Delete /s/old"}));
  board.manager.calls.clear();
  CHECK(board.after(10min).phase == Phase::kept);
  CHECK(board.manager.calls.empty());
  board.begin();  // another one
  board.pump();
  CHECK(board.manager.called("CheckpointCreate"));
}

TEST_CASE("who stops asking once it is kept leaves nothing half done") {
  Board board;
  board.get_in();
  board.network.keep();
  int rounds = 0;
  while (board.manager.pump_once(board.network).phase != Phase::kept) REQUIRE(++rounds < 1000);
  CHECK(board.manager.called("Delete /s/old"));
  CHECK(board.network.join(as_bytes("another"), "correct horse", 60s));
}

TEST_CASE("a failed activation is taken back once the card is free, with what it means") {
  for (const auto& [reason, fault] : {std::pair{7U, JoinFault::refused}, std::pair{53U, JoinFault::not_found},
                                      std::pair{5U, JoinFault::no_address}, std::pair{1U, JoinFault::other}}) {
    Board board;
    board.pump();
    board.manager.card_says(30, 110, 60);  // the earlier network's end
    CHECK(board.pump().phase == Phase::joining);
    board.manager.card_says(50, 40, 0);
    board.manager.card_says(120, 60, reason);
    board.pump();
    CHECK(board.after(1s).phase == Phase::joining);
    CHECK(board.manager.calls == way_in);
    const auto progress = board.after(1s);
    CHECK(progress.phase == Phase::back);
    CHECK(progress.fault == fault);
    CHECK(board.manager.calls == followed_by({"CheckpointRollback /c/1", "Delete /s/new"}));
  }
}

TEST_CASE("only a network that the board is in is kept") {
  Board board;
  board.get_in();
  board.manager.active_state = 4;  // it went back by itself, and the broker is reached over the old one
  board.network.keep();
  CHECK(board.pump().phase == Phase::back);
  CHECK_FALSE(board.manager.called("Update2"));
  CHECK(board.manager.called("CheckpointRollback"));
}

TEST_CASE("a network that cannot be stored, or whose time is over, is not kept") {
  for (const char* member : {"Update2", "CheckpointDestroy"}) {
    Board board;
    board.get_in();
    board.manager.refuse[member] = "org.freedesktop.NetworkManager.Failed";
    board.network.keep();
    const auto progress = board.pump();
    CHECK(progress.phase == Phase::back);
    CHECK(progress.detail == "scripted");
    CHECK(board.manager.called("CheckpointRollback"));
    CHECK(board.manager.called("Delete /s/new"));
    CHECK_FALSE(board.manager.called("Delete /s/old"));
  }
}

TEST_CASE("left by its caller's word, and by none: then what was reached says why") {
  Board useless;
  useless.get_in();
  useless.network.leave(JoinFault::useless);
  CHECK(useless.pump().fault == JoinFault::useless);
  CHECK(useless.manager.called("CheckpointRollback"));
  for (const auto& [state, fault] : {std::pair{50U, JoinFault::not_found}, std::pair{60U, JoinFault::refused},
                                     std::pair{70U, JoinFault::no_address}}) {
    Board slow;
    slow.pump();
    slow.manager.card_says(state, 40, 0);
    slow.pump();
    slow.network.leave(JoinFault::none);
    CHECK(slow.pump().fault == fault);
  }
}

TEST_CASE("all of ours are forgotten and nothing else, also in a trial") {
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

TEST_CASE("who may not is told, and nothing is left behind") {
  Board board;
  board.manager.refuse["CheckpointCreate"] = "org.freedesktop.NetworkManager.PermissionDenied";
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::back);
  CHECK(progress.fault == JoinFault::not_permitted);
  CHECK(board.manager.calls == Calls{"CheckpointCreate refused"});

  Board half;
  half.manager.refuse["AddConnection2"] = "org.freedesktop.NetworkManager.Settings.PermissionDenied";
  CHECK(half.pump().fault == JoinFault::not_permitted);
  CHECK(half.manager.called("CheckpointRollback"));
}

TEST_CASE("a card is waited for, for 20 s") {
  Board none;
  none.manager.card_type = 1;
  CHECK(none.pump().phase == Phase::looking);
  for (int i = 0; i < 19; ++i) CHECK(none.after(1s).phase == Phase::looking);
  none.after(1s);
  CHECK(none.after(1s).fault == JoinFault::no_card);

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

TEST_CASE("an earlier trial's end is waited for") {
  Board board;
  board.manager.refuse["CheckpointCreate"] = "org.freedesktop.NetworkManager.InvalidArguments";
  for (int i = 0; i < 70; ++i) CHECK(board.after(1s).phase == Phase::looking);
  board.manager.refuse.clear();
  CHECK(board.after(1s).phase == Phase::joining);

  Board endless;
  endless.manager.refuse["CheckpointCreate"] = "org.freedesktop.NetworkManager.InvalidArguments";
  for (int i = 0; i < 82; ++i) endless.after(1s);
  CHECK(endless.pump().phase == Phase::back);
}

TEST_CASE("no bus, no NetworkManager on it, and one that goes") {
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
  absent.manager.refuse["GetDevices"] = "org.freedesktop.DBus.Error.ServiceUnknown";
  for (int i = 0; i < 22; ++i) absent.after(1s);
  CHECK(absent.pump().fault == JoinFault::unmanaged);

  Board gone;
  gone.get_in();
  gone.manager.die();
  CHECK(gone.after(1s).phase == Phase::back);
}

TEST_CASE("a NetworkManager that is restarted on trial does not keep the network that was never proven") {
  for (const bool joined : {false, true}) {
    Board board;
    if (joined) board.get_in();
    else board.pump();
    board.manager.calls.clear();
    board.manager.restart();
    // It gives the paths anew: /s/new is another's, /a/1 a network that it is in.
    board.manager.unsaved = {{"/s/old", in_memory}, {"/s/home", in_memory}};
    board.after(1s);
    const auto progress = board.after(1s);
    CHECK(progress.phase == Phase::back);
    CHECK(progress.fault == JoinFault::other);
    CHECK(board.manager.calls == Calls{"Delete /s/old"});
  }
}

TEST_CASE("a NetworkManager that went away on trial is waited for, for two minutes, with a call a second") {
  Board board;
  board.get_in();
  board.manager.restart();
  board.manager.owner.clear();
  board.manager.unsaved = {{"/s/new", in_memory}};
  for (int i = 0; i < 100; ++i) {
    board.network.leave(JoinFault::useless);  // the caller's time is over too
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

TEST_CASE("a bus that goes on trial takes nothing with it either") {
  Board board;
  board.get_in();
  board.manager.calls.clear();
  board.manager.unsaved = {{"/s/new", in_memory}};
  board.manager.die();
  board.after(1s);
  CHECK(board.after(1s).phase == Phase::back);
  CHECK(board.manager.calls == Calls{"Delete /s/new"});
}

TEST_CASE("a network that was stored is kept, also when NetworkManager goes before the checkpoint does") {
  Board board;
  board.get_in();
  board.manager.refuse["CheckpointDestroy"] = board.manager.refuse["CheckpointRollback"] =
      "org.freedesktop.DBus.Error.ServiceUnknown";
  board.network.keep();
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::kept);
  CHECK(progress.fault == JoinFault::none);
  CHECK_FALSE(board.manager.called("Delete"));
}

TEST_CASE("what an earlier process left is gone before the next checkpoint, once the card is in a network again") {
  Board board;
  board.manager.unsaved = {{"/s/new", in_memory}, {"/s/old", netplan}, {"/s/home", in_memory}};
  CHECK(board.pump().phase == Phase::looking);
  board.manager.card_state = 110;  // on its way out
  CHECK(board.after(1s).phase == Phase::looking);
  board.manager.card_state = 30;
  CHECK(board.after(3s).phase == Phase::looking);
  CHECK(board.manager.calls == Calls{"Delete /s/new"});
  board.manager.card_state = 100;
  CHECK(board.after(1s).phase == Phase::joining);
  board.manager.calls.erase(board.manager.calls.begin());
  CHECK(board.manager.calls == way_in);

  Board alone;  // no other network is in reach
  alone.manager.unsaved = {{"/s/new", in_memory}};
  alone.pump();
  alone.manager.card_state = 30;
  for (int i = 0; i < 14; ++i) CHECK(alone.after(1s).phase == Phase::looking);
  CHECK(alone.after(1s).phase == Phase::joining);
}

TEST_CASE("leftovers that cannot be taken away are no start of a trial") {
  for (const auto& [error, fault] :
       {std::pair{"org.freedesktop.NetworkManager.Failed", JoinFault::other},
        std::pair{"org.freedesktop.NetworkManager.PermissionDenied", JoinFault::not_permitted}}) {
    Board board;
    board.manager.unsaved = {{"/s/new", in_memory}};
    board.manager.refuse["Delete"] = error;
    board.pump();
    for (int i = 0; i < 21; ++i) board.after(1s);
    CHECK(board.pump().fault == fault);
    CHECK_FALSE(board.manager.called("CheckpointCreate"));
    CHECK(board.manager.calls.size() < 25);
  }
  Board endless;  // somebody adds them again and again
  for (int i = 0; i < 25; ++i) {
    endless.manager.unsaved = {{"/s/new", in_memory}};
    endless.after(1s);
  }
  CHECK(endless.pump().phase == Phase::back);
  CHECK_FALSE(endless.manager.called("CheckpointCreate"));
}

TEST_CASE("what NetworkManager says steers no terminal and floods no log") {
  Board board;
  board.get_in();
  board.manager.refuse["Update2"] = "org.freedesktop.NetworkManager.Failed";
  board.manager.words = "\x1b[2J\n" + std::string(100'000, 'x');
  board.network.keep();
  const auto progress = board.pump();
  CHECK(progress.phase == Phase::back);
  CHECK(progress.detail == "?[2J?" + std::string(195, 'x'));
}

TEST_CASE("a list without measure has an end") {
  Board board;
  board.get_in();
  board.manager.profiles = 100'000;
  board.network.keep();
  auto progress = board.pump();
  for (int i = 0; i < 200 && progress.phase != Phase::kept; ++i) progress = board.pump();
  CHECK(progress.phase == Phase::kept);
}

TEST_CASE("what is no network is refused") {
  FakeClock clock;
  NetworkManager network(clock, "unix:path=/nowhere/bus");
  const std::string long_name(33, 'x');
  CHECK(network.join({}, "12345678", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes(long_name), "12345678", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes("x"), "1234567", 60s).error().code == Errc::invalid_argument);
  CHECK(network.join(as_bytes("x"), "12345678", 5s).error().code == Errc::invalid_argument);
  CHECK(network.step().phase == Phase::idle);
}
