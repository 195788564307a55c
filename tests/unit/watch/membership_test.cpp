// SPDX-License-Identifier: Apache-2.0
// Who may watch a camera, and rosters without a publication.
#include "watch/membership.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

namespace {

/// A roster of both hubs in the order that grants need.
protocol::Roster roster_of_both(const HubScene& s, const Actor& other, std::uint64_t version) {
  auto roster = roster_of(s.camera, version, {&s.hub, &other});
  std::ranges::sort(roster.hubs, {}, [](const protocol::RosterHub& hub) { return hub.identity.id(); });
  return roster;
}

}  // namespace

TEST_CASE("the status lists all hubs of the roster with their rights, and the time of the last change") {
  HubScene s;
  const Actor other;
  auto roster = s.roster(1);
  const auto first = roster.issued;
  s.deliver_roster(roster);
  REQUIRE(s.status().members.size() == 1);
  CHECK(s.status().members[0].hub == s.hub.id());
  CHECK(s.status().members_changed == first);

  roster = roster_of(s.camera, 2, {&s.hub, &other});
  roster.hubs[1].integration = protocol::Integration(7);
  roster.suspended = {protocol::Integration(7)};
  roster.issued.since_epoch += 1h;
  s.deliver_roster(roster);
  const auto members = s.status().members;
  REQUIRE(members.size() == 2);
  CHECK(std::ranges::is_sorted(members, {}, &watch::Member::hub));
  const auto& added = *std::ranges::find(members, other.id(), &watch::Member::hub);
  CHECK(added.integration == protocol::Integration(7));
  CHECK(added.suspended);
  CHECK(s.status().members_changed.since_epoch == first.since_epoch + 1h);

  roster.version = RosterVersion(3);
  roster.issued.since_epoch += 1h;
  s.deliver_roster(roster);  // the same members
  CHECK(s.status().members_changed.since_epoch == first.since_epoch + 1h);
}

TEST_CASE("grants that name another roster of the same version are a warning at once") {
  HubScene s;
  const Actor other;
  s.deliver_roster(s.roster(1));
  auto epoch = s.builder.make_epoch(100);
  s.deliver(Leaf::grants, s.builder.grants(epoch, roster_of_both(s, other, 1)));
  CHECK(s.status().reason == Reason::unpublished_roster);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.status().state == CameraState::live);
  CHECK(s.status().reason == Reason::unpublished_roster);
  s.deliver(Leaf::grants, s.builder.grants(s.builder.make_epoch(101), s.roster(1)));
  CHECK(s.status().reason == Reason::none);
}

TEST_CASE("grants that name a newer roster are a warning if it does not arrive in time") {
  HubScene s;
  const Actor other;
  s.deliver_roster(s.roster(1));
  const auto newer = roster_of_both(s, other, 2);
  auto epoch = s.builder.make_epoch(100);
  s.deliver(Leaf::grants, s.builder.grants(epoch, newer));
  s.advance(watch::Membership::publish_timeout - 1s);
  CHECK(s.status().reason != Reason::unpublished_roster);
  SECTION("it arrives") {
    s.deliver_roster(newer);
    s.advance(1h);
    CHECK(s.status().reason != Reason::unpublished_roster);
  }
  SECTION("it does not arrive") {
    s.advance(1s);
    CHECK(s.status().reason == Reason::unpublished_roster);
    s.deliver_roster(newer);
    CHECK(s.status().reason != Reason::unpublished_roster);
  }
  SECTION("another one with this version arrives") {
    s.deliver_roster(s.roster(2));
    CHECK(s.status().roster_version == RosterVersion(2));
    CHECK(s.status().reason == Reason::unpublished_roster);
  }
}

TEST_CASE("a report that names an unpublished roster is a warning, and an earlier roster is none") {
  HubScene s;
  s.deliver_roster(s.roster(5));
  auto epoch = s.join();
  const auto report = [&](std::uint64_t version, std::byte content) {
    protocol::Report named{RosterVersion(version), {}};
    named.roster_hash.fill(content);
    s.deliver(Leaf::video, s.builder.frame(epoch, FrameKind::report, {.report = named}));
  };
  report(4, std::byte{1});
  CHECK(s.status().reason != Reason::unpublished_roster);
  report(5, std::byte{1});
  CHECK(s.status().reason == Reason::unpublished_roster);
}
