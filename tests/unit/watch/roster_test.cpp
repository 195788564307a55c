// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("the hub finds its cameras by the rosters that list it") {
  HubScene s;
  CHECK(s.watcher->cameras().empty());
  s.deliver_roster(s.roster());
  REQUIRE(s.watcher->cameras().size() == 1);
  CHECK(s.watcher->cameras()[0].id == s.camera.id());
  CHECK(s.rosters.messages.contains(s.camera.id()));
}

TEST_CASE("rosters that the owner did not sign are rejected") {
  HubScene s;
  Actor stranger;
  s.deliver(Leaf::roster, must(protocol::encode_roster(s.roster(), s.route, stranger.keys().identity)));
  CHECK(s.watcher->rejected_control()[RejectReason::wrong_account] == 1);
  auto bad = must(protocol::encode_roster(s.roster(), s.route, s.owner.keys().identity));
  bad.back() ^= std::byte{1};
  s.deliver(Leaf::roster, bad);
  CHECK(s.watcher->rejected_control()[RejectReason::bad_signature] == 1);
  s.deliver(Leaf::roster, Bytes(10));
  CHECK(s.watcher->rejected_control()[RejectReason::malformed] == 1);
  CHECK(s.watcher->cameras().empty());
}

TEST_CASE("older and empty rosters change nothing") {
  HubScene s;
  Actor other;
  s.deliver_roster(s.roster(5));
  s.deliver_roster(roster_of(s.camera, 4, {&other}));
  s.deliver(Leaf::roster, {});
  CHECK(s.watcher->cameras().size() == 1);
  CHECK(s.status().roster_version == RosterVersion(5));
  CHECK(s.status().counters.rejected_control[RejectReason::out_of_order] == 1);
  s.deliver_roster(roster_of(s.camera, 6, {&other}));  // control
  CHECK_FALSE(s.status().member);
}

TEST_CASE("the hub keeps the newest roster over a restart, also if the broker lost it") {
  HubScene s;
  s.deliver_roster(s.roster(5));
  s.restart();
  REQUIRE(s.watcher->cameras().size() == 1);
  CHECK(s.status().roster_version == RosterVersion(5));
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.sink.live() == 1);
  Actor other;
  s.deliver_roster(roster_of(s.camera, 4, {&other}));
  CHECK(s.watcher->cameras().size() == 1);
}

TEST_CASE("a damaged stored roster is an error") {
  HubScene s;
  s.deliver_roster(s.roster(5));
  s.watcher.reset();
  s.rosters.messages.begin()->second.back() ^= std::byte{1};
  const auto again = watch::Watcher::create(s.owner.identity(), s.hub.keys(), s.dependencies());
  CHECK(again.error().code == Errc::bad_signature);
}

TEST_CASE("the hub reports a conflict of two rosters with one version") {
  HubScene s;
  Actor other;
  s.deliver_roster(s.roster(5));
  s.deliver_roster(s.roster(5));  // the same content with another signature is not a conflict
  CHECK_FALSE(s.status().roster_conflict);
  s.deliver_roster(roster_of(s.camera, 5, {&s.hub, &other}));
  CHECK(s.status().roster_conflict);
  CHECK(s.status().member);
  CHECK(s.sink.states.back().roster_conflict);
  s.deliver_roster(s.roster(6));
  CHECK_FALSE(s.status().roster_conflict);

  SECTION("also if the first roster arrived before a restart") {
    s.restart();
    s.deliver_roster(roster_of(s.camera, 6, {&s.hub, &other}));
    REQUIRE(s.watcher->cameras().size() == 1);
    CHECK(s.watcher->cameras()[0].roster_conflict);
  }
}

TEST_CASE("a roster that cannot be stored is not applied") {
  HubScene s;
  s.rosters.broken = true;
  s.deliver_roster(s.roster());
  CHECK(s.watcher->cameras().empty());
  s.rosters.broken = false;
  s.deliver_roster(s.roster());
  CHECK(s.watcher->cameras().size() == 1);
}

TEST_CASE("a hub that was removed from the roster deletes keys and pictures") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "IP", s.challenge(epoch)));
  REQUIRE(s.watcher->newest(s.camera.id()) != nullptr);
  Actor other;
  s.deliver_roster(roster_of(s.camera, 2, {&other}));
  CHECK(s.watcher->newest(s.camera.id()) == nullptr);
  CHECK(s.sink.states.back().member == false);
  s.video(s.builder.gop(epoch, "I"));
  CHECK(s.rejected(RejectReason::not_member) == 1);
  CHECK(s.sink.shown.size() == 2);
  const auto requested = s.client.sent.size();
  s.advance(5s);
  CHECK(s.client.sent.size() == requested);
}

TEST_CASE("a suspended integration is not a member") {
  HubScene s;
  auto roster = s.roster();
  roster.hubs[0].integration = protocol::Integration(77);
  s.deliver_roster(roster);
  CHECK(s.watcher->cameras().size() == 1);
  roster.version = RosterVersion(2);
  roster.suspended = {protocol::Integration(77)};
  s.deliver_roster(roster);
  CHECK_FALSE(s.status().member);
}

TEST_CASE("grants and status that arrive before the roster are kept") {
  HubScene s;
  auto epoch = s.builder.make_epoch(3);
  s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()), true);
  s.deliver(Leaf::status, s.builder.status(true), true);
  s.deliver_roster(s.roster());
  CHECK(s.status().reports_online == true);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.sink.live() == 1);
}

TEST_CASE("the hub checks a bounded number of grants in a flood") {
  HubScene s;
  auto epoch = s.join();
  auto forged = s.builder.grants(epoch, s.roster());
  forged.back() ^= std::byte{1};
  for (int i = 0; i < 1000; ++i) s.deliver(Leaf::grants, forged);
  CHECK(s.status().counters.rejected_control[RejectReason::bad_signature] < 30);
  CHECK(s.status().counters.rejected_control[RejectReason::bad_signature] + s.status().counters.overload == 1000);
  s.clock.advance(2s);
  auto next = s.join(101);
  s.video(s.builder.gop(next, "I", s.challenge(next)));
  CHECK(s.sink.live() == 1);
}
