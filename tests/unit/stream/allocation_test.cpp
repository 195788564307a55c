// SPDX-License-Identifier: Apache-2.0
#include "support/allocation_counter.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/camera_scene.hpp"
#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("the camera allocates no memory per frame from sensor to connection") {
  CameraScene s;
  s.client.recording = false;
  CaptureFakes fakes(s.clock);
  hal::testing::FakeBoard board;
  CaptureLoop loop({fakes, s.queue, s.challenges, s.control, s.clock, s.log, board}, [] {});
  must(s.publisher.start());
  s.connect();
  s.client.settle();
  s.receive_request(s.hub);
  const auto frames = [&](int n) {
    for (int i = 0; i < n; ++i) {
      (void)loop.step();
      s.publisher.frames_ready();
      s.publisher.tick();
      s.client.settle();
    }
  };
  frames(20);
  for (std::uint32_t n = 0; n < 200; ++n) fakes.captured[fakes.total + n] = {};  // memory of the test itself
  const auto before = s.publisher.counters().published;
  const AllocationCounter allocations;
  frames(200);
  const auto made = allocations.count();
  CHECK(s.publisher.counters().published == before + 200);
  CHECK(made == 0);
  const AllocationCounter control;
  s.receive_request(s.hub);
  const auto of_a_request = control.count();
  CHECK(of_a_request > 0);  // the counter works
}
