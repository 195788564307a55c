// SPDX-License-Identifier: Apache-2.0
// Motion in recordings: spans, the index, and an index that is built from the files.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "recordings/file_archive.hpp"
#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

CaptureTime at(std::chrono::milliseconds time) { return {1'790'000'000s + time}; }

struct MotionScene : RecordingScene {
  std::vector<Motion> motion(const TimeRange& range = all, std::size_t limit = 100) {
    return must(archive().motion(camera.id(), range, limit));
  }
  /// Ten pictures: a key frame, and deltas of which some have the mark.
  void ten(test::RecordedStream& stream, int first, int last) {
    for (int i = 0; i < 10; ++i)
      record(stream, i == 0 ? key : delta, i == 0 ? 5000 : 300 + static_cast<std::size_t>(i) * 10,
             first <= i && i <= last);
  }
  void build_index_again() {
    core.reset();
    index.reset();
    must(Index::delete_files(state / "recordings.db"));
    restart();
  }
};

TEST_CASE("pictures with motion are one event until ten seconds pass without motion") {
  MotionSpans spans;
  spans.add(at(0s), true, 90'000);
  spans.add(at(5s), false, 200);
  spans.add(at(15s), false, 700);
  spans.add(at(16s), false, 600);
  spans.add(at(26001ms), false, 100);
  REQUIRE(spans.spans().size() == 2);
  CHECK(spans.spans()[0] == Motion{at(0s), at(16s), at(15s), 700});  // a key frame is no peak
  CHECK(spans.spans()[1] == Motion{at(26001ms), at(26001ms), at(26001ms), 100});
}

TEST_CASE("times of any 64 bits do not overflow") {
  constexpr CaptureTime min{std::chrono::microseconds::min()}, max{std::chrono::microseconds::max()};
  MotionSpans spans;
  spans.add(Motion{min, min, min, 1});
  spans.add(Motion{max, max, max, 1});
  CHECK(spans.spans().size() == 2);
  PicturePlaces places;
  places.begin_group(at(0s));
  CHECK(places.place(min, std::nullopt) == at(0s));
  CHECK(places.place(max, std::nullopt) == at(0s));
  places.begin_group(at(1s));
  CHECK(places.place(max, std::nullopt) == at(1s));
  CHECK(places.place(min, std::nullopt) == at(1s));
  MotionScene scene;
  CHECK(scene.motion({min, max}).empty());
}

TEST_CASE("the archive has the events of recorded pictures, and the peak is the picture that it opens") {
  MotionScene scene;
  scene.camera_ahead = GENERATE_COPY(std::chrono::microseconds(0), std::chrono::microseconds(5h));
  auto stream = scene.begin();
  scene.ten(stream, 20, 20);
  scene.ten(stream, 4, 7);
  const auto end = scene.clock.wall();
  for (int i = 0; i < 15; ++i) scene.ten(stream, 20, 20);
  scene.ten(stream, 0, 0);
  scene.core->end_all(EndReason::stopped);
  const auto found = scene.motion();
  REQUIRE(found.size() == 2);
  CHECK(found[0].end.since_epoch == end.since_epoch - 200ms);
  CHECK(found[0].begin.since_epoch == end.since_epoch - 500ms);
  CHECK(found[0].peak == found[0].end);  // the largest delta
  CHECK(found[1].begin == found[1].peak);
  const auto moment = must(scene.archive().picture_at(scene.camera.id(), found[0].peak));
  CHECK(moment.facts.motion);
  CHECK(moment.group.back() == scene.pictures[17]);
  CHECK(scene.motion({end, {end.since_epoch + 1s}}).empty());
  CHECK(scene.motion(RecordingScene::all, 1) == std::vector{found[1]});
}

TEST_CASE("motion continues from one file to the next, and is deleted with its file") {
  MotionScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 310; ++i) scene.ten(stream, 0, 9);
  scene.core->end_all(EndReason::stopped);
  REQUIRE(scene.files().size() == 2);
  const auto found = scene.motion();
  REQUIRE(found.size() == 1);
  CHECK(found[0].end.since_epoch - found[0].begin.since_epoch == 309'900ms);
  (void)must(scene.archive().erase(scene.camera.id(), {found[0].begin, {found[0].begin.since_epoch + 1s}}));
  const auto rest = scene.motion();
  REQUIRE(rest.size() == 1);
  CHECK(rest[0].begin.since_epoch - found[0].begin.since_epoch > 200s);
}

TEST_CASE("an index that was deleted gets the same events from the files") {
  MotionScene scene;
  scene.camera_ahead = -3h;
  auto stream = scene.begin();
  for (int i = 0; i < 40; ++i) scene.ten(stream, i % 13 == 0 ? 2 : 20, 5);
  stream = scene.begin(101);
  scene.ten(stream, 3, 3);
  scene.core->end_all(EndReason::stopped);
  const auto before = scene.motion();
  REQUIRE(before.size() == 4);
  scene.build_index_again();
  CHECK(scene.motion() == before);

  SECTION("a group that was altered has no event") {
    auto bytes = RecordingScene::content(scene.path(0));
    bytes[bytes.size() / 2] ^= std::byte{1};  // not in a group with motion
    bytes[8000] ^= std::byte{1};              // in the first group
    RecordingScene::write(scene.path(0), bytes);
    scene.build_index_again();
    const auto after = scene.motion();
    REQUIRE(after.size() == 3);
    CHECK(after.front() == before[1]);
  }
  SECTION("without the keys there are no events, and the files are not scanned again") {
    std::filesystem::remove_all(scene.state / "recording-keys" / scene.camera.id().to_string());
    scene.build_index_again();
    CHECK(scene.motion().empty());
    CHECK_FALSE(must(scene.index->without_motion()));
  }
  SECTION("a receipt of another hub is not sufficient") {
    const auto file = must(scene.index->files(scene.camera.id(), RecordingScene::all)).front().file;
    FileInspector inspector(scene.owner.account());
    const test::Actor other;
    CHECK(scan_motion(scene.folder, inspector, *scene.keys, file, other.id()).error().code == Errc::malformed);
    CHECK(must(scan_motion(scene.folder, inspector, *scene.keys, file, scene.hub.id())).size() == 4);  // the control
  }
}

TEST_CASE("after a kill the events of the interrupted file are found") {
  MotionScene scene;
  auto stream = scene.begin();
  scene.ten(stream, 20, 20);
  scene.ten(stream, 2, 6);
  scene.ten(stream, 20, 20);
  scene.restart();
  const auto found = scene.motion();
  REQUIRE(found.size() == 1);
  CHECK(found[0].end.since_epoch - found[0].begin.since_epoch == 400ms);
}

}  // namespace
}  // namespace sealcam::recordings
