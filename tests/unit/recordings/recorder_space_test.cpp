// SPDX-License-Identifier: Apache-2.0
/// Deletion and keys: what the recorder keeps when the index or the clock is wrong.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "unit/recordings/space_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::record_file;
using test::RecordingScene;
using test::start;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

TEST_CASE("while the index is built again, nothing is deleted for space or age, and no key of a file is lost") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 4; ++i) {
    record_file(scene, stream);
    scene.clock.advance(20s);
  }
  REQUIRE(scene.files().size() == 4);
  scene.core.reset();
  must(scene.index->rebuild());
  SECTION("with the quota") { scene.config.quota = 1; }
  SECTION("with the reserve") { scene.config.reserve = std::uint64_t{1} << 60; }
  SECTION("with the age") {
    scene.config.max_age = std::chrono::days(1);
    scene.clock.advance(72h);
  }
  start(scene);
  for (int i = 0; i < 3; ++i) {
    CHECK(scene.core->tick());
    CHECK(scene.files().size() == 4);
    CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  }
}

TEST_CASE("a deletion during the rebuild of the index keeps the key that other files need, and removes it at the end") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  scene.clock.advance(20s);
  const auto middle = scene.clock.wall();
  record_file(scene, stream);
  scene.core.reset();
  must(scene.index->rebuild());
  start(scene);
  REQUIRE(scene.core->tick());  // the first file is in the index now
  CHECK(must(scene.core->erase(scene.camera.id(), {{}, middle})).files == 1);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  CHECK(scene.read().empty());
  scene.work();
  CHECK(scene.read().size() == 10);
  CHECK(must(scene.core->erase(scene.camera.id(), RecordingScene::all)).files == 1);
  CHECK_FALSE(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
}

TEST_CASE("a deletion also deletes files that are not in the index, and damaged ones") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  scene.clock.advance(20s);
  auto damaged = RecordingScene::content(scene.path());
  damaged[damaged.size() / 2] ^= std::byte{1};
  damaged.resize(damaged.size() - 8);
  damaged.insert(damaged.end(), std::size_t{65} << 20, std::byte{0});  // more than a power cut explains
  const auto name = scene.files()[0].file;
  std::filesystem::copy_file(scene.path(), scene.path().parent_path() / "00-00-00.000.seal");
  RecordingScene::write(scene.path(), damaged);
  record_file(scene, stream);
  SECTION("after the rebuild") {
    scene.core.reset();
    must(scene.index->rebuild());
    scene.restart();
    CHECK(scene.log.contains("check the folder with"));
  }
  SECTION("before it") {
    scene.core.reset();
    must(scene.index->rebuild());
    start(scene);
  }
  REQUIRE(scene.files().size() == 3);
  (void)must(scene.core->erase(scene.camera.id(), RecordingScene::all));
  CHECK(scene.files().empty());
  CHECK_FALSE(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  scene.restart();
  CHECK(scene.files().empty());
  CHECK(scene.read().empty());
}

TEST_CASE("a damaged file becomes old by the time of its name") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  auto content = RecordingScene::content(scene.path());
  content[20] ^= std::byte{1};
  RecordingScene::write(scene.path(), content);
  scene.config.max_age = std::chrono::days(2);
  scene.core.reset();
  must(scene.index->rebuild());
  scene.restart();
  REQUIRE(scene.files().size() == 1);
  scene.clock.advance(60h);
  auto other = scene.begin(101);
  record_file(scene, other);
  scene.clock.advance(2min);
  scene.work();
  REQUIRE(scene.files().size() == 1);
  CHECK(scene.read().size() == 10);
}

TEST_CASE("the last pictures before a camera is silent are durable after four seconds, and their file ends") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.group(stream);
  scene.work();
  CHECK(scene.read().empty());  // in memory
  scene.group(stream);
  scene.clock.step_monotonic(4500ms);  // less than the interval of the index
  scene.work();
  CHECK(scene.read() == scene.pictures);
  auto facts = must(scene.index->files(scene.camera.id(), RecordingScene::all));
  REQUIRE(facts.size() == 1);
  CHECK(facts[0].reason == EndReason::open);
  scene.clock.step_monotonic(6s);
  scene.work();
  facts = must(scene.index->files(scene.camera.id(), RecordingScene::all));
  REQUIRE(facts.size() == 1);
  CHECK(facts[0].reason == EndReason::full);
  CHECK(scene.verify().without_receipt == 0);
  // Frames that were lost in the pause are a gap.
  scene.lose(stream);
  scene.group(stream);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.verify().lost_frames == 1);
  CHECK(scene.verify().faults.empty());
}

TEST_CASE("a program that fills the disk deletes at most as much as the hub wrote") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 8; ++j) scene.record(stream, j == 0 ? key : delta, 500'000);
    scene.core->end_all(EndReason::stopped);
    scene.clock.advance(20s);
  }
  scene.config.reserve = std::uint64_t{1} << 60;
  scene.restart();
  CHECK(scene.files().size() == 5);  // one file at the start
  const auto wait = [&](int minutes) {
    for (int i = 0; i < minutes; ++i) {
      scene.group(stream);
      scene.clock.advance(61s);
      scene.work();
    }
  };
  wait(3);
  CHECK(scene.files().size() == 5);
  CHECK(scene.core->status().fault == RecorderFault::full);
  // 4 MB are one file, so that the hub records again at some time if the other program needs the space.
  wait(3);
  CHECK(scene.files().size() == 4);
  CHECK(scene.core->status().fault == RecorderFault::full);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
}

TEST_CASE("while the clock is behind, the files from before are deleted first, and new ones are not old") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 3; ++i) {
    record_file(scene, stream);
    scene.clock.advance(20s);
  }
  scene.clock.step_wall(-24h * 365 * 20);
  record_file(scene, stream);
  SECTION("for the quota") {
    scene.config.quota = 6000;
    scene.restart();
    CHECK(scene.core->status().deleted_files > 0);
  }
  SECTION("for the age, after the clock was set") {
    scene.config.max_age = std::chrono::days(2);
    scene.clock.step_wall(24h * 365 * 20);
    scene.restart();
    CHECK(scene.files().size() == 4);
    scene.clock.advance(72h);
    auto next = scene.begin(101);
    record_file(scene, next);
    scene.clock.advance(2min);
    scene.work();
  }
  const auto found = scene.read();
  REQUIRE_FALSE(found.empty());
  CHECK(std::ranges::contains(found, scene.pictures.back()));
}

TEST_CASE("a camera with much content does not delete the recordings of the others") {
  RecordingScene scene;
  auto quiet = scene.begin();
  record_file(scene, quiet);
  test::Actor second;
  const auto route = test::route_of(scene.owner, second);
  test::StreamBuilder builder(route, second);
  auto loud = scene.begin(builder, route, second, 100);
  scene.config.quota = 100'000;
  scene.restart();
  const auto content = Bytes(20'000, std::byte{5});
  for (std::uint32_t i = 1; i < 60; ++i) {
    scene.clock.advance(20s);
    const auto message =
        builder.frame(loud.keys, key, {.number = i, .captured = scene.clock.wall(), .content = content});
    scene.core->add(loud.epoch, key, must(protocol::parse_frame(message)).counter, message, scene.clock.wall());
    scene.work();
  }
  scene.core->end_all(EndReason::stopped);
  scene.work();
  CHECK(scene.core->status().deleted_files > 40);
  CHECK(scene.read().size() == 10);
  CHECK(must(scene.index->files(second.id(), RecordingScene::all)).size() >= 3);
}

TEST_CASE("a smaller quota deletes some files in each step, because frames wait meanwhile") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 50; ++i) {
    scene.group(stream, 1);
    scene.core->end_all(EndReason::stopped);
    scene.clock.advance(20s);
  }
  scene.config.quota = 1;
  scene.core.reset();
  start(scene);
  CHECK(scene.core->tick());
  CHECK(scene.files().size() == 50 - RecorderCore::max_deletions);
  scene.work();
  CHECK(scene.files().empty());
}

TEST_CASE("an index that cannot be written is reported until it can, and recording continues") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.core.reset();
  scene.index.reset();
  // A folder is in the place of the database, so that it cannot be made again.
  const auto path = scene.state / "recordings.db";
  scene.index = must(Index::open(path));
  must(Index::delete_files(path));
  std::filesystem::create_directory(path);
  CHECK_FALSE(scene.index->rebuild());
  start(scene);
  for (int i = 0; i < 10; ++i) {
    scene.groups(stream, 2);
    CHECK(scene.core->status().fault == RecorderFault::index);
    (void)scene.core->tick();
  }
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.core->status().dropped_frames == 0);
  CHECK(scene.core->status().fault == RecorderFault::index);
  std::filesystem::remove(path);
  scene.clock.advance(2min);
  scene.work();
  CHECK(scene.core->status().fault == RecorderFault::none);
  CHECK(scene.read() == scene.pictures);
}

TEST_CASE("the number of a file is new although the index is new and the clock was behind") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  scene.clock.step_wall(-24h);
  record_file(scene, stream);
  record_file(scene, stream);
  scene.core.reset();
  must(scene.index->rebuild());
  start(scene);
  record_file(scene, stream);
  scene.work();
  CHECK(scene.files().size() == 4);
  CHECK(scene.verify().faults.empty());
}

/// A second passes between two looks at the clock, so that the listing of a folder ends after each step.
class SlowDisk final : public Clock {
 public:
  explicit SlowDisk(FakeClock& clock) : clock_(clock) {}
  [[nodiscard]] MonotonicTime monotonic() const override {
    clock_.step_monotonic(1s);
    return clock_.monotonic();
  }
  [[nodiscard]] BootTime boot() const override { return clock_.boot(); }
  [[nodiscard]] CaptureTime wall() const override { return clock_.wall(); }

 private:
  FakeClock& clock_;
};

TEST_CASE("the first file of a start reads no file that is in the index, because the folder may be on a slow disk") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  record_file(scene, stream);
  scene.work();
  const bool indexed = GENERATE(true, false);
  scene.core.reset();
  if (!indexed) must(scene.index->rebuild());
  // A reader sees this number, and a program that trusts the index does not.
  auto other = RecordingScene::content(scene.path(1));
  std::size_t size = 0;
  auto header = must(decode_header(other, size));
  header.number = FileNumber(500);
  RecordingScene::write(scene.path(1), encode_header(header));
  const SlowDisk clock(scene.clock);
  scene.core = std::make_unique<RecorderCore>(
      scene.config, RecorderDependencies{*scene.index, *scene.keys, scene.hub.keys().identity, scene.owner.account(),
                                         clock, scene.log});
  scene.core->start();
  record_file(scene, stream);
  const auto file = must(RecordingFile::open(scene.path(2)));
  CHECK(must(file.read_header()).header.number == FileNumber(indexed ? 3 : 501));
}

TEST_CASE("another hub with a copy of recordings and keys reads the recordings, and continues them") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  scene.core.reset();
  std::filesystem::create_directories(scene.disk.path() / "other");
  std::filesystem::copy(scene.state / "recording-keys", scene.disk.path() / "other/recording-keys",
                        std::filesystem::copy_options::recursive);
  std::filesystem::rename(scene.folder, scene.disk.path() / "copied");
  scene.folder = scene.config.folder = scene.disk.path() / "copied";
  scene.state = scene.disk.path() / "other";
  scene.hub = test::Actor();
  scene.restart();
  CHECK(scene.read() == scene.pictures);
  auto next = scene.begin(101);
  record_file(scene, next);
  CHECK(scene.read() == scene.pictures);
  CHECK(scene.verify().faults.empty());
}

TEST_CASE("a camera records by the time that passes, not by the wall clock") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.core->set_modes({{scene.camera.id(), Mode::continuous}});
  scene.group(stream);
  CHECK(scene.core->status().cameras.at(0).recording);
  scene.clock.step_wall(-5h);
  scene.clock.advance(11s);
  CHECK_FALSE(scene.core->status().cameras.at(0).recording);
}

TEST_CASE("a file ends before its receipt has more ranges than a reader accepts, also without a key frame") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.group(stream);
  for (std::uint64_t i = 0; i < 2 * max_ranges; ++i) scene.core->leave_out(*stream.epoch, Counter(1000 + 2 * i));
  for (int i = 0; i < 3; ++i) scene.record(stream, delta);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.files().size() == 2);
  CHECK(scene.verify().faults.empty());
  CHECK(scene.verify().without_receipt == 0);
}

}  // namespace
}  // namespace sealcam::recordings
