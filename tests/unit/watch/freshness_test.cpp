// SPDX-License-Identifier: Apache-2.0
// P4: LIVE, STALE, OFFLINE.
#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("LIVE becomes STALE 5 s after the newest echoed challenge was made") {
  HubScene s;
  auto epoch = s.join();
  s.clock.advance(300ms);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.status().age == 300ms);
  s.advance(4700ms);
  CHECK(s.status().state == CameraState::live);
  s.sink.states.clear();
  s.advance(1ms);
  CHECK(s.status().state == CameraState::stale);
  REQUIRE(s.sink.states.size() == 1);
  CHECK(s.sink.states[0].state == CameraState::stale);
  CHECK(s.status().age == 5001ms);
  s.video(s.builder.gop(epoch, "P", s.challenge(epoch)));
  CHECK(s.status().state == CameraState::live);
}

TEST_CASE("delayed frames are LIVE up to 5 s, and STALE with their age later") {
  for (const auto& [delay, state] :
       {std::pair{1s, CameraState::live}, {5s, CameraState::live}, {6s, CameraState::stale}}) {
    HubScene s;
    auto epoch = s.join();
    const auto delayed = s.builder.gop(epoch, "IPP", s.challenge(epoch));
    s.clock.advance(delay);
    s.video(delayed);
    REQUIRE(s.sink.shown.size() == 3);
    CHECK(s.sink.shown[2].picture.state == state);
    CHECK(s.sink.shown[2].picture.age == std::chrono::milliseconds(delay));
  }
}

TEST_CASE("pictures from before the hub's machine slept are not LIVE afterwards") {
  for (const auto slept : {5s, 30s, 60s, 86'400s}) {
    HubScene s;
    auto epoch = s.join();
    s.clock.advance(300ms);
    s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
    // The broker holds these pictures while the machine sleeps.
    const auto held = s.builder.gop(epoch, "PPP", s.challenge(epoch));
    REQUIRE(s.status().state == CameraState::live);
    s.clock.suspend(slept);
    CHECK(s.status().state == (slept < 20s ? CameraState::stale : CameraState::offline));  // before any tick
    CHECK(s.status().age == 300ms + slept);
    s.video(held);
    CHECK(s.sink.live() == 1);
    CHECK(s.sink.shown.size() == 4);
    const auto before = s.client.sent.size();
    s.watcher->tick();
    REQUIRE(s.client.sent.size() > before);  // requests are due at once
    s.video(s.builder.gop(epoch, "P", s.challenge(epoch)));
    CHECK(s.sink.live() == 2);
    CHECK(s.status().state == CameraState::live);
  }
}

TEST_CASE("frames that wait for their grants do not wait longer because the machine slept") {
  HubScene s;
  s.deliver_roster(s.roster());
  auto epoch = s.builder.make_epoch(100);
  s.video(s.builder.gop(epoch, "IP"));
  s.clock.suspend(1001ms);
  s.watcher->tick();
  CHECK(s.rejected(RejectReason::not_decryptable) == 2);
}

TEST_CASE("only the clock that continues during sleep affects LIVE") {
  for (const auto step : {-std::chrono::nanoseconds(1h), std::chrono::nanoseconds(1h)}) {
    HubScene s;
    auto epoch = s.join();
    s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
    s.clock.step_monotonic(step);
    s.clock.step_wall(step);
    s.advance(5s);
    CHECK(s.status().state == CameraState::live);
    CHECK(s.status().age == 5s);
    s.clock.step_boot(1ms);
    CHECK(s.status().state == CameraState::stale);
  }
}

TEST_CASE("the newest of the echoed challenges of this hub bounds the age, in any order") {
  for (const bool newest_first : {false, true}) {
    HubScene s;
    auto epoch = s.join();
    const auto older = s.challenge(epoch);
    s.advance(2s);
    const auto newer = s.challenge(epoch);
    REQUIRE(older != newer);
    s.clock.advance(300ms);
    protocol::Echoes echoes(protocol::Challenge(4711));  // of another hub
    echoes.add(newest_first ? newer : older);
    echoes.add(newest_first ? older : newer);
    s.video(s.builder.gop(epoch, "I", echoes));
    CHECK(s.status().age == 300ms);
    CHECK(s.status().state == CameraState::live);
  }
  HubScene other;  // control
  auto epoch = other.join();
  other.video(other.builder.gop(epoch, "I", protocol::Challenge(4711)));
  CHECK(other.sink.live() == 0);
}

TEST_CASE("the wall clock does not affect LIVE") {
  HubScene s;
  auto epoch = s.join();
  s.clock.set_wall(CaptureTime{0s});
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  CHECK(s.sink.live() == 1);
  s.clock.set_wall(CaptureTime{std::chrono::hours(24 * 365 * 100)});
  s.advance(1s);
  CHECK(s.status().state == CameraState::live);
}

TEST_CASE("an old retained still is STALE, with the time of the camera's clock") {
  HubScene s;
  auto epoch = s.join();
  const auto still = s.builder.frame(epoch, FrameKind::still, {.number = 9, .echo = protocol::Challenge(4711)});
  s.deliver(Leaf::still, still, true);
  REQUIRE(s.sink.shown.size() == 1);
  CHECK(s.sink.live() == 0);
  CHECK_FALSE(s.sink.shown[0].picture.age);
  CHECK(s.status().state == CameraState::stale);
  CHECK(s.status().captured == s.sink.shown[0].picture.header.captured);
  CHECK_FALSE(s.status().epoch);

  SECTION("a second delivery after a reconnect is not shown again") {
    s.deliver(Leaf::still, still, true);
    CHECK(s.sink.shown.size() == 1);
  }
  SECTION("control: a still that echoes the hub's challenge is LIVE") {
    s.deliver(Leaf::still, s.builder.frame(epoch, FrameKind::still, {.number = 10, .echo = s.challenge(epoch)}));
    CHECK(s.sink.live() == 1);
  }
}

TEST_CASE("a recorded stream with its grants is never LIVE for a restarted hub") {
  HubScene s;
  auto epoch = s.join();
  const auto grants = s.builder.grants(epoch, s.roster());
  const auto recorded = s.builder.gop(epoch, "IPPP", s.challenge(epoch));
  s.video(recorded);
  REQUIRE(s.sink.live() == 4);
  s.restart();
  s.deliver_roster(s.roster());
  s.deliver(Leaf::grants, grants);
  s.video(recorded);
  CHECK(s.sink.shown.size() == 4);
  CHECK(s.sink.live() == 0);
}

TEST_CASE("an echo in a picture that is not shown does not make an older picture LIVE") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  s.advance(6s);
  CHECK(s.status().state == CameraState::stale);
  auto gap = s.builder.gop(epoch, "PP", s.challenge(epoch));
  s.video(gap.drop(0));
  CHECK(s.status().state == CameraState::stale);
  s.video(s.builder.gop(epoch, "I"));
  CHECK(s.status().state == CameraState::live);  // the key frame was taken after the delta that echoed
}

TEST_CASE("a report proves that the camera answers, but does not make a picture LIVE") {
  HubScene s;
  auto epoch = s.join();
  const auto before = s.builder.gop(epoch, "I");
  s.video(s.builder.gop(epoch, "R", s.challenge(epoch)));
  CHECK(s.status().epoch == epoch.epoch);
  s.video(s.builder.gop(epoch, "I"));
  CHECK(s.sink.shown.size() == 1);
  CHECK(s.sink.live() == 0);
  s.video(s.builder.gop(epoch, "P", s.challenge(epoch)));
  CHECK(s.sink.live() == 1);
}

TEST_CASE("the pictures of a new epoch need an echo in that epoch") {
  HubScene s;
  auto first = s.join(1);
  s.video(s.builder.gop(first, "I", s.challenge(first)));
  auto second = s.join(2);
  s.video(s.builder.gop(second, "R", s.challenge(second)));
  s.video(s.builder.gop(second, "I"));
  REQUIRE(s.sink.shown.size() == 2);
  CHECK(s.sink.shown[1].picture.state == CameraState::stale);
}

TEST_CASE("the status is a hint and neither starts nor ends LIVE") {
  HubScene s;
  auto epoch = s.join();
  s.deliver(Leaf::status, s.builder.status(true));
  CHECK(s.status().state == CameraState::offline);
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  s.deliver(Leaf::status, s.builder.status(false));
  CHECK(s.status().state == CameraState::live);
  s.advance(5001ms);
  CHECK(s.status().state == CameraState::offline);
  s.deliver(Leaf::status, s.builder.status(true));
  CHECK(s.status().state == CameraState::stale);
  auto forged = s.builder.status(false);
  forged.back() ^= std::byte{1};
  s.deliver(Leaf::status, forged);
  CHECK(s.status().state == CameraState::stale);
  CHECK(s.status().counters.rejected_control[RejectReason::bad_signature] == 1);
}

TEST_CASE("a camera that does not answer requests for 20 s is OFFLINE") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "I", s.challenge(epoch)));
  s.advance(19s);
  CHECK(s.status().state == CameraState::stale);
  s.advance(2s);
  CHECK(s.status().state == CameraState::offline);
}

TEST_CASE("an echo of another hub's challenge does not make a picture LIVE") {
  HubScene s;
  auto epoch = s.join();
  s.video(s.builder.gop(epoch, "IP", protocol::Challenge(0x1234)));
  CHECK(s.sink.shown.size() == 2);
  CHECK(s.sink.live() == 0);
}
