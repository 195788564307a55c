// SPDX-License-Identifier: Apache-2.0
#include "stream/challenge_board.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace sealcam::stream;
using namespace std::chrono_literals;
using protocol::Challenge;

static DeviceId hub(unsigned n) {
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = static_cast<std::byte>(n);
  return DeviceId(bytes);
}
static constexpr MonotonicTime t0{std::chrono::hours(1)};

TEST_CASE("a picture echoes only a challenge that came before it was taken") {
  ChallengeBoard board;
  board.add(hub(1), Challenge(11), t0, t0 + 10s, true);
  CHECK(board.pick(t0) == Challenge{});  // the same moment is not before
  CHECK(board.pick(t0 - 1ms) == Challenge{});
  CHECK(board.pick(t0 + 1ns) == Challenge(11));
  board.add(hub(1), Challenge(12), t0 + 1s, t0 + 11s, true);
  CHECK(board.pick(t0 + 500ms) == Challenge(11));  // taken before the second one came
  CHECK(board.pick(t0 + 1500ms) == Challenge(12));
}

TEST_CASE("several hubs are echoed in turn") {
  ChallengeBoard board;
  board.add(hub(1), Challenge(1), t0, t0 + 10s, true);
  board.add(hub(2), Challenge(2), t0, t0 + 10s, true);
  board.add(hub(3), Challenge(3), t0 + 2s, t0 + 12s, true);
  CHECK(board.pick(t0 + 1s) == Challenge(1));
  CHECK(board.pick(t0 + 1s) == Challenge(2));
  CHECK(board.pick(t0 + 1s) == Challenge(1));  // hub 3 had not asked yet
  CHECK(board.pick(t0 + 3s) == Challenge(2));
  CHECK(board.pick(t0 + 3s) == Challenge(3));
}

TEST_CASE("a lease ends") {
  ChallengeBoard board;
  CHECK(board.add(hub(1), Challenge(1), t0, t0 + 10s, true));
  CHECK_FALSE(board.add(hub(1), Challenge(5), t0 + 1s, t0 + 11s, true));
  CHECK_FALSE(board.add(hub(1), Challenge(6), t0 + 2s + 500ms, t0 + 12s, true));
  // Silent for longer than asks are apart: the hub was away and needs a key frame, lease or not.
  CHECK(board.add(hub(1), Challenge(2), t0 + 5s, t0 + 15s, true));
  CHECK(board.leases(t0 + 14s).live == 1);
  CHECK(board.leases(t0 + 15s).live == 0);
  CHECK(board.pick(t0 + 15s) == Challenge{});
  CHECK(board.add(hub(1), Challenge(3), t0 + 16s, t0 + 26s, true));
}

TEST_CASE("leases for stills are told apart") {
  ChallengeBoard board;
  CHECK_FALSE(board.add(hub(1), Challenge(1), t0, t0 + 10s, false));
  board.add(hub(2), Challenge(2), t0, t0 + 10s, true);
  CHECK(board.leases(t0 + 1s).still == 1);
  CHECK(board.leases(t0 + 1s).live == 1);
  board.end_stills();
  CHECK(board.leases(t0 + 1s).still == 0);
  CHECK(board.leases(t0 + 1s).live == 1);
}

TEST_CASE("the board stays bounded") {
  ChallengeBoard board;
  for (unsigned n = 0; n < 200; ++n) board.add(hub(n), Challenge(n + 1), t0 + n * 1ms, t0 + 10s + n * 1ms, true);
  CHECK(board.leases(t0 + 1s).live == protocol::Roster::max_hubs);
  board.clear();
  CHECK(board.pick(t0 + 1s) == Challenge{});
}
