// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder.hpp"

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
struct Recorded : RecordingScene {
  SystemClock system;
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
                              .received = scene.system.wall()};
    scene.recorder->add(frame);
  }
  scene.recorder.reset();
  const auto report = scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.frames + report.lost_frames <= 60);
}

}  // namespace
}  // namespace sealcam::recordings
