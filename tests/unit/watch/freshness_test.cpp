// SPDX-License-Identifier: Apache-2.0
// P4: LIVE, STALE, OFFLINE.
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("LIVE falls to STALE by itself 5 s after the newest echoed challenge was made") {
  HubWorld w;
  auto epoch = w.join();
  w.clock.advance(300ms);
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.status().age == 300ms);
  w.advance(4700ms);
  CHECK(w.status().state == CameraState::live);
  w.sink.states.clear();
  w.advance(1ms);
  CHECK(w.status().state == CameraState::stale);
  REQUIRE(w.sink.states.size() == 1);
  CHECK(w.sink.states[0].state == CameraState::stale);
  CHECK(w.status().age == 5001ms);
  w.video(w.builder.gop(epoch, "P", w.challenge(epoch)));
  CHECK(w.status().state == CameraState::live);
}

TEST_CASE("delayed frames are LIVE up to 5 s, then STALE with their age") {
  for (const auto& [delay, state] :
       {std::pair{1s, CameraState::live}, {5s, CameraState::live}, {6s, CameraState::stale}}) {
    HubWorld w;
    auto epoch = w.join();
    const auto delayed = w.builder.gop(epoch, "IPP", w.challenge(epoch));
    w.clock.advance(delay);
    w.video(delayed);
    REQUIRE(w.sink.shown.size() == 3);
    CHECK(w.sink.shown[2].picture.state == state);
    CHECK(w.sink.shown[2].picture.age == std::chrono::milliseconds(delay));
  }
}

TEST_CASE("the wall clock decides nothing") {
  HubWorld w;
  auto epoch = w.join();
  w.clock.set_wall(CaptureTime{0s});
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  CHECK(w.sink.live() == 1);
  w.clock.set_wall(CaptureTime{std::chrono::hours(24 * 365 * 100)});
  w.advance(1s);
  CHECK(w.status().state == CameraState::live);
}

TEST_CASE("an old retained still is shown STALE, never LIVE, with the camera's own time") {
  HubWorld w;
  auto epoch = w.join();
  const auto still = w.builder.frame(epoch, FrameKind::still, {.number = 9, .echo = protocol::Challenge(4711)});
  w.deliver(Leaf::still, still, true);
  REQUIRE(w.sink.shown.size() == 1);
  CHECK(w.sink.live() == 0);
  CHECK_FALSE(w.sink.shown[0].picture.age);
  CHECK(w.status().state == CameraState::stale);
  CHECK(w.status().captured == w.sink.shown[0].picture.header.captured);
  CHECK_FALSE(w.status().epoch);

  SECTION("delivered once more, as after a reconnect, it is not shown again") {
    w.deliver(Leaf::still, still, true);
    CHECK(w.sink.shown.size() == 1);
  }
  SECTION("control: one that echoes us is LIVE") {
    w.deliver(Leaf::still, w.builder.frame(epoch, FrameKind::still, {.number = 10, .echo = w.challenge(epoch)}));
    CHECK(w.sink.live() == 1);
  }
}

TEST_CASE("a recorded minute with its grants is never LIVE for a hub that was restarted") {
  HubWorld w;
  auto epoch = w.join();
  const auto grants = w.builder.grants(epoch, w.roster());
  const auto recorded = w.builder.gop(epoch, "IPPP", w.challenge(epoch));
  w.video(recorded);
  REQUIRE(w.sink.live() == 4);
  w.restart();
  w.deliver_roster(w.roster());
  w.deliver(Leaf::grants, grants);
  w.video(recorded);
  CHECK(w.sink.shown.size() == 4);
  CHECK(w.sink.live() == 0);
}

TEST_CASE("an echo in a picture that is not shown makes no older picture LIVE") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  w.advance(6s);
  CHECK(w.status().state == CameraState::stale);
  auto gap = w.builder.gop(epoch, "PP", w.challenge(epoch));
  w.video(gap.drop(0));
  CHECK(w.status().state == CameraState::stale);
  w.video(w.builder.gop(epoch, "I"));
  CHECK(w.status().state == CameraState::live);  // the key frame was taken after the delta that echoed
}

TEST_CASE("a report proves that the camera is there, not that a picture is fresh") {
  HubWorld w;
  auto epoch = w.join();
  const auto before = w.builder.gop(epoch, "I");
  w.video(w.builder.gop(epoch, "R", w.challenge(epoch)));
  CHECK(w.status().epoch == epoch.epoch);
  w.video(w.builder.gop(epoch, "I"));
  CHECK(w.sink.shown.size() == 1);
  CHECK(w.sink.live() == 0);
  w.video(w.builder.gop(epoch, "P", w.challenge(epoch)));
  CHECK(w.sink.live() == 1);
}

TEST_CASE("the new epoch's pictures need an echo of their own") {
  HubWorld w;
  auto first = w.join(1);
  w.video(w.builder.gop(first, "I", w.challenge(first)));
  auto second = w.join(2);
  w.video(w.builder.gop(second, "R", w.challenge(second)));
  w.video(w.builder.gop(second, "I"));
  REQUIRE(w.sink.shown.size() == 2);
  CHECK(w.sink.shown[1].picture.state == CameraState::stale);
}

TEST_CASE("status is a hint: it never makes LIVE and never ends it") {
  HubWorld w;
  auto epoch = w.join();
  w.deliver(Leaf::status, w.builder.status(true));
  CHECK(w.status().state == CameraState::offline);
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  w.deliver(Leaf::status, w.builder.status(false));
  CHECK(w.status().state == CameraState::live);
  w.advance(5001ms);
  CHECK(w.status().state == CameraState::offline);
  w.deliver(Leaf::status, w.builder.status(true));
  CHECK(w.status().state == CameraState::stale);
  auto forged = w.builder.status(false);
  forged.back() ^= std::byte{1};
  w.deliver(Leaf::status, forged);
  CHECK(w.status().state == CameraState::stale);
  CHECK(w.status().counters.refused_control[Refusal::bad_signature] == 1);
}

TEST_CASE("a camera that answers no ask for long is OFFLINE") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "I", w.challenge(epoch)));
  w.advance(19s);
  CHECK(w.status().state == CameraState::stale);
  w.advance(2s);
  CHECK(w.status().state == CameraState::offline);
}

TEST_CASE("another hub's challenge proves nothing here") {
  HubWorld w;
  auto epoch = w.join();
  w.video(w.builder.gop(epoch, "IP", protocol::Challenge(0x1234)));
  CHECK(w.sink.shown.size() == 2);
  CHECK(w.sink.live() == 0);
}
