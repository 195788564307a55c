// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "stream/publish/sealing.hpp"
#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("a roster with an older version is rejected, also if the applied one is not stored") {
  CameraScene s(false);
  const Bytes one = s.roster(1, {&s.hub});
  CHECK(must(s.rosters.offer(one)));
  CHECK_FALSE(s.rosters.stored());
  must(s.rosters.store());
  CHECK(s.rosters.stored());
  CHECK(s.stores.roster.content == one);
  CHECK_FALSE(must(s.rosters.offer(one)));  // the same roster is not new
  s.stores.roster.broken = true;
  const Bytes three = s.roster(3, {});
  CHECK(must(s.rosters.offer(three)));
  CHECK(s.rosters.store().error().code == Errc::io);
  CHECK_FALSE(s.rosters.stored());
  CHECK(s.rosters.current()->version == RosterVersion(3));
  CHECK_FALSE(must(s.rosters.offer(three)));  // the same roster, after a reconnect
  CHECK_FALSE(s.rosters.stored());
  s.stores.roster.broken = false;
  must(s.rosters.store());
  CHECK(s.stores.roster.content == three);
  CHECK(s.rosters.offer(s.roster(2, {&s.hub})).error().code == Errc::stale);
  CHECK(s.rosters.offer(one).error().code == Errc::stale);
  CHECK(s.rosters.current()->hubs.empty());
}

TEST_CASE("two rosters with one version and different content are a conflict") {
  CameraScene s(false);
  must(s.rosters.offer(s.roster(4, {&s.hub})));
  CHECK(s.rosters.offer(s.roster(4, {&s.second})).error().code == Errc::conflict);
  CHECK(s.rosters.current()->active(s.hub.id()) != nullptr);
  CHECK(must(s.rosters.offer(s.roster(5, {&s.second}))));  // control
}

TEST_CASE("the same roster with another signature is not a conflict") {
  CameraScene s(false);
  const Bytes first = s.roster(4, {&s.hub});
  const Bytes again = s.roster(4, {&s.hub});
  REQUIRE(first != again);
  must(s.rosters.offer(first));
  must(s.rosters.store());
  CHECK_FALSE(must(s.rosters.offer(again)));
  CHECK(s.stores.roster.content == first);
  RosterValidator restarted(s.stores.roster, s.route, s.owner.verifier(), s.camera.keys());
  must(restarted.load());
  CHECK_FALSE(must(restarted.offer(again)));
  CHECK(restarted.offer(s.roster(4, {&s.second})).error().code == Errc::conflict);  // control
}

TEST_CASE("a roster of another owner, for another camera, with another key or with damage is rejected") {
  CameraScene s(false);
  const auto forged =
      must(protocol::encode_roster(roster_of(s.camera, 9, {&s.hub}), s.route, s.stranger.keys().identity));
  CHECK_FALSE(s.rosters.offer(forged));
  const Actor other_camera;
  const auto for_other_camera = must(protocol::encode_roster(roster_of(other_camera, 9, {&s.hub}),
                                                             route_of(s.owner, other_camera), s.owner.keys().identity));
  CHECK_FALSE(s.rosters.offer(for_other_camera));
  auto wrong = roster_of(s.camera, 9, {&s.hub});
  wrong.camera_hpke = s.hub.hpke();
  CHECK_FALSE(s.rosters.offer(must(protocol::encode_roster(wrong, s.route, s.owner.keys().identity))));
  Bytes damaged = s.roster(9, {&s.hub});
  damaged[damaged.size() / 2] ^= std::byte{4};
  CHECK_FALSE(s.rosters.offer(damaged));
  CHECK_FALSE(s.rosters.offer({}));
  CHECK(s.rosters.current() == nullptr);
  CHECK(s.stores.roster.content.empty());
  CHECK(must(s.rosters.offer(s.roster(9, {&s.hub}))));  // control
}

TEST_CASE("the camera loads the stored roster if the present owner signed it") {
  CameraScene s(false);
  must(s.rosters.load());
  CHECK(s.rosters.current() == nullptr);
  must(s.rosters.offer(s.roster(7, {&s.hub})));
  must(s.rosters.store());
  RosterValidator again(s.stores.roster, s.route, s.owner.verifier(), s.camera.keys());
  must(again.load());
  CHECK(again.current()->version == RosterVersion(7));
  CHECK(again.hash() == s.rosters.hash());
  CHECK(again.offer(s.roster(6, {})).error().code == Errc::stale);
  RosterValidator sold(s.stores.roster, s.route, s.stranger.verifier(), s.camera.keys());
  must(sold.load());
  CHECK(sold.current() == nullptr);
  s.stores.roster.content.back() ^= std::byte{1};
  RosterValidator damaged(s.stores.roster, s.route, s.owner.verifier(), s.camera.keys());
  CHECK(damaged.load().error().code == Errc::malformed);
}

TEST_CASE("only the hubs on the roster can open the grant of an epoch") {
  CameraScene s(false);
  must(s.rosters.offer(s.roster(1, {&s.hub})));
  must(s.epochs.begin(*s.rosters.current(), s.rosters.hash()));
  CHECK(s.stores.epochs.counter == device::EpochSequence::block);
  const auto grants = s.grants();
  CHECK(grants.epoch == s.epochs.current());
  CHECK(grants.epoch.value() >> 32 == 1);
  CHECK(grants.roster_hash == s.rosters.hash());
  const auto content = must(protocol::open_grant(grants, s.route, s.hub.id(), s.hub.keys().hpke));
  CHECK(content.camera_name == "garden");
  CHECK_FALSE(protocol::open_grant(grants, s.route, s.second.id(), s.second.keys().hpke));
  CHECK_FALSE(protocol::open_grant(grants, s.route, s.hub.id(), s.second.keys().hpke));
  CHECK(s.epochs.key() == nullptr);  // still pending
  s.epochs.open(Epoch(1));
  CHECK(s.epochs.key() == nullptr);  // a confirmation for another epoch
  s.epochs.open(grants.epoch);
  CHECK(s.epochs.key() != nullptr);
}

TEST_CASE("each epoch has a new number and a new key, and ends the epoch before it") {
  CameraScene s(false);
  must(s.rosters.offer(s.roster(1, {&s.hub})));
  std::vector<Epoch> numbers;
  std::vector<Bytes> keys;
  for (int n = 0; n < 5; ++n) {
    must(s.epochs.begin(*s.rosters.current(), s.rosters.hash()));
    CHECK_FALSE(s.epochs.is_open());
    const auto grants = s.grants();
    const auto content = must(protocol::open_grant(grants, s.route, s.hub.id(), s.hub.keys().hpke));
    const auto revealed = content.base_key.reveal();
    keys.emplace_back(revealed.begin(), revealed.end());
    numbers.push_back(grants.epoch);
    s.epochs.open(grants.epoch);
  }
  for (std::size_t a = 0; a < 5; ++a)
    for (std::size_t b = 0; b < a; ++b) {
      CHECK(numbers[b] < numbers[a]);
      CHECK(keys[b] != keys[a]);
    }
  // If the storage returns to an older state, a running and a restarted camera still use new numbers.
  s.stores.epochs.counter = 0;
  must(s.epochs.begin(*s.rosters.current(), s.rosters.hash()));
  CHECK(s.epochs.current()->value() >> 32 == 6);
  s.stores.epochs.counter = 0;
  Epochs restarted(s.stores.epochs, s.clock, s.route, s.camera.keys().identity, "garden");
  must(restarted.begin(*s.rosters.current(), s.rosters.hash()));
  CHECK(restarted.current()->value() >> 32 == 1);
  CHECK(*restarted.current() != numbers[0]);
}

TEST_CASE("if no epoch number can be reserved, neither the new nor the old epoch is open") {
  CameraScene s(false);
  must(s.rosters.offer(s.roster(1, {})));
  must(s.epochs.begin(*s.rosters.current(), s.rosters.hash()));
  s.stores.epochs.broken = true;
  for (std::uint32_t n = 1; n < device::EpochSequence::block; ++n)
    must(s.epochs.begin(*s.rosters.current(), s.rosters.hash()));
  CHECK(s.epochs.numbers_left() == 0);
  const Epoch old = *s.epochs.current();
  CHECK(old.value() >> 32 == device::EpochSequence::block);
  s.epochs.open(old);
  CHECK(s.epochs.begin(*s.rosters.current(), s.rosters.hash()).error().code == Errc::io);
  CHECK_FALSE(s.epochs.current());
  s.epochs.open(old);
  CHECK_FALSE(s.epochs.is_open());
  CHECK(s.epochs.key() == nullptr);
  s.stores.epochs.broken = false;
  s.stores.epochs.counter = 0xffffffff;
  CHECK(s.epochs.begin(*s.rosters.current(), s.rosters.hash()).error().code == Errc::exhausted);
}

TEST_CASE("an epoch is due after its lifetime or its number of frames") {
  CameraScene s(false);
  must(s.rosters.offer(s.roster(1, {&s.hub})));
  Epochs few(s.stores.epochs, s.clock, s.route, s.camera.keys().identity, "garden",
             {.lifetime = 24h, .frames = Counter(3)});
  CHECK_FALSE(few.due());
  must(few.begin(*s.rosters.current(), s.rosters.hash()));
  few.open(*few.current());
  Bytes out(200);
  for (int n = 0; n < 3; ++n) {
    CHECK_FALSE(few.due());
    must(few.key()->seal(out, {}, {}));
  }
  CHECK(few.due());
  must(few.begin(*s.rosters.current(), s.rosters.hash()));
  CHECK_FALSE(few.due());
  s.clock.advance(24h);
  CHECK(few.due());
}
