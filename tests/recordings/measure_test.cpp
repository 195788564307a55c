// SPDX-License-Identifier: Apache-2.0
// Figures of a new index. Not in the usual runs: recordings_long_test '[measure]'. SEALCAM_MEASURE_FILES is the number
// of files with five minutes at 10/s and 2 Mbit/s each, 2 by default.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <iostream>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;
using Stopwatch = std::chrono::steady_clock;

double seconds_since(Stopwatch::time_point begin) {
  return std::chrono::duration<double>(Stopwatch::now() - begin).count();
}

TEST_CASE("the time to build an index of large recordings again", "[.][measure]") {
  const char* const text = std::getenv("SEALCAM_MEASURE_FILES");
  const int files = text != nullptr ? std::atoi(text) : 2;
  RecordingScene scene;
  auto stream = scene.begin();
  for (int file = 0; file < files; ++file) {
    for (int group = 0; group < 280; ++group) {
      for (int i = 0; i < 10; ++i)
        scene.record(stream, i == 0 ? key : delta, i == 0 ? 100'000 : 17'000, group % 40 < 2 && i > 0);
      scene.pictures.clear();
    }
    scene.clock.advance(30s);
  }
  scene.core->end_all(EndReason::stopped);
  std::uint64_t bytes = 0;
  for (const auto& file : scene.files()) bytes += file.bytes;
  const auto before = must(scene.archive().motion(scene.camera.id(), RecordingScene::all, 1000));
  scene.core.reset();
  scene.index.reset();
  must(Index::delete_files(scene.state / "recordings.db"));
  scene.index = must(Index::open(scene.state / "recordings.db"));
  scene.core = std::make_unique<RecorderCore>(
      scene.config, RecorderDependencies{*scene.index, *scene.keys, scene.hub.keys().identity, scene.owner.account(),
                                         scene.clock, scene.log});
  auto begin = Stopwatch::now();
  scene.core->start();
  while (must(scene.index->usage()).files < scene.files().size()) (void)scene.core->tick();
  const auto built = seconds_since(begin);
  begin = Stopwatch::now();
  scene.work();
  const auto scanned = seconds_since(begin);
  CHECK(must(scene.archive().motion(scene.camera.id(), RecordingScene::all, 1000)) == before);
  const auto scale = static_cast<double>(std::uint64_t{10} << 30) / static_cast<double>(bytes);
  std::cout << scene.files().size() << " files, " << bytes / 1'000'000 << " MB: index " << built << " s, motion "
            << scanned << " s; scaled to 10 GiB: index " << built * scale << " s, motion " << scanned * scale << " s; "
            << before.size() << " events\n";
}

}  // namespace
}  // namespace sealcam::recordings
