// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/sealing.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::Prekey;
using protocol::PrekeyNumber;

namespace {

struct PrekeyScene : CameraScene {
  PrekeyScene() { run(); }
  std::vector<Actor> keys{4};  // only their HPKE keys are used
  [[nodiscard]] Prekey prekey(std::uint64_t which, std::size_t key = 0) const {
    return {PrekeyNumber(which), keys.at(key).hpke()};
  }
  void send(const Actor& by, std::optional<Prekey> key, bool cannot_open = false) {
    clock.advance(1s);
    receive_request_with(by, [&](protocol::ViewRequest& r) {
      r.prekey = key;
      r.cannot_open = cannot_open;
    });
    client.settle();
  }
  /// The key number of the hub's grant of the current epoch.
  [[nodiscard]] PrekeyNumber number_for(const Actor& by) const {
    const auto all = grants();
    const auto found = std::ranges::find(all.grants, by.id(), &protocol::Grant::hub);
    REQUIRE(found != all.grants.end());
    return found->key;
  }
};

}  // namespace

TEST_CASE("the next epoch is sealed to a hub's newest prekey, and other hubs keep theirs") {
  PrekeyScene s;
  const auto epoch = s.epochs.current();
  s.send(s.hub, s.prekey(5));
  CHECK(s.epochs.current() == epoch);
  s.publisher.renew();
  s.client.settle();
  CHECK(s.number_for(s.hub) == PrekeyNumber(5));
  CHECK(s.number_for(s.second) == PrekeyNumber(0));
  const auto& key = s.keys[0].keys().hpke;
  CHECK(protocol::open_grant(s.grants(), s.route, s.hub.id(),
                             [&](PrekeyNumber n) { return n == PrekeyNumber(5) ? &key : nullptr; }));
  CHECK_FALSE(protocol::open_grant(s.grants(), s.route, s.hub.id(), s.hub.keys().hpke));
  CHECK(protocol::open_grant(s.grants(), s.route, s.second.id(), s.second.keys().hpke));  // control
}

TEST_CASE("a prekey is stored, survives a restart, and goes with its hub") {
  PrekeyScene s;
  s.send(s.hub, s.prekey(5));
  s.send(s.second, s.prekey(9, 1));
  REQUIRE(s.stores.prekeys.content.size() == 2);
  Prekeys restarted(s.stores.prekeys, s.clock, s.log);
  restarted.load();
  CHECK(restarted.of(s.hub.id()) == s.prekey(5));
  CHECK(restarted.of(s.second.id()) == s.prekey(9, 1));
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  REQUIRE(s.stores.prekeys.content.size() == 1);
  CHECK(s.stores.prekeys.content[0].hub == s.hub.id());
  CHECK(s.number_for(s.hub) == PrekeyNumber(5));
}

TEST_CASE("a smaller number changes nothing, and each new prekey of a hub is stored at most once a minute") {
  PrekeyScene s;
  s.send(s.hub, s.prekey(5));
  s.send(s.hub, s.prekey(4, 1));
  s.send(s.hub, s.prekey(5, 1));
  CHECK(s.prekeys.of(s.hub.id()) == s.prekey(5));
  for (std::uint64_t n = 6; n < 40; ++n) s.send(s.hub, s.prekey(n, 1));
  CHECK(s.stores.prekeys.writes == 1);
  s.clock.advance(60s);
  s.send(s.hub, s.prekey(50, 1));
  CHECK(s.prekeys.of(s.hub.id()) == s.prekey(50, 1));
  CHECK(s.stores.prekeys.writes == 2);
}

TEST_CASE("a hub that cannot open the epoch gets a new one at once, sealed to its newest prekey or to number 0") {
  PrekeyScene s;
  s.send(s.hub, s.prekey(5));
  s.publisher.renew();
  s.client.settle();
  const auto epoch = s.epochs.current();
  s.send(s.hub, s.prekey(3, 1), true);  // a hub that was restored from a backup
  CHECK(s.epochs.current() != epoch);
  CHECK(s.number_for(s.hub) == PrekeyNumber(3));
  CHECK(s.epochs.is_open());
  s.clock.advance(10s);
  s.send(s.hub, std::nullopt, true);
  CHECK(s.number_for(s.hub) == PrekeyNumber(0));
  CHECK(s.stores.prekeys.content.empty());
  CHECK(s.publisher.leases().live == 0);  // it has no use for pictures of that epoch
}

TEST_CASE("hubs that cannot open cause at most one epoch in 10 s each, and in 2 s together") {
  PrekeyScene s;
  const auto begun = [&](auto&& act) {
    const auto before = s.publisher.counters().epochs;
    act();
    return s.publisher.counters().epochs - before;
  };
  CHECK(begun([&] {
          for (std::uint64_t n = 0; n < 100; ++n) s.send(s.hub, s.prekey(n + 1), true);
        }) == 10);
  s.clock.advance(60s);
  CHECK(begun([&] { s.send(s.hub, s.prekey(200), true); }) == 1);
  CHECK(begun([&] { s.send(s.second, s.prekey(200), true); }) == 0);
  s.clock.advance(1s);
  CHECK(begun([&] { s.send(s.second, s.prekey(200), true); }) == 1);
}

TEST_CASE("an unusable store of prekeys stops neither the start nor a new epoch") {
  PrekeyScene s;
  s.stores.prekeys.broken = true;
  s.send(s.hub, s.prekey(5), true);
  CHECK(s.number_for(s.hub) == PrekeyNumber(5));
  CHECK(s.epochs.is_open());
  Prekeys restarted(s.stores.prekeys, s.clock, s.log);
  restarted.load();
  CHECK_FALSE(restarted.of(s.hub.id()));
  CHECK(s.log.contains("cannot read the hubs' prekeys"));
  s.stores.prekeys.broken = false;
  s.clock.advance(1s);
  s.publisher.tick();
  CHECK(s.stores.prekeys.content.size() == 1);
}

TEST_CASE("a request of a stranger or for another epoch changes no prekey") {
  PrekeyScene s;
  s.clock.advance(1s);
  s.receive_request_with(s.stranger, [&](protocol::ViewRequest& r) { r.prekey = s.prekey(5); });
  s.receive_request_with(s.hub, [&](protocol::ViewRequest& r) {
    r.prekey = s.prekey(5);
    r.epoch = Epoch(1);
    r.cannot_open = true;
  });
  CHECK_FALSE(s.prekeys.of(s.hub.id()));
  CHECK(s.publisher.counters().epochs == 1);
  s.send(s.hub, s.prekey(5));  // control
  CHECK(s.prekeys.of(s.hub.id()));
}

TEST_CASE("the camera subscribes to the topics of active hubs only, without wildcards") {
  PrekeyScene s;
  const auto subscribed = [&](const Actor& by) {
    return std::ranges::contains(s.client.filters, protocol::request_topic(s.route, by.id()));
  };
  CHECK(subscribed(s.hub));
  CHECK(subscribed(s.second));
  CHECK_FALSE(subscribed(s.stranger));
  s.receive_roster(s.roster(2, {&s.hub, &s.stranger}));
  CHECK(subscribed(s.hub));
  CHECK_FALSE(subscribed(s.second));
  CHECK(subscribed(s.stranger));
  CHECK(s.client.filters.size() == 4);
  CHECK(std::ranges::none_of(s.client.filters, [](const auto& f) { return f.contains('+') || f.contains('#'); }));
}

TEST_CASE("a verified request for a later epoch than the camera's own shows that its state is old") {
  PrekeyScene s;
  const auto request_for = [&](const Actor& by, std::uint64_t counter) {
    return s.request_with(by, [&](protocol::ViewRequest& r) { r.epoch = Epoch(counter << 32 | 5); });
  };
  const auto current = s.epochs.current()->value() >> 32;
  const auto receive = [&](const Actor& topic, ByteView message) {
    s.clock.advance(10s);
    s.receive(protocol::request_topic(s.route, topic.id()), message);
  };
  receive(s.hub, request_for(s.hub, current));
  receive(s.stranger, request_for(s.stranger, current + 1));
  auto forged = request_for(s.hub, current + 1);
  forged.back() ^= std::byte{1};
  receive(s.hub, forged);
  CHECK_FALSE(s.requests.later_epoch());
  receive(s.hub, request_for(s.hub, current + 1));
  REQUIRE(s.requests.later_epoch());
  CHECK(s.requests.later_epoch()->hub == s.hub.id());
}
