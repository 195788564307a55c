// SPDX-License-Identifier: Apache-2.0
/// The counter that each frame header names as the frame that it depends on.
#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::RequestKind;

namespace {

/// Kind, counter and, of a delta, the counter that it depends on.
std::string text(const std::vector<CameraScene::Seen>& seen) {
  std::string all;
  for (const auto& frame : seen) {
    all += " IPSR"[static_cast<std::size_t>(frame.kind)] + std::to_string(frame.counter.value());
    if (frame.kind == FrameKind::delta) all += "<" + std::to_string(frame.header.depends.value());
    else CHECK(frame.header.depends == frame.counter);
    all += " ";
  }
  return all;
}

}  // namespace

TEST_CASE("a delta names the video frame before it, also with a still between the two") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("IPPIP");
  s.client.settle();
  CHECK(text(s.seen_by(s.hub)) == "R0 I1 S2 P3<1 P4<3 I5 P6<5 ");
}

TEST_CASE("the first delta of an epoch never names a frame of the epoch before it") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("IPPP");
  s.client.settle();
  s.receive_roster(s.roster(2, {&s.hub}));
  s.client.settle();
  s.receive_request(s.hub);
  s.capture("PPIP");
  s.client.settle();
  auto seen = s.seen_by(s.hub);
  std::erase_if(seen, [&](const auto& frame) { return frame.epoch != s.epochs.current(); });
  CHECK(text(seen) == "R0 I1 S2 P3<1 ");
}

TEST_CASE("no delta is sent that depends on a picture which was sent as a still only") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.capture("IP");
  s.client.settle();
  s.clock.advance(10s);  // the live lease ends
  s.receive_request(s.second, RequestKind::still);
  s.capture("IP");  // a still, and a delta without a request
  s.clock.advance(10s);
  s.receive_request(s.second, RequestKind::still);
  s.publisher.tick();
  REQUIRE(s.control.active());
  s.receive_request(s.hub);  // while the camera is active
  s.capture("PIP");
  s.client.settle();
  CHECK(text(s.video_of(s.hub)) == "I1 P3<1 I6 P8<6 ");
}

TEST_CASE("a picture echoes the challenges of several hubs if pictures are rare") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.receive_request(s.second);
  s.capture("I");
  s.client.settle();
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 1);
  CHECK(video[0].header.echoes.contains(protocol::Challenge(1)));
  CHECK(video[0].header.echoes.contains(protocol::Challenge(2)));
  CHECK(video[0].content == Bytes(500, std::byte{0}));
}
