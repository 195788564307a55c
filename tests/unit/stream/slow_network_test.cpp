// SPDX-License-Identifier: Apache-2.0
// The publisher on a slow network: its quality, and pictures that are too old.
#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("congestion reduces the quality") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.client.progress.unacknowledged = 1'000'000;
  for (int n = 0; n < 30; ++n) {
    s.clock.advance(100ms);
    s.publisher.tick();
  }
  CHECK(s.control.quality().bitrate < BitsPerSecond(2'000'000));
}

TEST_CASE("reports of a slow path to the only hub reduce the quality; with a second hub on a good path they do not") {
  for (const bool second : {false, true}) {
    CameraScene s;
    s.run();
    const auto report = [&](const Actor& by, std::chrono::milliseconds delay) {
      const auto seen = s.video_of(by);
      s.receive_request_with(by, [&](protocol::ViewRequest& r) {
        if (seen.empty()) return;
        const auto sealed = std::chrono::duration_cast<std::chrono::milliseconds>(s.clock.monotonic().since_boot);
        r.receiver = {seen.back().counter, sealed + delay, seen.size()};
      });
      s.client.settle();
    };
    for (int n = 0; n < 8; ++n) {
      report(s.hub, n < 3 ? 10ms : std::chrono::milliseconds(400 * n));
      if (second) report(s.second, 10ms);
      for (int i = 0; i < 10; ++i) {
        s.capture(n == 0 && i == 0 ? "IPP" : "PPP");
        s.client.settle();
        s.publisher.tick();
      }
    }
    CHECK((s.control.quality().bitrate < BitsPerSecond(2'000'000)) == !second);
  }
}

TEST_CASE("a picture that waited for more than two seconds is not sealed, and its counter is not used") {
  CameraScene s;
  s.run();
  s.receive_request(s.hub);
  s.client.settle();
  s.capture("I");
  s.capture("PPPP");  // the still, the key frame and two deltas are in flight
  s.clock.advance(2500ms);
  s.client.settle();
  s.capture("P");
  s.client.settle();
  s.capture("IP");
  s.client.settle();
  const auto video = s.video_of(s.hub);
  REQUIRE(video.size() == 5);
  CHECK(video[3].header.age < 1s);
  CHECK(video[3].kind == protocol::FrameKind::key);
  CHECK(s.counters_unique());
}
