// SPDX-License-Identifier: Apache-2.0
// A camera with a closed sensor, and a hub that may switch it.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::RequestKind;
using watch::Reason;

namespace {

struct PrivacyScene : HubScene {
  TestEpoch epoch;

  explicit PrivacyScene(bool allowed = true) : epoch(prepare(allowed)) {}
  TestEpoch prepare(bool allowed) {
    auto roster = this->roster();
    roster.hubs[0].may_switch_privacy = allowed;
    deliver_roster(roster);
    clock.set_wall(CaptureTime{1'790'000'000s});
    return join();
  }
  [[nodiscard]] Result<> switch_to(bool on) { return watcher->switch_privacy(camera.id(), on); }
  [[nodiscard]] auto count(RequestKind kind) const {
    return std::ranges::count(requests(), kind, &protocol::ViewRequest::kind);
  }
  void hint(bool privacy) { deliver(Leaf::status, builder.status(true, privacy)); }
  [[nodiscard]] protocol::ViewRequest newest(RequestKind kind) const {
    const auto all = requests();
    return *std::ranges::find(all.rbegin(), all.rend(), kind, &protocol::ViewRequest::kind);
  }
  [[nodiscard]] Bytes report_of(protocol::Challenge challenge, std::optional<protocol::Nonce> nonce) {
    return builder.frame(epoch, FrameKind::report, {.echo = challenge, .report = {{}, {}, nonce, true}});
  }
  /// The camera answers the newest request of this kind.
  void prove(bool privacy, RequestKind kind = RequestKind::live) {
    const auto made = newest(kind).challenge;
    deliver(Leaf::video, builder.frame(epoch, FrameKind::report, {.echo = made, .report = {{}, {}, {}, privacy}}));
  }
  void answer_nonce(protocol::Nonce nonce) {
    deliver(Leaf::video, report_of(newest(RequestKind::nonce).challenge, nonce));
  }
  void live() { video(builder.gop(epoch, "I", challenge(epoch))); }
};

}  // namespace

TEST_CASE("a status with privacy is not confirmed, and the hub reports the time of the first one") {
  PrivacyScene s(false);
  s.live();
  s.hint(true);
  CHECK(s.status().state == CameraState::live);
  CHECK(s.status().reason == Reason::none);
  s.advance(5001ms);
  CHECK(s.status().reason == Reason::unconfirmed);
  CHECK_FALSE(s.status().privacy);
  CHECK(s.status().hint == Reason::privacy);
  CHECK(s.status().hint_since == CaptureTime{1'790'000'000s});
  s.hint(true);
  CHECK(s.status().hint_since == CaptureTime{1'790'000'000s});
  s.live();
  CHECK(s.status().reason == Reason::none);
  CHECK(s.status().state == CameraState::live);
  s.advance(6s);
  s.hint(false);
  CHECK(s.status().reason == Reason::none);
  CHECK_FALSE(s.status().hint_since);
}

TEST_CASE("a report proves privacy for five seconds after its challenge, by the clock that continues during suspend") {
  PrivacyScene s(false);
  s.live();
  s.advance(5001ms);
  s.prove(true);
  CHECK(s.status().reason == Reason::privacy);
  CHECK(s.status().privacy);
  CHECK(s.status().state == CameraState::stale);
  SECTION("awake") {
    for (int i = 0; i < 49; ++i) s.advance(100ms);
    CHECK(s.sink.states.back().reason == Reason::privacy);
    for (int i = 0; i < 2; ++i) s.advance(100ms);
    CHECK(s.sink.states.back().reason == Reason::none);
  }
  SECTION("asleep") {
    s.clock.suspend(5001ms);
    CHECK(s.status().reason == Reason::none);
  }
  SECTION("a status that the broker sends again changes nothing") {
    s.hint(false);
    s.deliver(Leaf::status, s.builder.status(false));
    CHECK(s.status().reason == Reason::privacy);
    CHECK(s.status().state == CameraState::stale);
  }
  SECTION("an accepted picture ends the proof") {
    s.video(s.builder.gop(s.epoch, "I"));
    CHECK(s.status().state == CameraState::stale);
    CHECK(s.status().reason == Reason::none);
  }
  SECTION("a removed hub forgets it") {
    Actor other;
    s.deliver_roster(roster_of(s.camera, 2, {&other}));
    s.deliver_roster(s.roster(3));
    CHECK(s.status().reason == Reason::waiting);
  }
}

TEST_CASE("a report that proves an open sensor outweighs an old status") {
  PrivacyScene s(false);
  s.advance(1s);
  s.hint(true);
  CHECK(s.status().reason == Reason::unconfirmed);
  s.prove(false);
  CHECK(s.status().reason == Reason::waiting);
}

TEST_CASE("a report with a smaller counter or of another epoch does not bring an older state back") {
  PrivacyScene s(false);
  const auto made = s.newest(RequestKind::live).challenge;
  const auto report = [&](TestEpoch& epoch, bool privacy) {
    return s.builder.frame(epoch, FrameKind::report, {.echo = made, .report = {{}, {}, {}, privacy}});
  };
  const auto earlier = report(s.epoch, true);
  s.deliver(Leaf::video, report(s.epoch, false));
  s.deliver(Leaf::video, earlier);
  CHECK_FALSE(s.status().privacy);
  s.deliver(Leaf::video, report(s.epoch, true));
  CHECK(s.status().privacy);  // control
}

TEST_CASE("a picture that arrived before its epoch was current outweighs an earlier report of the epoch") {
  PrivacyScene s(false);
  s.live();
  s.advance(5001ms);
  auto next = s.join(200);
  const auto report = [&] {
    return s.builder.frame(next, FrameKind::report, {.echo = s.challenge(next), .report = {{}, {}, {}, true}});
  };
  const auto earlier = report();
  s.video(s.builder.gop(next, "P"));  // waits for a key frame
  s.deliver(Leaf::video, earlier);
  CHECK(s.status().epoch == next.epoch);
  CHECK_FALSE(s.status().privacy);
  s.deliver(Leaf::video, report());
  CHECK(s.status().privacy);  // control
}

TEST_CASE("a forged status is no hint") {
  PrivacyScene s(false);
  auto forged = s.builder.status(true, true);
  forged.back() ^= std::byte{1};
  s.deliver(Leaf::status, forged);
  CHECK(s.status().hint == Reason::none);
  s.hint(true);
  CHECK(s.status().hint == Reason::privacy);  // control
}

TEST_CASE("a hub without permission sends no privacy request") {
  PrivacyScene s(false);
  CHECK_FALSE(s.status().may_switch_privacy);
  CHECK(s.switch_to(true).error().code == Errc::permission);
  s.advance(3s);
  CHECK(s.count(RequestKind::privacy_on) == 0);
  CHECK(s.watcher->switch_privacy(s.owner.id(), true).error().code == Errc::not_found);
}

TEST_CASE("the hub repeats a privacy request each second until a report proves it, and sends live requests between") {
  PrivacyScene s;
  s.live();
  CHECK(s.status().may_switch_privacy);
  const auto live_before = s.count(RequestKind::live);
  REQUIRE(s.switch_to(true));
  CHECK(s.count(RequestKind::privacy_on) == 1);
  CHECK(s.status().requested_privacy == true);
  for (int i = 0; i < 35; ++i) s.advance(100ms);
  CHECK(s.count(RequestKind::privacy_on) == 4);
  CHECK(s.count(RequestKind::live) >= live_before + 3);
  CHECK(s.requests().size() <= 9);  // a camera accepts two requests per second
  s.hint(true);
  CHECK(s.status().requested_privacy == true);
  s.prove(false);
  CHECK(s.status().requested_privacy == true);
  s.prove(true, RequestKind::privacy_on);
  CHECK_FALSE(s.status().requested_privacy);
  CHECK_FALSE(s.status().privacy_failed);
  for (int i = 0; i < 20; ++i) s.advance(100ms);
  CHECK(s.count(RequestKind::privacy_on) == 4);

  REQUIRE(s.switch_to(false));
  CHECK(s.count(RequestKind::privacy_off) == 0);
  s.answer_nonce(protocol::Nonce(7));
  CHECK(s.count(RequestKind::privacy_off) == 1);
  s.hint(false);
  CHECK(s.status().requested_privacy == false);
  s.prove(false, RequestKind::privacy_off);
  CHECK_FALSE(s.status().requested_privacy);
}

TEST_CASE("the hub requests a nonce before it opens the sensor, and uses each nonce once") {
  PrivacyScene s;
  s.live();
  REQUIRE(s.switch_to(false));
  CHECK(s.count(RequestKind::nonce) == 1);
  CHECK(s.count(RequestKind::privacy_off) == 0);
  const auto first = s.report_of(s.newest(RequestKind::nonce).challenge, protocol::Nonce(77));
  s.deliver(Leaf::video, first);
  REQUIRE(s.count(RequestKind::privacy_off) == 1);
  CHECK(s.newest(RequestKind::privacy_off).nonce == protocol::Nonce(77));
  CHECK(s.newest(RequestKind::privacy_off).epoch == s.epoch.epoch);
  SECTION("another report for the same request is not used") {
    s.deliver(Leaf::video, s.report_of(s.newest(RequestKind::nonce).challenge, protocol::Nonce(78)));
    s.deliver(Leaf::video, first);
    CHECK(s.count(RequestKind::privacy_off) == 1);
  }
  SECTION("a lost request is repeated with a new nonce, and two requests a second are not exceeded") {
    const auto before = s.requests().size();
    s.advance(500ms);
    CHECK(s.requests().size() == before);  // live requests wait
    s.advance(500ms);
    CHECK(s.count(RequestKind::nonce) == 2);
    s.answer_nonce(protocol::Nonce(79));
    CHECK(s.newest(RequestKind::privacy_off).nonce == protocol::Nonce(79));
    CHECK(s.requests().size() == before + 2);
  }
}

TEST_CASE("a nonce that answers no request for one opens nothing") {
  PrivacyScene s;
  s.live();
  const auto live = s.challenge(s.epoch);
  REQUIRE(s.switch_to(false));
  s.deliver(Leaf::video, s.report_of(live, protocol::Nonce(5)));
  s.deliver(Leaf::video, s.report_of(protocol::Challenge(123), protocol::Nonce(5)));
  s.deliver(Leaf::video, s.report_of(s.newest(RequestKind::nonce).challenge, std::nullopt));
  CHECK(s.count(RequestKind::privacy_off) == 0);
  s.answer_nonce(protocol::Nonce(6));
  CHECK(s.count(RequestKind::privacy_off) == 1);  // control
}

TEST_CASE("after the hub reported that opening the sensor failed, a late nonce opens nothing") {
  PrivacyScene s;
  s.live();
  REQUIRE(s.switch_to(false));
  const auto requested = s.newest(RequestKind::nonce).challenge;
  SECTION("in time") {
    for (int i = 0; i < 9; ++i) s.clock.suspend(1s);
    s.deliver(Leaf::video, s.report_of(requested, protocol::Nonce(5)));
    CHECK(s.count(RequestKind::privacy_off) == 1);  // control
  }
  SECTION("after ten seconds, part of them asleep, and before the next tick") {
    s.clock.advance(4s);
    s.clock.suspend(6s);
    s.deliver(Leaf::video, s.report_of(requested, protocol::Nonce(5)));
    CHECK(s.count(RequestKind::privacy_off) == 0);
    s.advance(0ms);
    CHECK(s.status().privacy_failed == false);
    s.deliver(Leaf::video, s.report_of(requested, protocol::Nonce(6)));
    s.advance(10s);
    CHECK(s.count(RequestKind::privacy_off) == 0);
  }
}

TEST_CASE("a privacy request fails after ten seconds, and the next request clears the failure") {
  PrivacyScene s;
  s.live();
  REQUIRE(s.switch_to(true));
  for (int i = 0; i < 99; ++i) s.advance(100ms);
  CHECK(s.status().requested_privacy == true);
  s.advance(100ms);
  CHECK_FALSE(s.status().requested_privacy);
  CHECK(s.status().privacy_failed == true);
  CHECK(s.sink.states.back().privacy_failed == true);
  const auto requested = s.count(RequestKind::privacy_on);
  CHECK(requested == 10);
  s.advance(5s);
  CHECK(s.count(RequestKind::privacy_on) == requested);
  SECTION("the next privacy request") {
    REQUIRE(s.switch_to(false));
    CHECK_FALSE(s.status().privacy_failed);
  }
  SECTION("a later report clears the failure, a status does not") {
    s.hint(true);
    CHECK(s.status().privacy_failed == true);
    s.prove(true);
    CHECK_FALSE(s.status().privacy_failed);
  }
}

TEST_CASE("a report that answers an earlier request does not confirm a change") {
  PrivacyScene s;
  s.hint(true);
  const auto before = s.newest(RequestKind::live).challenge;
  REQUIRE(s.switch_to(true));
  s.deliver(Leaf::video, s.report_of(before, std::nullopt));
  CHECK(s.status().privacy);
  CHECK(s.status().requested_privacy == true);
  CHECK(s.count(RequestKind::privacy_on) == 1);
  s.prove(true, RequestKind::privacy_on);
  CHECK_FALSE(s.status().requested_privacy);
}

TEST_CASE("a report that does not prove a state does not confirm a change") {
  PrivacyScene s;
  REQUIRE(s.switch_to(true));
  const auto made = s.newest(RequestKind::privacy_on).challenge;
  const auto closed = s.report_of(made, std::nullopt);
  SECTION("because a later report has another state") {
    s.prove(false, RequestKind::privacy_on);
    s.deliver(Leaf::video, closed);
  }
  SECTION("because a later picture was accepted") {
    s.video(s.builder.gop(s.epoch, "P"));  // waits for a key frame
    s.deliver(Leaf::video, closed);
  }
  SECTION("because its challenge is too old") {
    s.clock.suspend(5001ms);
    s.deliver(Leaf::video, closed);
  }
  CHECK(s.status().requested_privacy == true);
  s.advance(1s);
  s.prove(true, RequestKind::privacy_on);
  CHECK_FALSE(s.status().requested_privacy);  // control
}

TEST_CASE("a privacy request ends with the permission, and needs a connection") {
  PrivacyScene s;
  s.live();
  REQUIRE(s.switch_to(true));
  s.deliver_roster(s.roster(2));
  CHECK_FALSE(s.status().requested_privacy);
  CHECK_FALSE(s.status().may_switch_privacy);
  auto roster = s.roster(3);
  roster.hubs[0].may_switch_privacy = true;
  s.deliver_roster(roster);
  s.client.is_connected = false;
  CHECK(s.switch_to(true).error().code == Errc::connection);
}

TEST_CASE("a suspended hub keeps the last privacy status, because the camera does not send it again") {
  PrivacyScene s(false);
  s.hint(true);
  auto roster = s.roster(2);
  roster.hubs[0].integration = protocol::Integration(7);
  roster.suspended = {protocol::Integration(7)};
  s.deliver_roster(roster);
  CHECK(s.status().reason == Reason::suspended);
  s.deliver_roster(s.roster(3));
  CHECK(s.status().reason == Reason::unconfirmed);
}
