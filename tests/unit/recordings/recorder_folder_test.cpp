// SPDX-License-Identifier: Apache-2.0
/// Damaged files, and a folder of recordings that is missing or another one.
#include <catch2/catch_test_macros.hpp>

#include "unit/recordings/space_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::record_file;
using test::RecordingScene;
using test::start;
using namespace std::chrono_literals;

TEST_CASE("damaged files count in the quota, and the oldest one of all files is deleted first") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 4; ++i) {
    record_file(scene, stream);
    scene.clock.advance(20s);
  }
  const auto each = scene.files()[1].bytes;
  const auto damage = [&](std::size_t file) {
    auto content = RecordingScene::content(scene.path(file));
    content[20] ^= std::byte{1};
    RecordingScene::write(scene.path(file), content);
  };
  damage(1);
  damage(2);
  scene.core.reset();
  must(scene.index->rebuild());
  scene.config.quota = 4 * each + each / 2;
  scene.restart();
  CHECK(scene.files().size() == 4);
  CHECK(scene.core->status().bytes >= 4 * each - 100);
  const auto names = scene.files();
  SECTION("by the time of its name") {
    scene.config.quota = 2 * each + each / 2;
    scene.restart();
    REQUIRE(scene.files().size() == 2);
    CHECK(scene.files()[0].file == names[2].file);
    CHECK(scene.read().size() == 10);
  }
  SECTION("a time in the future is old") {
    const auto from = names[1].file.below(scene.folder);
    std::filesystem::rename(from, from.parent_path() / "23-59-59.999.seal");
    scene.config.quota = 3 * each + each / 2;
    scene.restart();
    CHECK(scene.files().size() == 3);
    CHECK(scene.read().size() == 20);
  }
}

TEST_CASE("without the disk, nothing counts as deleted: keys and index stay") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  const auto away = scene.disk.path() / "away";
  scene.config.max_age = std::chrono::days(1);
  scene.config.quota = 1;
  scene.core.reset();
  start(scene);
  std::filesystem::rename(scene.folder, away);
  SECTION("the folder is missing") {}
  SECTION("an empty folder is in its place") { std::filesystem::create_directory(scene.folder); }
  scene.clock.advance(72h);
  CHECK_FALSE(scene.core->erase(scene.camera.id(), RecordingScene::all));
  scene.work();
  scene.clock.advance(RecorderCore::retry_time);
  scene.group(stream);
  scene.work();
  CHECK(scene.core->status().fault == RecorderFault::missing);
  CHECK(scene.core->status().deleted_files == 0);
  CHECK(must(scene.index->files(scene.camera.id(), RecordingScene::all)).size() == 1);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
}

TEST_CASE("a hub that starts before its disk is mounted records when the disk is there, and loses nothing") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  const auto away = scene.disk.path() / "away";
  scene.core.reset();
  std::filesystem::rename(scene.folder, away);
  std::filesystem::create_directory(scene.folder);
  SECTION("an empty folder") {}
  SECTION("another disk") { RecordingScene::write(scene.folder / ".sealcam-recordings", Bytes(16, std::byte{1})); }
  start(scene);
  scene.work();
  scene.group(stream);
  CHECK(scene.core->status().fault == RecorderFault::missing);
  CHECK(scene.core->status().fault_text.contains("recording-keys/folder"));
  CHECK(must(scene.index->files(scene.camera.id(), RecordingScene::all)).size() == 1);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  CHECK(scene.files().empty());
  SECTION("the disk is mounted") {
    std::filesystem::remove_all(scene.folder);
    std::filesystem::rename(away, scene.folder);
    scene.clock.advance(RecorderCore::retry_time);
    record_file(scene, stream);
    CHECK(scene.core->status().fault == RecorderFault::none);
    CHECK(scene.verify().frames == 20);
  }
  SECTION("a person decides for the other folder") {
    std::filesystem::remove(scene.keys->marker_path());
    scene.clock.advance(RecorderCore::retry_time);
    record_file(scene, stream);
    CHECK(scene.core->status().fault == RecorderFault::none);
    CHECK(scene.verify().frames == 10);
  }
}

TEST_CASE("another folder in the settings is a new one") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  scene.folder = scene.config.folder = scene.disk.path() / "other";
  std::filesystem::create_directory(scene.folder);
  scene.core.reset();
  start(scene);
  record_file(scene, stream);
  CHECK(scene.core->status().fault == RecorderFault::none);
  CHECK(scene.verify().frames == 10);
}

TEST_CASE("recording continues when the same folder is mounted again, by its marker") {
  RecordingScene scene;
  auto stream = scene.begin();
  record_file(scene, stream);
  const auto away = scene.disk.path() / "away";
  std::filesystem::rename(scene.folder, away);
  scene.group(stream);
  REQUIRE(scene.core->status().fault == RecorderFault::missing);
  std::filesystem::copy(away, scene.folder, std::filesystem::copy_options::recursive);  // another inode
  SECTION("the same marker") {
    scene.clock.advance(RecorderCore::retry_time);
    record_file(scene, stream);
    CHECK(scene.core->status().fault == RecorderFault::none);
    CHECK(scene.verify().frames == 20);
  }
  SECTION("another one") {
    RecordingScene::write(scene.folder / ".sealcam-recordings", Bytes(16, std::byte{1}));
    scene.clock.advance(RecorderCore::retry_time);
    scene.group(stream);
    CHECK(scene.core->status().fault == RecorderFault::missing);
  }
}

}  // namespace
}  // namespace sealcam::recordings
