// SPDX-License-Identifier: Apache-2.0
// The reasons that a hub reports beside LIVE, STALE and OFFLINE.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using watch::Reason;

TEST_CASE("the reason is waiting, none, no_answer and deregistered in this order") {
  HubScene s;
  auto epoch = s.join();
  CHECK(s.status().reason == Reason::waiting);
  s.clock.set_wall({CaptureTime{1'790'000'000s}});
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.status().reason == Reason::none);
  s.advance(6s);
  CHECK(s.status().state == CameraState::stale);
  CHECK(s.status().reason == Reason::none);
  s.advance(15s);
  CHECK(s.status().reason == Reason::no_answer);
  s.deliver(Leaf::status, s.builder.status(false));
  CHECK(s.status().reason == Reason::deregistered);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.status().reason == Reason::none);  // a new echo outweighs the status
}

TEST_CASE("the reason of a camera without LIVE pictures is the fault in its report, a status is not confirmed") {
  HubScene s;
  auto epoch = s.join();
  const auto report = [&](std::optional<protocol::CameraFault> fault) {
    s.deliver(Leaf::video, s.builder.frame(epoch, FrameKind::report,
                                           {.echo = s.challenge(epoch), .report = {{}, {}, {}, false, fault}}));
    return s.status().reason;
  };
  s.deliver(Leaf::status, s.builder.status(true, false, protocol::CameraFault::sensor));
  CHECK(s.status().reason == Reason::unconfirmed);
  CHECK(s.status().hint == Reason::sensor_fault);
  using enum protocol::CameraFault;
  CHECK(report(sensor) == Reason::sensor_fault);
  CHECK(report(pictures) == Reason::picture_fault);
  CHECK(report(encoder) == Reason::encoder_fault);
  CHECK(report(other) == Reason::picture_fault);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.status().reason == Reason::none);  // LIVE
  s.advance(25s);
  CHECK(s.status().reason == Reason::unconfirmed);  // more exact than no_answer
  s.deliver(Leaf::status, s.builder.status(true));
  CHECK(s.status().reason == Reason::no_answer);
  CHECK(report(sensor) == Reason::sensor_fault);
  CHECK(report(std::nullopt) == Reason::none);
}

TEST_CASE("a hub knows from the newest report of a camera whether it detects motion") {
  HubScene s;
  auto epoch = s.join();
  CHECK_FALSE(s.status().detects_motion);
  const auto report = [&](bool detects) {
    s.deliver(Leaf::video,
              s.builder.frame(epoch, FrameKind::report,
                              {.echo = s.challenge(epoch), .report = {{}, {}, {}, false, std::nullopt, detects}}));
    return s.status().detects_motion;
  };
  CHECK(report(false) == false);
  s.video(s.builder.gop(epoch, "IP", s.challenge(epoch)));
  CHECK(s.status().detects_motion == false);
  CHECK(report(true) == true);
}

TEST_CASE("a camera's name is shown without control characters, and never as an id") {
  HubScene s;
  s.deliver_roster(s.roster());
  const auto named = [&](std::uint64_t number, const std::string& name) {
    auto epoch = s.builder.make_epoch(number);
    epoch.content.camera_name = name;
    s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
    s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
    return s.status().name;
  };
  CHECK(named(100, "Door") == "Door");  // control
  const auto other = Actor().id().to_string();
  CHECK(named(101, other) == "'" + other + "'");
  CHECK(named(102, "\x1b[2JDo\xe2\x80\xaeor") == "?[2JDo?or");
}

TEST_CASE("a camera without a viewer gets its new name, and an older one does not come back") {
  HubScene s;
  s.deliver_roster(s.roster());
  const auto named = [&](std::uint64_t counter, const std::string& name) {
    auto epoch = s.builder.make_epoch(counter << 32);
    epoch.content.camera_name = name;
    s.deliver(Leaf::grants, s.builder.grants(epoch, s.roster()));
    return s.status().name;
  };
  CHECK(named(100, "Door") == "Door");
  CHECK(named(102, "Garden") == "Garden");
  CHECK(named(101, "Door") == "Garden");
}

TEST_CASE("the hub reports a suspended integration, also after a restart, until the suspension ends") {
  HubScene s;
  auto roster = s.roster();
  roster.hubs[0].integration = protocol::Integration(77);
  s.deliver_roster(roster);
  auto epoch = s.builder.make_epoch(100);
  s.deliver(Leaf::grants, s.builder.grants(epoch, roster));
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  REQUIRE(s.sink.live() == 1);
  roster.version = RosterVersion(2);
  roster.suspended = {protocol::Integration(77)};
  s.deliver_roster(roster);
  REQUIRE(s.watcher->cameras().size() == 1);
  CHECK(s.watcher->cameras()[0].reason == Reason::suspended);
  CHECK(s.watcher->cameras()[0].name == "camera 100");
  CHECK_FALSE(s.watcher->cameras()[0].member);
  CHECK(s.watcher->newest(s.camera.id()) == nullptr);
  s.restart();
  REQUIRE(s.watcher->cameras().size() == 1);
  CHECK(s.watcher->cameras()[0].reason == Reason::suspended);
  roster.version = RosterVersion(3);
  roster.suspended = {protocol::Integration(78)};
  s.deliver_roster(roster);
  CHECK(s.status().reason == Reason::waiting);
  CHECK(s.status().member);
}

TEST_CASE("a hub that was removed from the roster reports it for a day, a hub that was never listed does not") {
  HubScene s;
  Actor other;
  const auto without = [&](std::uint64_t version) { return roster_of(s.camera, version, {&other}); };
  s.deliver_roster(without(1));
  CHECK(s.watcher->cameras().empty());
  s.deliver_roster(s.roster(2));
  s.deliver_roster(without(3));
  REQUIRE(s.watcher->cameras().size() == 1);
  CHECK(s.watcher->cameras()[0].reason == Reason::removed);
  CHECK_FALSE(s.watcher->cameras()[0].member);
  s.advance(24h - 1ms);
  CHECK(s.watcher->cameras().size() == 1);
  s.deliver_roster(without(4));  // another roster that does not list this hub
  s.advance(1ms);
  CHECK(s.watcher->cameras().empty());
  s.deliver_roster(s.roster(5));
  CHECK(s.status().reason == Reason::waiting);
}

TEST_CASE("a camera's clock may have any 64 bits") {
  for (const auto captured : {std::chrono::microseconds::min(), std::chrono::microseconds::max()}) {
    HubScene s;
    auto epoch = s.join();
    s.deliver(Leaf::video,
              s.builder.frame(epoch, FrameKind::key,
                              {.number = 1, .echo = s.challenge(epoch), .captured = CaptureTime{captured}}));
    CHECK(s.status().state == CameraState::live);
    CHECK(s.status().captured == CaptureTime{captured});
    REQUIRE(s.status().clock_ahead);
    CHECK((*s.status().clock_ahead > 0s) == (captured.count() > 0));
    CHECK(std::chrono::abs(*s.status().clock_ahead) <= std::chrono::hours(24 * 366 * 1100));
  }
}

TEST_CASE("the hub reports a roster conflict also during LIVE") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  Actor other;
  s.deliver_roster(roster_of(s.camera, 1, {&s.hub, &other}));
  CHECK(s.status().reason == Reason::roster_conflict);
  CHECK(s.status().state == CameraState::live);
}

TEST_CASE("the hub reports clocks that differ by more than a minute, and the camera stays LIVE") {
  for (const auto& [offset, reason] : {std::pair{0s, Reason::none},
                                       {60s, Reason::none},
                                       {61s, Reason::clock},
                                       {-64s, Reason::none},
                                       {-66s, Reason::clock},
                                       {-50 * 365 * 86400s, Reason::clock}}) {
    HubScene s;
    auto epoch = s.join();
    const auto frame = s.builder.frame(epoch, FrameKind::key, {.number = 0, .echo = s.challenge(epoch)});
    s.clock.set_wall(CaptureTime{1'790'000'000s - offset});
    s.deliver(Leaf::video, frame);
    CHECK(s.status().state == CameraState::live);
    CHECK(s.status().reason == reason);
    CHECK(s.status().clock_ahead.has_value() == (reason == Reason::clock));
    if (s.status().clock_ahead) CHECK(*s.status().clock_ahead == offset);
    s.clock.set_wall(CaptureTime{1'790'000'000s});
    s.video(s.builder.gop(epoch, "P", s.challenge(epoch)));
    CHECK(s.status().reason == Reason::none);
  }
}
