// SPDX-License-Identifier: Apache-2.0
#include "recordings/index.hpp"

#include <catch2/catch_test_macros.hpp>
#include <random>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;

/// A folder with files of several epochs, and its index.
struct Recorded : RecordingScene {
  Recorded() {
    for (std::uint64_t number = 100; number < 105; ++number) {
      auto stream = begin(number);
      groups(stream, 2);
      lose(stream);
      groups(stream, 2);
    }
    core->end_all(EndReason::stopped);
  }
  [[nodiscard]] std::string described() {
    std::string text;
    for (const auto& file : must(index->files(camera.id(), all)))
      text += file.file.name + " " + std::to_string(file.number.value()) + " " + std::to_string(file.bytes) + " " +
              std::string(name(file.reason)) + " " + std::to_string(file.time.end.since_epoch.count()) + "\n";
    for (const auto& gap : must(index->gaps(camera.id(), all)))
      text += std::to_string(gap.time.begin.since_epoch.count()) + " " +
              std::to_string(gap.time.end.since_epoch.count()) + " " + std::to_string(gap.first.value()) + " " +
              std::to_string(gap.frames) + "\n";
    return text;
  }
};

TEST_CASE("an index that was deleted is built again from the files, with the same content") {
  Recorded scene;
  const auto before = scene.described();
  CHECK(std::ranges::count(before, '\n') == 10);
  scene.core.reset();
  scene.index.reset();
  must(Index::delete_files(scene.state / "recordings.db"));
  scene.restart();
  CHECK(scene.described() == before);
  CHECK(scene.core->status().files == 5);
  // The numbers of files continue.
  auto stream = scene.begin(200);
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.verify().faults.empty());
}

TEST_CASE("a damaged index is detected, or harmless, and recording continues") {
  Recorded scene;
  const auto before = scene.described();
  scene.core.reset();
  scene.index.reset();
  const auto file = scene.state / "recordings.db";
  const auto whole = RecordingScene::content(file);
  std::mt19937 random(5);
  for (int round = 0; round < 8; ++round) {
    CAPTURE(round);
    auto damaged = whole;
    if (round % 5 == 0) damaged.resize(random() % damaged.size());
    for (int i = 0; i < 20 && !damaged.empty(); ++i) damaged[random() % damaged.size()] ^= std::byte{0x55};
    must(Index::delete_files(file));
    RecordingScene::write(file, damaged);
    scene.restart();
    auto stream = scene.begin(300 + static_cast<std::uint64_t>(round));
    scene.groups(stream, 2);
    scene.core->end_all(EndReason::stopped);
    CHECK(scene.core->status().fault == RecorderFault::none);
    scene.core.reset();
    scene.index.reset();
  }
  must(Index::delete_files(file));
  scene.restart();
  CHECK(scene.described().starts_with(before.substr(0, before.find('\n'))));
}

TEST_CASE("an index of another version, or that is no database, is malformed") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "recordings.db";
  RecordingScene::write(path, as_bytes(std::string(5000, 'x')));
  CHECK(Index::open(path).error().code == Errc::malformed);
  CHECK(Index::open(folder.path() / "no such folder" / "x").error().code == Errc::io);
  must(Index::delete_files(path));
  must(Index::delete_files(path));
  CHECK(Index::open(path));
}

TEST_CASE("the index finds files by time, and the oldest complete one") {
  const auto index = must(Index::open_in_memory());
  const test::Actor camera;
  const auto file = [&](int minute, EndReason reason) {
    const CaptureTime begin{1'790'000'000s + std::chrono::minutes(minute)};
    return IndexedFile{.file = {camera.id(), day_name(begin), file_name(begin)},
                       .number = FileNumber(static_cast<std::uint64_t>(minute) + 1),
                       .epoch = Epoch(UINT64_MAX - 5),
                       .time = {begin, {begin.since_epoch + 5min}},
                       .bytes = 1000,
                       .reason = reason};
  };
  must(index->put({file(0, EndReason::open), {}, {}}));
  must(index->put({file(10, EndReason::full), {}, {}}));
  must(index->put({file(20, EndReason::full), {}, {}}));
  must(index->put({file(20, EndReason::stopped), {}, {}}));
  const auto at = [](int minute) { return CaptureTime{1'790'000'000s + std::chrono::minutes(minute)}; };
  CHECK(must(index->files(camera.id(), {at(6), at(9)})).empty());
  CHECK(must(index->files(camera.id(), {at(4), at(11)})).size() == 2);
  CHECK(must(index->at_or_before(camera.id(), at(19)))->number == FileNumber(11));
  CHECK_FALSE(must(index->at_or_before(camera.id(), at(-1))));
  CHECK(must(index->oldest())->number == FileNumber(11));
  CHECK(must(index->newest()) == at(25));
  CHECK(must(index->usage()).files == 2);
  CHECK(must(index->usage()).bytes == 2000);
  CHECK(must(index->files_of_epoch(camera.id(), Epoch(UINT64_MAX - 5))) == 3);
  CHECK(must(index->max_number(camera.id())) == FileNumber(21));
  must(index->remove(file(20, EndReason::full).file));
  CHECK(must(index->usage()).files == 1);
  must(index->rebuild());
  CHECK(must(index->cameras()).empty());
}

}  // namespace
}  // namespace sealcam::recordings
