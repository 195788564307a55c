// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "core/file.hpp"
#include "stream/epochs.hpp"
#include "stream/roster_keeper.hpp"
#include "support/actors.hpp"
#include "support/temporary_folder.hpp"
#include "unit/stream/fakes.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

struct Scene {
  FakeClock clock;
  Actor owner, other_owner, camera, hub, removed;
  protocol::Route route = route_of(owner, camera);
  MemoryRosterStore roster_store;
  MemoryEpochStore epoch_store;
  RosterKeeper keeper{roster_store, route, owner.verifier(), camera.keys()};
  Epochs epochs{epoch_store, clock, route, camera.keys().identity, "garden"};

  [[nodiscard]] Bytes roster(std::uint64_t version, std::initializer_list<const Actor*> hubs) const {
    return must(protocol::encode_roster(roster_of(camera, version, hubs), route, owner.keys().identity));
  }
  [[nodiscard]] protocol::Grants grants() const {
    return must(protocol::decode_grants(epochs.grants(), route, camera.verifier()));
  }
};

}  // namespace

TEST_CASE("rosters only grow, and are stored before they are obeyed") {
  Scene s;
  const Bytes one = s.roster(1, {&s.hub});
  CHECK(must(s.keeper.offer(one)));
  CHECK(s.roster_store.content == one);
  CHECK_FALSE(must(s.keeper.offer(one)));  // the same again is no news
  s.roster_store.broken = true;
  CHECK(s.keeper.offer(s.roster(2, {})).error().code == Errc::io);
  CHECK(s.keeper.current()->version == RosterVersion(1));
  s.roster_store.broken = false;
  CHECK(must(s.keeper.offer(s.roster(3, {}))));
  CHECK(s.keeper.offer(s.roster(2, {&s.hub})).error().code == Errc::stale);
  CHECK(s.keeper.offer(one).error().code == Errc::stale);
  CHECK(s.keeper.current()->hubs.empty());
}

TEST_CASE("one version with two contents is a conflict") {
  Scene s;
  must(s.keeper.offer(s.roster(4, {&s.hub})));
  CHECK(s.keeper.offer(s.roster(4, {&s.removed})).error().code == Errc::conflict);
  CHECK(s.keeper.current()->active(s.hub.id()) != nullptr);
  CHECK(must(s.keeper.offer(s.roster(5, {&s.removed}))));  // control
}

TEST_CASE("the same roster under another signature is no conflict") {
  Scene s;
  const Bytes first = s.roster(4, {&s.hub});
  const Bytes again = s.roster(4, {&s.hub});
  REQUIRE(first != again);
  must(s.keeper.offer(first));
  CHECK_FALSE(must(s.keeper.offer(again)));
  CHECK(s.roster_store.content == first);
  RosterKeeper restarted(s.roster_store, s.route, s.owner.verifier(), s.camera.keys());
  must(restarted.load());
  CHECK_FALSE(must(restarted.offer(again)));
  CHECK(restarted.offer(s.roster(4, {&s.removed})).error().code == Errc::conflict);  // control
}

TEST_CASE("rosters of another owner, of another camera, with another key or damaged are refused") {
  Scene s;
  const auto forged =
      must(protocol::encode_roster(roster_of(s.camera, 9, {&s.hub}), s.route, s.other_owner.keys().identity));
  CHECK_FALSE(s.keeper.offer(forged));
  const Actor other_camera;
  const auto elsewhere = must(protocol::encode_roster(roster_of(other_camera, 9, {&s.hub}),
                                                      route_of(s.owner, other_camera), s.owner.keys().identity));
  CHECK_FALSE(s.keeper.offer(elsewhere));
  auto wrong = roster_of(s.camera, 9, {&s.hub});
  wrong.camera_hpke = s.hub.hpke();
  CHECK_FALSE(s.keeper.offer(must(protocol::encode_roster(wrong, s.route, s.owner.keys().identity))));
  Bytes damaged = s.roster(9, {&s.hub});
  damaged[damaged.size() / 2] ^= std::byte{4};
  CHECK_FALSE(s.keeper.offer(damaged));
  CHECK_FALSE(s.keeper.offer({}));
  CHECK(s.keeper.current() == nullptr);
  CHECK(s.roster_store.content.empty());
  CHECK(must(s.keeper.offer(s.roster(9, {&s.hub}))));  // control
}

TEST_CASE("the stored roster is taken up again, and only when it is the owner's") {
  Scene s;
  must(s.keeper.load());
  CHECK(s.keeper.current() == nullptr);
  must(s.keeper.offer(s.roster(7, {&s.hub})));
  RosterKeeper again(s.roster_store, s.route, s.owner.verifier(), s.camera.keys());
  must(again.load());
  CHECK(again.current()->version == RosterVersion(7));
  CHECK(again.hash() == s.keeper.hash());
  CHECK(again.offer(s.roster(6, {})).error().code == Errc::stale);
  RosterKeeper sold(s.roster_store, s.route, s.other_owner.verifier(), s.camera.keys());
  must(sold.load());
  CHECK(sold.current() == nullptr);
  s.roster_store.content.back() ^= std::byte{1};
  RosterKeeper damaged(s.roster_store, s.route, s.owner.verifier(), s.camera.keys());
  CHECK(damaged.load().error().code == Errc::malformed);
}

TEST_CASE("an epoch is granted to the roster's hubs and to nobody else") {
  Scene s;
  must(s.keeper.offer(s.roster(1, {&s.hub})));
  must(s.epochs.begin(*s.keeper.current(), s.keeper.hash()));
  CHECK(s.epoch_store.counter == 1);
  const auto grants = s.grants();
  CHECK(grants.epoch == s.epochs.current());
  CHECK(grants.epoch.value() >> 32 == 1);
  CHECK(grants.roster_hash == s.keeper.hash());
  const auto content = must(protocol::open_grant(grants, s.route, s.hub.id(), s.hub.keys().hpke));
  CHECK(content.camera_name == "garden");
  CHECK_FALSE(protocol::open_grant(grants, s.route, s.removed.id(), s.removed.keys().hpke));
  CHECK_FALSE(protocol::open_grant(grants, s.route, s.hub.id(), s.removed.keys().hpke));
  CHECK(s.epochs.key() == nullptr);  // pending
  s.epochs.open(Epoch(1));
  CHECK(s.epochs.key() == nullptr);  // another epoch's confirmation
  s.epochs.open(grants.epoch);
  CHECK(s.epochs.key() != nullptr);
}

TEST_CASE("each epoch has a new number and a new key, and the one before is over") {
  Scene s;
  must(s.keeper.offer(s.roster(1, {&s.hub})));
  std::vector<Epoch> numbers;
  std::vector<Bytes> keys;
  for (int n = 0; n < 5; ++n) {
    must(s.epochs.begin(*s.keeper.current(), s.keeper.hash()));
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
  // Storage rolled back under a running camera, and under a restarted one: never the same number.
  s.epoch_store.counter = 0;
  must(s.epochs.begin(*s.keeper.current(), s.keeper.hash()));
  CHECK(s.epochs.current()->value() >> 32 == 6);
  s.epoch_store.counter = 0;
  Epochs restarted(s.epoch_store, s.clock, s.route, s.camera.keys().identity, "garden");
  must(restarted.begin(*s.keeper.current(), s.keeper.hash()));
  CHECK(restarted.current()->value() >> 32 == 1);
  CHECK(*restarted.current() != numbers[0]);
}

TEST_CASE("without its number on disk there is no epoch, and no way back to the old one") {
  Scene s;
  must(s.keeper.offer(s.roster(1, {&s.hub})));
  must(s.epochs.begin(*s.keeper.current(), s.keeper.hash()));
  const Epoch old = *s.epochs.current();
  s.epochs.open(old);
  s.epoch_store.broken = true;
  CHECK(s.epochs.begin(*s.keeper.current(), s.keeper.hash()).error().code == Errc::io);
  CHECK_FALSE(s.epochs.current());
  s.epochs.open(old);
  CHECK_FALSE(s.epochs.is_open());
  CHECK(s.epochs.key() == nullptr);
  s.epoch_store.broken = false;
  s.epoch_store.counter = 0xffffffff;
  CHECK(s.epochs.begin(*s.keeper.current(), s.keeper.hash()).error().code == Errc::exhausted);
}

TEST_CASE("an epoch is due after its time and after its frames") {
  Scene s;
  must(s.keeper.offer(s.roster(1, {&s.hub})));
  Epochs few(s.epoch_store, s.clock, s.route, s.camera.keys().identity, "garden",
             {.lifetime = 24h, .frames = Counter(3)});
  CHECK_FALSE(few.due());
  must(few.begin(*s.keeper.current(), s.keeper.hash()));
  few.open(*few.current());
  Bytes out(200);
  for (int n = 0; n < 3; ++n) {
    CHECK_FALSE(few.due());
    must(few.key()->seal(out, {}, {}));
  }
  CHECK(few.due());
  must(few.begin(*s.keeper.current(), s.keeper.hash()));
  CHECK_FALSE(few.due());
  s.clock.advance(24h);
  CHECK(few.due());
}

TEST_CASE("the files keep what they are given, and a damaged counter is an error") {
  const TemporaryFolder folder;
  EpochFile epoch(folder.path() / "epoch");
  CHECK(must(epoch.load()) == 0);
  must(epoch.store(41));
  CHECK(must(epoch.load()) == 41);
  for (const auto* text : {"", "x\n", "12", "-1\n", "4294967296\n", "1 \n"}) {
    must(write_file_durably(folder.path() / "epoch", as_bytes(text)));
    CHECK(epoch.load().error().code == Errc::malformed);
  }
  EpochFile nowhere(folder.path() / "missing" / "epoch");
  CHECK_FALSE(nowhere.store(1));
  RosterFile roster(folder.path() / "roster");
  CHECK(roster.load().error().code == Errc::not_found);
  must(roster.store(as_bytes("abc")));
  CHECK(as_text(must(roster.load())) == "abc");
}
