// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder.hpp"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

/// A recorder with its thread, on the folders of a scene.
/// Another thread that asks for the time waits while the clock is held, as at a disk that does not answer.
class HeldClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime monotonic() const override {
    if (std::this_thread::get_id() != test_) held_.wait(true);
    return system_.monotonic();
  }
  [[nodiscard]] BootTime boot() const override { return system_.boot(); }
  [[nodiscard]] CaptureTime wall() const override { return system_.wall(); }
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    held_.notify_all();
  }

 private:
  SystemClock system_;
  std::thread::id test_ = std::this_thread::get_id();
  std::atomic<bool> held_{false};
};

struct Recorded : RecordingScene {
  HeldClock system;
  std::unique_ptr<Recorder> recorder;
  std::uint32_t next = 0;

  Recorded() {
    core.reset();
    open();
  }
  void open() {
    recorder = std::make_unique<Recorder>(
        config, RecorderDependencies{*index, *keys, hub.keys().identity, owner.account(), system, log});
  }
  void add(test::RecordedStream& stream, protocol::FrameKind kind, std::size_t size = 300) {
    const auto unit = Bytes(size, std::byte{7});
    const auto message = builder.frame(stream.keys, kind, {.number = ++next, .content = unit});
    recorder->add({.epoch = stream.epoch,
                   .kind = kind,
                   .counter = must(protocol::parse_frame(message)).counter,
                   .message = message,
                   .received = system.wall(),
                   .mark = {},
                   .stored = kind == key || kind == delta});
  }
  bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 2000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(5ms);
    }
    return false;
  }
};

TEST_CASE("the recorder writes on its own thread, and completes its files at the end") {
  Recorded scene;
  auto stream = scene.begin();
  scene.recorder->set_modes({{scene.camera.id(), Mode::continuous}});
  for (int i = 0; i < 30; ++i) scene.add(stream, i % 6 == 0 ? key : delta);
  scene.add(stream, protocol::FrameKind::report);
  CHECK(scene.eventually([&] { return scene.recorder->status().stored_frames == 30; }));
  const auto status = scene.recorder->status();
  CHECK(status.enabled);
  REQUIRE(status.cameras.size() == 1);
  CHECK(status.cameras[0].recording);
  scene.recorder.reset();
  CHECK(scene.verify().faults.empty());
  CHECK(scene.verify().frames == 30);
}

TEST_CASE("a disk that does not answer is reported, with the frames that are lost meanwhile") {
  Recorded scene;
  scene.recorder.reset();
  scene.config.max_call = 200ms;
  scene.open();
  auto stream = scene.begin();
  scene.add(stream, key);
  REQUIRE(scene.eventually([&] { return scene.recorder->status().stored_frames == 1; }));
  CHECK(scene.recorder->status().fault == RecorderFault::none);
  scene.system.hold();
  for (int i = 0; i < 50; ++i) scene.add(stream, delta, 400'000);
  CHECK(scene.eventually([&] { return scene.recorder->status().fault == RecorderFault::slow; }));
  CHECK(scene.recorder->status().fault_text == "the disk does not answer");
  CHECK(scene.recorder->status().dropped_frames >= 5);
  scene.system.release();
  CHECK(scene.eventually([&] {
    const auto status = scene.recorder->status();
    return status.stored_frames + status.dropped_frames == 51;
  }));
  CHECK(scene.eventually([&] { return scene.recorder->status().fault_text != "the disk does not answer"; }));
  scene.recorder.reset();
}

TEST_CASE("erase() ends the file that is being written, and waits until it is deleted") {
  Recorded scene;
  auto stream = scene.begin();
  for (int i = 0; i < 12; ++i) scene.add(stream, i % 6 == 0 ? key : delta);
  CHECK(must(scene.recorder->erase(scene.camera.id(), RecordingScene::all)).files == 1);
  CHECK(scene.files().empty());
  scene.recorder->end(scene.camera.id(), EndReason::removed);
  scene.add(stream, key);
  scene.recorder.reset();
  CHECK(scene.files().size() == 1);
}

TEST_CASE(
    "frames that arrive faster than the disk stores them are stored or dropped, and what is stored has no fault") {
  Recorded scene;
  auto stream = scene.begin();
  for (int i = 0; i < 60; ++i) {
    const auto unit = Bytes(400'000, std::byte{7});
    const auto kind = i % 4 == 0 ? key : delta;
    const auto message = scene.builder.frame(stream.keys, kind, {.number = ++scene.next, .content = unit});
    const AcceptedFrame frame{.epoch = stream.epoch,
                              .kind = kind,
                              .counter = must(protocol::parse_frame(message)).counter,
                              .message = message,
                              .received = scene.system.wall(),
                              .mark = {}};
    scene.recorder->add(frame);
  }
  scene.recorder.reset();
  const auto report = scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.frames + report.lost_frames <= 60);
}

}  // namespace
}  // namespace sealcam::recordings
