// SPDX-License-Identifier: Apache-2.0
#include "stream/ask_keeper.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/actors.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

struct Scene {
  FakeClock clock;
  Actor owner, camera, hub, other, stranger;
  protocol::Route route = route_of(owner, camera);
  Epoch epoch{77};
  AskKeeper keeper{route, clock};

  Scene() {
    must(keeper.set_roster(roster_of(camera, 1, {&hub, &other})));
    keeper.set_epoch(epoch);
  }
  Bytes ask(const Actor& by, std::uint64_t seq, Epoch in) const {
    return must(protocol::encode_ask({protocol::Want::live, protocol::Challenge(seq + 1000), in, AskSeq(seq)}, route,
                                     by.keys().identity));
  }
  Bytes ask(std::uint64_t seq) const { return ask(hub, seq, epoch); }
  std::optional<AcceptedAsk> offer(const Actor& topic, ByteView message) {
    clock.advance(1s);
    return keeper.offer(topic.id(), message);
  }
};

}  // namespace

TEST_CASE("an ask of a hub on the roster is accepted") {
  Scene s;
  const auto first = s.offer(s.hub, s.ask(1));
  REQUIRE(first);
  CHECK(first->ask.challenge == protocol::Challenge(1001));
  CHECK(first->first_in_epoch);
  const auto second = s.offer(s.hub, s.ask(2));
  REQUIRE(second);
  CHECK_FALSE(second->first_in_epoch);
  s.keeper.set_epoch(Epoch(78));
  const auto third = s.offer(s.hub, s.ask(s.hub, 3, Epoch(78)));
  REQUIRE(third);
  CHECK(third->first_in_epoch);
}

TEST_CASE("a replayed ask is refused, also over epochs and rosters") {
  Scene s;
  const Bytes message = s.ask(5);
  REQUIRE(s.offer(s.hub, message));
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK_FALSE(s.offer(s.hub, s.ask(4)));
  CHECK(s.keeper.counters()[AskRefusal::replayed] == 2);
  must(s.keeper.set_roster(roster_of(s.camera, 2, {&s.hub})));
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK(s.offer(s.hub, s.ask(6)));  // control
}

TEST_CASE("an ask in another's name, by a stranger or for another epoch is refused") {
  Scene s;
  CHECK_FALSE(s.offer(s.hub, s.ask(s.other, 1, s.epoch)));
  CHECK(s.keeper.counters()[AskRefusal::foreign_signer] == 1);
  CHECK(s.keeper.counters().verified == 0);  // and cost no signature
  CHECK_FALSE(s.offer(s.stranger, s.ask(s.stranger, 1, s.epoch)));
  CHECK(s.keeper.counters()[AskRefusal::unknown_hub] == 1);
  CHECK_FALSE(s.offer(s.hub, s.ask(s.hub, 1, Epoch(76))));
  CHECK(s.keeper.counters()[AskRefusal::wrong_epoch] == 1);
  s.keeper.set_epoch(std::nullopt);
  CHECK_FALSE(s.offer(s.hub, s.ask(1)));
  s.keeper.set_epoch(s.epoch);
  CHECK(s.offer(s.other, s.ask(s.other, 1, s.epoch)));  // control: on its own topic
  CHECK(s.offer(s.hub, s.ask(1)));                      // control: the number was not used up by what was refused
}

TEST_CASE("a changed ask and one for another camera are refused") {
  Scene s;
  Bytes message = s.ask(1);
  message.back() ^= std::byte{1};
  CHECK_FALSE(s.offer(s.hub, message));
  CHECK(s.keeper.counters()[AskRefusal::bad_signature] == 1);
  const Actor second_camera;
  const auto elsewhere = must(protocol::encode_ask({protocol::Want::live, protocol::Challenge(1), s.epoch, AskSeq(1)},
                                                   route_of(s.owner, second_camera), s.hub.keys().identity));
  CHECK_FALSE(s.offer(s.hub, elsewhere));
  CHECK(s.keeper.counters()[AskRefusal::bad_signature] == 2);
  CHECK_FALSE(s.offer(s.hub, Bytes(40)));
  CHECK_FALSE(s.offer(s.hub, Bytes(100'000)));
  CHECK(s.keeper.counters()[AskRefusal::malformed] == 2);
  CHECK(s.offer(s.hub, s.ask(1)));  // control
}

TEST_CASE("a removed hub and a suspended integration are not answered") {
  Scene s;
  auto roster = roster_of(s.camera, 2, {&s.hub, &s.other});
  for (auto& entry : roster.hubs)
    if (entry.identity == s.other.identity()) entry.integration = protocol::Integration(9);
  roster.suspended = {protocol::Integration(9)};
  must(s.keeper.set_roster(roster));
  CHECK_FALSE(s.offer(s.other, s.ask(s.other, 1, s.epoch)));
  CHECK(s.offer(s.hub, s.ask(1)));  // control
  must(s.keeper.set_roster(roster_of(s.camera, 3, {})));
  CHECK_FALSE(s.offer(s.hub, s.ask(2)));
  CHECK(s.keeper.counters()[AskRefusal::unknown_hub] == 2);
}

TEST_CASE("of a thousand asks in a second two signatures are checked") {
  Scene s;
  std::vector<Bytes> flood;
  for (std::uint64_t n = 1; n <= 20; ++n) flood.push_back(s.ask(n));
  s.clock.advance(1s);
  for (std::size_t n = 0; n < 1000; ++n) {
    (void)s.keeper.offer(s.hub.id(), flood[n % flood.size()]);
    s.clock.advance(900us);
  }
  CHECK(s.keeper.counters().verified == 2);
  CHECK(s.keeper.counters()[AskRefusal::too_often] == 998);
  CHECK(s.keeper.offer(s.other.id(), s.ask(s.other, 1, s.epoch)));  // others are not hindered
  s.clock.advance(1s);
  CHECK(s.keeper.offer(s.hub.id(), s.ask(2000)));
}

TEST_CASE("asks for other epochs do not use up those for this one") {
  Scene s;
  for (std::uint64_t n = 1; n <= 30; n += 3) {
    s.clock.advance(1s);
    CHECK_FALSE(s.keeper.offer(s.hub.id(), s.ask(s.hub, n, Epoch(75))));
    CHECK_FALSE(s.keeper.offer(s.hub.id(), s.ask(s.hub, n + 1, Epoch(76))));
    CHECK(s.keeper.offer(s.hub.id(), s.ask(n + 2)));
  }
  CHECK(s.keeper.counters()[AskRefusal::wrong_epoch] == 20);
  CHECK(s.keeper.counters().verified == 10);
}

TEST_CASE("all hubs together are bounded") {
  Scene s;
  std::vector<Actor> crowd(40);
  auto roster = roster_of(s.camera, 2, {});
  for (const Actor& actor : crowd) roster.hubs.push_back(actor.as_hub());
  must(s.keeper.set_roster(roster));
  for (const Actor& actor : crowd) (void)s.keeper.offer(actor.id(), s.ask(actor, 1, s.epoch));
  CHECK(s.keeper.counters().verified == AskKeeper::in_all);
  CHECK(s.keeper.counters()[AskRefusal::too_often] == 40 - AskKeeper::in_all);
}
