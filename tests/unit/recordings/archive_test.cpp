// SPDX-License-Identifier: Apache-2.0
#include "recordings/archive.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

TEST_CASE("cameras, days and spans describe what was recorded") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.clock.advance(100ms);
  const auto begin = scene.clock.wall();
  scene.groups(stream, 4);
  scene.clock.advance(1h);
  const auto later = scene.clock.wall();
  scene.groups(stream, 4);
  scene.clock.advance(24h);
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::removed);
  auto archive = scene.archive();
  const auto cameras = must(archive.cameras());
  REQUIRE(cameras.size() == 1);
  CHECK(cameras[0].camera == scene.camera.id());
  CHECK(cameras[0].name == "camera 100");
  CHECK(cameras[0].files == 3);
  CHECK(cameras[0].ended == EndReason::removed);
  CHECK(cameras[0].time.begin >= begin);

  const auto days = must(archive.days(scene.camera.id()));
  REQUIRE(days.size() == 2);
  CHECK(days[1].date - days[0].date == std::chrono::days(1));
  CHECK(days[0].recorded == 3800ms);
  CHECK(must(archive.days(scene.hub.id())).empty());

  auto timeline = must(archive.timeline(scene.camera.id(), RecordingScene::all));
  REQUIRE(timeline.spans.size() == 3);
  CHECK(timeline.gaps.empty());
  CHECK(timeline.spans[0].openable);
  timeline = must(archive.timeline(scene.camera.id(), {later, {later.since_epoch + 1h}}));
  CHECK(timeline.spans.size() == 1);
}

TEST_CASE("a reader begins at the key frame before the range and ends with it") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 10);  // 5 s
  scene.core->end_all(EndReason::stopped);
  const auto first = must(scene.archive().cameras())[0].time.begin;
  const TimeRange range{{first.since_epoch + 1200ms}, {first.since_epoch + 2050ms}};
  const auto found = scene.read(Pictures::all, range);
  REQUIRE(found.size() == 11);  // from 1.0 s to 2.0 s
  CHECK(found.front() == scene.pictures[10]);
  CHECK(found.back() == scene.pictures[20]);
  const auto keys = scene.read(Pictures::keys, range);
  REQUIRE(keys.size() == 3);
  CHECK(keys[1] == scene.pictures[15]);
  CHECK(scene.read(Pictures::keys).size() == 10);
}

TEST_CASE("pictures have the hub's time, the camera's time, and their facts") {
  RecordingScene scene;
  auto stream = scene.begin();
  const auto start = scene.clock.wall();
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  auto archive = scene.archive();
  auto reader = must(archive.read(scene.camera.id(), RecordingScene::all));
  for (int i = 1; i <= 10; ++i) {
    const auto picture = must(reader->next());
    REQUIRE(picture);
    CHECK(picture->facts.captured.since_epoch == start.since_epoch + i * 100ms);
    CHECK(picture->facts.at.since_epoch == start.since_epoch + i * 100ms);
    CHECK(picture->facts.width == 1920);
    CHECK(picture->facts.key == (i == 1 || i == 6));
    CHECK(picture->facts.continues == (i != 1));
    CHECK(picture->facts.epoch == stream.keys.epoch);
  }
  CHECK_FALSE(must(reader->next()));
  CHECK_FALSE(must(reader->next()));
}

TEST_CASE("after lost pictures, a reader continues with a key frame") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.record(stream, key);
  scene.record(stream, delta);
  scene.lose(stream);
  scene.record(stream, delta);
  scene.record(stream, delta);
  scene.record(stream, key);
  scene.record(stream, delta);
  scene.core->end_all(EndReason::stopped);
  auto archive = scene.archive();
  auto reader = must(archive.read(scene.camera.id(), RecordingScene::all));
  std::vector<bool> continues;
  while (const auto picture = must(reader->next())) continues.push_back(picture->facts.continues);
  CHECK(continues == std::vector{false, true, false, true});
  CHECK(reader->skipped().undecodable == 2);
  CHECK(reader->skipped().altered == 0);
}

TEST_CASE("the picture at a time is the newest one before it, with the pictures that its decoder needs") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 3);
  scene.clock.advance(1h);
  scene.groups(stream, 1);
  scene.core->end_all(EndReason::stopped);
  auto archive = scene.archive();
  const auto first = must(archive.cameras())[0].time.begin;
  const auto at = [&](std::chrono::microseconds after, Pictures which = Pictures::all) {
    return archive.picture_at(scene.camera.id(), {first.since_epoch + after}, which);
  };
  auto moment = must(at(720ms));
  CHECK(moment.facts.at.since_epoch == first.since_epoch + 700ms);
  CHECK(moment.group == std::vector(scene.pictures.begin() + 5, scene.pictures.begin() + 8));
  moment = must(at(720ms, Pictures::keys));
  CHECK(moment.group == std::vector<Bytes>{scene.pictures[5]});
  moment = must(at(30min));
  CHECK(moment.group == std::vector(scene.pictures.begin() + 10, scene.pictures.begin() + 15));
  CHECK(at(-1ms).error().code == Errc::not_found);
  CHECK(archive.picture_at(scene.hub.id(), first).error().code == Errc::not_found);
}

TEST_CASE("a file that is being written can be read up to its last written group") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 4);
  const auto found = scene.read();
  CHECK(found.size() == 15);
  CHECK(std::equal(found.begin(), found.end(), scene.pictures.begin()));
}

TEST_CASE("recordings without the state folder open no picture; control: with it, all") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 4);
  auto next = scene.begin(101);
  scene.groups(next, 4);
  scene.core->end_all(EndReason::stopped);

  const test::TemporaryFolder thief;
  std::filesystem::copy(scene.folder, thief.path() / "recordings", std::filesystem::copy_options::recursive);
  const auto index = must(Index::open_in_memory());
  must(fill_index(*index, thief.path() / "recordings", scene.owner.account(), scene.log));
  const auto stolen = [&](const KeyFolder* keys) {
    FileArchive archive(thief.path() / "recordings", scene.owner.account(), *index, keys, nullptr);
    std::size_t pictures = 0;
    auto reader = must(archive.read(scene.camera.id(), RecordingScene::all));
    while (must(reader->next())) ++pictures;
    for (const auto& span : must(archive.timeline(scene.camera.id(), RecordingScene::all)).spans)
      CHECK(span.openable == (keys != nullptr && keys->contains(scene.camera.id(), next.keys.epoch)));
    return std::pair(pictures, reader->skipped().no_key);
  };
  CHECK(stolen(nullptr) == std::pair<std::size_t, std::uint64_t>(0, 2));
  // The thief makes a hub with new keys.
  const auto own = must(KeyFolder::open(thief.path() / "recording-keys", KeyFolder::Create::yes));
  CHECK(stolen(&own).first == 0);
  // The wrapped keys alone are not sufficient either.
  std::filesystem::copy(scene.state / "recording-keys" / scene.camera.id().to_string(),
                        thief.path() / "recording-keys" / scene.camera.id().to_string());
  const auto wrapped = must(KeyFolder::open(thief.path() / "recording-keys", KeyFolder::Create::no));
  CHECK(wrapped.load(scene.camera.id(), next.keys.epoch).error().code == Errc::not_decryptable);
  CHECK(stolen(&*scene.keys).first == scene.pictures.size());
}

TEST_CASE("altered pictures are skipped, and all others are shown") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 4);
  scene.core->end_all(EndReason::stopped);
  auto content = RecordingScene::content(scene.path());
  const auto archive_of = [&] { return scene.archive(); };
  // A bit of the third picture of the second group.
  std::size_t at = 0;
  (void)must(decode_header(content, at));
  for (int frames = 0; frames < 7;) {
    const auto head = must(item_head(ByteView(content).subspan(at)));
    frames += head.kind == ItemKind::frame ? 1 : 0;
    at += head.size;
  }
  content[at + 150] ^= std::byte{1};
  RecordingScene::write(scene.path(), content);
  auto archive = archive_of();
  auto reader = must(archive.read(scene.camera.id(), RecordingScene::all));
  std::size_t pictures = 0;
  while (must(reader->next())) ++pictures;
  CHECK(pictures == 17);  // 5 + 2 + 5 + 5
  CHECK(reader->skipped().altered == 1);
  CHECK(reader->skipped().undecodable == 2);
}

TEST_CASE("a moment has a bounded number of pictures and bytes, also without a second key frame") {
  RecordingScene scene;
  auto stream = scene.begin();
  std::size_t pictures = 0, size = 0;
  SECTION("of pictures") {
    size = 20;
    pictures = 600;
  }
  SECTION("of bytes") {
    size = 500'000;
    pictures = 67;
  }
  scene.record(stream, protocol::FrameKind::key, size);
  for (std::size_t i = 0; i < pictures + 10; ++i) scene.record(stream, protocol::FrameKind::delta, size);
  scene.core->end_all(EndReason::stopped);
  const auto moment = must(scene.archive().picture_at(scene.camera.id(), scene.clock.wall()));
  CHECK(moment.group.size() == pictures);
  CHECK(moment.group.back() == scene.pictures[pictures - 1]);
}

TEST_CASE("an archive without a recorder deletes by itself, without the key that a running hub may need") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 2);
  auto newest = scene.begin(101);
  scene.groups(newest, 2);
  scene.core->end_all(EndReason::stopped);
  auto archive = scene.archive();
  auto without_keys = scene.archive(false);
  CHECK(without_keys.erase(scene.camera.id(), RecordingScene::all).error().code == Errc::permission);
  CHECK(must(archive.erase(scene.camera.id(), RecordingScene::all)).files == 2);
  CHECK(scene.files().empty());
  CHECK(must(archive.cameras()).empty());
  CHECK_FALSE(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  CHECK(scene.keys->contains(scene.camera.id(), newest.keys.epoch));
}

TEST_CASE("an archive without a recorder removes no key while a file is not in the index") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  const auto known = scene.files().at(0).file;
  scene.clock.advance(std::chrono::seconds(20));
  scene.groups(stream, 2);
  auto newest = scene.begin(101);
  scene.groups(newest, 2);
  scene.core->end_all(EndReason::stopped);
  for (const auto& file : scene.files())
    if (file.file != known) must(scene.index->remove(file.file));
  CHECK(must(scene.archive().erase(scene.camera.id(), RecordingScene::all)).files == 1);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
}

}  // namespace
}  // namespace sealcam::recordings
