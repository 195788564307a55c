// SPDX-License-Identifier: Apache-2.0
// What people are told about a camera beside LIVE, STALE and OFFLINE.
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

TEST_CASE("waiting, live, no answer, goodbye") {
  HubWorld w;
  auto epoch = w.join();
  CHECK(w.status().reason == Reason::waiting);
  w.clock.set_wall({CaptureTime{1'790'000'000s}});
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.status().reason == Reason::none);
  w.advance(6s);
  CHECK(w.status().state == CameraState::stale);
  CHECK(w.status().reason == Reason::none);
  w.advance(15s);
  CHECK(w.status().reason == Reason::no_answer);
  w.deliver(Leaf::status, w.builder.status(false));
  CHECK(w.status().reason == Reason::said_goodbye);
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.status().reason == Reason::none);  // a fresh echo always wins
}

TEST_CASE("a suspended integration says so, also to a hub that was started meanwhile, and is nothing once it is over") {
  HubWorld w;
  auto roster = w.roster();
  roster.hubs[0].integration = protocol::Integration(77);
  w.deliver_roster(roster);
  auto epoch = w.builder.make_epoch(100);
  w.deliver(Leaf::grants, w.builder.grants(epoch, roster));
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  REQUIRE(w.sink.live() == 1);
  roster.version = RosterVersion(2);
  roster.suspended = {protocol::Integration(77)};
  w.deliver_roster(roster);
  REQUIRE(w.watcher->cameras().size() == 1);
  CHECK(w.watcher->cameras()[0].reason == Reason::suspended);
  CHECK(w.watcher->cameras()[0].name == "camera 100");
  CHECK_FALSE(w.watcher->cameras()[0].member);
  CHECK(w.watcher->newest(w.camera.id()) == nullptr);
  w.restart();
  REQUIRE(w.watcher->cameras().size() == 1);
  CHECK(w.watcher->cameras()[0].reason == Reason::suspended);
  roster.version = RosterVersion(3);
  roster.suspended = {protocol::Integration(78)};
  w.deliver_roster(roster);
  CHECK(w.status().reason == Reason::waiting);
  CHECK(w.status().member);
}

TEST_CASE("a hub that was taken off the roster says so for a day; one that never was on it says nothing") {
  HubWorld w;
  Actor other;
  const auto without = [&](std::uint64_t version) { return roster_of(w.camera, version, {&other}); };
  w.deliver_roster(without(1));
  CHECK(w.watcher->cameras().empty());
  w.deliver_roster(w.roster(2));
  w.deliver_roster(without(3));
  REQUIRE(w.watcher->cameras().size() == 1);
  CHECK(w.watcher->cameras()[0].reason == Reason::removed);
  CHECK_FALSE(w.watcher->cameras()[0].member);
  w.advance(24h - 1ms);
  CHECK(w.watcher->cameras().size() == 1);
  w.deliver_roster(without(4));  // again, without a change for us
  w.advance(1ms);
  CHECK(w.watcher->cameras().empty());
  w.deliver_roster(w.roster(5));
  CHECK(w.status().reason == Reason::waiting);
}

TEST_CASE("rosters that contradict each other are said with LIVE pictures, too") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  Actor other;
  w.deliver_roster(roster_of(w.camera, 1, {&w.hub, &other}));
  CHECK(w.status().reason == Reason::roster_conflict);
  CHECK(w.status().state == CameraState::live);
}

TEST_CASE("a camera whose clock is more than a minute away from ours is said to be so, and is LIVE all the same") {
  for (const auto& [offset, reason] : {std::pair{0s, Reason::none},
                                       {60s, Reason::none},
                                       {61s, Reason::clock},
                                       {-64s, Reason::none},
                                       {-66s, Reason::clock},
                                       {-50 * 365 * 86400s, Reason::clock}}) {
    HubWorld w;
    auto epoch = w.join();
    const auto frame = w.builder.frame(epoch, FrameKind::key, {.number = 0, .echo = w.challenge(epoch)});
    w.clock.set_wall(CaptureTime{1'790'000'000s - offset});
    w.deliver(Leaf::video, frame);
    CHECK(w.status().state == CameraState::live);
    CHECK(w.status().reason == reason);
    CHECK(w.status().clock_ahead.has_value() == (reason == Reason::clock));
    if (w.status().clock_ahead) CHECK(*w.status().clock_ahead == offset);
    w.clock.set_wall(CaptureTime{1'790'000'000s});
    w.video(w.builder.gop(epoch, "P", w.challenge(epoch)));
    CHECK(w.status().reason == Reason::none);
  }
}
