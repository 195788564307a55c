// SPDX-License-Identifier: Apache-2.0
#include "support/allocation_counter.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/stream/camera_scene.hpp"
#include "unit/stream/capture_fakes.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

/// Answers each publish when told, and keeps nothing.
class Sink final : public transport::MqttClient {
 public:
  std::uint64_t count = 0;
  void settle() {
    while (used_ > 0) {
      auto done = std::move(waiting_[--used_]);
      done({});
    }
  }

 private:
  void do_publish(const transport::Publication&, PublishHandler done) override {
    ++count;
    waiting_[used_++] = std::move(done);
  }
  void do_subscribe(std::string_view, transport::Qos) override {}
  void do_unsubscribe(std::string_view) override {}
  [[nodiscard]] bool do_connected() const override { return true; }
  [[nodiscard]] std::size_t do_in_flight() const override { return used_; }
  [[nodiscard]] std::size_t do_unsent_bytes() const override { return 0; }
  std::array<PublishHandler, 16> waiting_;
  std::size_t used_ = 0;
};

}  // namespace

TEST_CASE("from the sensor to the connection nothing of ours is allocated per frame") {
  CameraScene s;
  Sink sink;
  CaptureFakes fakes(s.clock);
  CaptureLoop loop({fakes, s.queue, s.board, s.control, s.clock, s.log}, [] {});
  s.publisher.attach(sink);
  must(s.publisher.start());
  s.publisher.on_connected();
  sink.settle();
  s.receive_ask(s.hub);
  const auto frames = [&](int n) {
    for (int i = 0; i < n; ++i) {
      (void)loop.step();
      s.publisher.frames_ready();
      s.publisher.tick();
      sink.settle();
    }
  };
  frames(20);
  for (std::uint32_t n = 0; n < 200; ++n) fakes.captured[fakes.total + n] = {};  // the test's own notes
  const auto before = s.publisher.counters().published;
  const AllocationCounter allocations;
  frames(200);
  const auto made = allocations.count();
  CHECK(s.publisher.counters().published == before + 200);
  CHECK(made == 0);
  const AllocationCounter control;
  s.receive_ask(s.hub);
  const auto of_an_ask = control.count();
  CHECK(of_an_ask > 0);  // or the count would prove nothing
}
