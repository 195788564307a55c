// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder_core.hpp"

#include <sys/resource.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <random>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
constexpr auto key = protocol::FrameKind::key, delta = protocol::FrameKind::delta;

TEST_CASE("recorded frames are in the file as they arrived, and open to the same pictures") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 4);
  scene.core->end_all(EndReason::stopped);
  REQUIRE(scene.files().size() == 1);
  CHECK(scene.read() == scene.pictures);
  const auto report = scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.frames == 20);
  CHECK(report.lost_frames == 0);
  CHECK(report.without_receipt == 0);
  // At most 1 % more than arrived would need larger pictures; the fixed part is what can be checked here.
  const auto frames = 20 * (300 + 32 + 16 + 12 + 110);
  CHECK(report.bytes < static_cast<std::uint64_t>(frames) + 4000);
  const auto status = scene.core->status();
  CHECK(status.fault == RecorderFault::none);
  CHECK(status.stored_frames == 20);
  CHECK(status.files == 1);
}

TEST_CASE("a file ends at a key frame before five minutes, and no frame is lost between two files") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 70; ++i) {  // 350 s
    scene.group(stream);
    scene.clock.advance(4500ms);
  }
  scene.core->end_all(EndReason::stopped);
  REQUIRE(scene.files().size() == 2);
  const auto facts = must(scene.index->files(scene.camera.id(), RecordingScene::all));
  REQUIRE(facts.size() == 2);
  CHECK(facts[0].reason == EndReason::full);
  CHECK(facts[1].reason == EndReason::stopped);
  CHECK(facts[0].number.next() == facts[1].number);
  CHECK(facts[0].time.end.since_epoch - facts[0].time.begin.since_epoch <= max_file_time);
  CHECK(scene.read() == scene.pictures);
  const auto report = scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.gaps.empty());
}

TEST_CASE("a step of the wall clock, a pause and another epoch begin a file") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.group(stream);
  SECTION("back") { scene.clock.step_wall(-1h); }
  SECTION("forward") { scene.clock.step_wall(24h); }
  SECTION("a pause") { scene.clock.advance(11s); }
  SECTION("an epoch") { stream = scene.begin(101); }
  scene.group(stream);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.files().size() == 2);
  CHECK(scene.verify().faults.empty());
  CHECK(scene.verify().frames == 10);
}

TEST_CASE("lost frames are gaps, and frames that are not stored are none") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.group(stream);   // 0 to 4
  scene.report(stream);  // 5
  scene.group(stream);   // 6 to 10
  scene.lose(stream);    // 11
  scene.lose(stream);    // 12
  scene.group(stream);   // 13 to 17
  scene.core->end_all(EndReason::stopped);
  const auto gaps = must(scene.archive().timeline(scene.camera.id(), RecordingScene::all)).gaps;
  REQUIRE(gaps.size() == 1);
  CHECK(gaps[0].first == Counter(11));
  CHECK(gaps[0].frames == 2);
  CHECK(gaps[0].epoch == stream.keys.epoch);
  CHECK(scene.verify().lost_frames == 2);
  CHECK(scene.verify().faults.empty());

  SECTION("also at the border of two files") {
    scene.groups(stream, 10);
    scene.clock.advance(300s);
    scene.lose(stream);
    scene.group(stream);
    scene.core->end_all(EndReason::stopped);
    CHECK(scene.verify().lost_frames == 3);
  }
  SECTION("an interrupted file keeps the counters of frames that are not stored") {
    scene.report(stream);
    scene.group(stream);
    scene.group(stream);
    scene.restart();
    CHECK(scene.verify().lost_frames == 2);
  }
}

TEST_CASE("after a kill at any moment, at most the last group is missing") {
  std::mt19937 random(42);
  for (int round = 0; round < 6; ++round) {
    RecordingScene scene;
    auto stream = scene.begin();
    const auto frames = 1 + random() % 60;
    for (unsigned i = 0; i < frames; ++i) scene.record(stream, i % 7 == 0 ? key : delta);
    scene.restart();
    CAPTURE(round, frames);
    const auto found = scene.read();
    REQUIRE(found.size() <= frames);
    CHECK(frames - found.size() <= 7);
    CHECK(std::equal(found.begin(), found.end(), scene.pictures.begin()));
    const auto report = scene.verify();
    CHECK(report.faults.empty());
    CHECK(report.without_receipt == 0);
    // The recorder continues.
    scene.groups(stream, 2);
    scene.core->end_all(EndReason::stopped);
    CHECK(scene.read().size() == found.size() + 10);
    CHECK(scene.verify().faults.empty());
  }
}

TEST_CASE("a large file is completed in steps, with the same result, and frames are recorded meanwhile") {
  RecordingScene scene;
  auto stream = scene.begin();
  for (int i = 0; i < 20; ++i) scene.record(stream, i % 5 == 0 ? key : delta, 1'000'000);
  scene.core.reset();
  const auto content = RecordingScene::content(scene.path());
  REQUIRE(content.size() > 2 * FileCompletion::step_bytes);
  std::vector<Bytes> results;
  for (const std::uint64_t step : {std::uint64_t{1}, FileCompletion::step_bytes, UINT64_MAX}) {
    RecordingScene::write(scene.path(), content);
    FileInspector inspector(scene.owner.account());
    FileCompletion completion(scene.folder, scene.files()[0].file, inspector, scene.hub.keys().identity);
    int steps = 1;
    while (!must(completion.step(step))) ++steps;
    CHECK((steps > 20) == (step == 1));
    CHECK((steps <= 3) == (step == UINT64_MAX));
    CHECK(completion.facts());
    results.push_back(RecordingScene::content(scene.path()));
    results.back().resize(results.back().size() - 68);  // the signature is random
    CHECK(results.back() == results.front());
  }
  RecordingScene::write(scene.path(), content);
  scene.core = std::make_unique<RecorderCore>(
      scene.config, RecorderDependencies{*scene.index, *scene.keys, scene.hub.keys().identity, scene.owner.account(),
                                         scene.clock, scene.log});
  scene.core->start();
  CHECK(scene.core->tick());
  CHECK(scene.core->tick());
  CHECK(scene.verify().without_receipt == 1);
  scene.group(stream);
  scene.work();
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.verify().without_receipt == 0);
  CHECK(scene.verify().faults.empty());
}

TEST_CASE("a power cut at any byte leaves a folder that can be read") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 5);
  REQUIRE(scene.files().size() == 1);
  scene.groups(stream, 1);  // makes the group before durable
  const auto file = scene.path();
  const auto whole = RecordingScene::content(file);
  std::size_t header = 0;
  (void)must(decode_header(whole, header));
  std::mt19937 random(7);
  std::vector<std::size_t> cuts{0, 1, header - 1, header, header + 1, whole.size() - 1};
  for (int i = 0; i < 20; ++i) cuts.push_back(random() % whole.size());
  std::size_t before = 0;
  std::ranges::sort(cuts);
  for (const auto cut : cuts) {
    CAPTURE(cut);
    scene.core.reset();
    auto content = Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut));
    if (cut % 2 == 1) content.resize(cut + 50);  // blocks that were never written
    RecordingScene::write(file, content);
    scene.restart();
    const auto found = scene.read();
    CHECK(found.size() >= before);
    before = found.size();
    CHECK(std::equal(found.begin(), found.end(), scene.pictures.begin()));
    CHECK(scene.verify().faults.empty());
    CHECK(scene.files().size() == (found.empty() ? 0 : 1));
  }
  CHECK(before >= 20);
}

TEST_CASE("the quota deletes whole files, the oldest first, and keys that no file needs") {
  RecordingScene scene;
  scene.config.quota = 40'000;
  scene.restart();
  std::vector<Epoch> epochs;
  for (std::uint64_t number = 100; number < 110; ++number) {
    auto stream = scene.begin(number);
    epochs.push_back(stream.keys.epoch);
    scene.groups(stream, 4);
  }
  scene.core->end_all(EndReason::stopped);
  std::uint64_t bytes = 0;
  for (const auto& file : scene.files()) bytes += file.bytes;
  CHECK(bytes <= 40'000);
  CHECK(bytes > 20'000);
  const auto found = scene.read();
  REQUIRE_FALSE(found.empty());
  CHECK(std::equal(found.rbegin(), found.rend(), scene.pictures.rbegin()));
  CHECK_FALSE(scene.keys->contains(scene.camera.id(), epochs.front()));
  CHECK(scene.keys->contains(scene.camera.id(), epochs.back()));
  CHECK(scene.core->status().deleted_files > 0);
  for (const auto& fault : scene.verify().faults) CHECK(fault.kind == FaultKind::missing_files);
}

TEST_CASE("old files are deleted by their age, and a wrong clock deletes at most what a day makes old") {
  RecordingScene scene;
  scene.config.max_age = std::chrono::days(3);
  scene.restart();
  for (std::uint64_t day = 0; day < 6; ++day) {
    auto stream = scene.begin(100 + day);
    scene.group(stream);
    scene.core->end_all(EndReason::stopped);
    scene.clock.advance(23h);
  }
  scene.work();
  CHECK(scene.files().size() == 3);
  scene.clock.step_wall(24h * 3650);
  scene.clock.advance(2min);
  scene.work();
  CHECK(scene.files().size() == 3);
  auto wrong = scene.begin(200);
  scene.group(wrong);
  scene.core->end_all(EndReason::stopped);
  scene.clock.advance(2min);
  scene.work();
  CHECK(scene.files().size() == 4);
  scene.clock.advance(25h);
  scene.work();
  CHECK(scene.files().size() == 1);
}

// The disk is filled by another program, which must not decide about the recordings: recorder_space_test.cpp.
TEST_CASE("a full disk stops recording after one old file, is reported, and recording begins again") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 3);
  scene.core->end_all(EndReason::stopped);
  REQUIRE(scene.files().size() == 1);
  scene.config.reserve = std::uint64_t{1} << 60;
  scene.restart();
  scene.group(stream);
  CHECK(scene.files().empty());
  CHECK(scene.core->status().fault == RecorderFault::full);
  CHECK(scene.core->status().dropped_frames == 5);
  CHECK(scene.core->status().fault_since);
  CHECK(scene.log.contains("not recording (full)"));
  scene.config.reserve = 0;
  scene.restart();
  scene.groups(stream, 2);
  CHECK(scene.core->status().fault == RecorderFault::none);
  CHECK(scene.core->status().stored_frames == 10);
}

TEST_CASE("a disk that fails in the middle of a file loses one group, and recording continues at a key frame") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 3);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const rlimit limit{.rlim_cur = 100, .rlim_max = old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  scene.groups(stream, 3);
  const auto during = scene.core->status();
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, before);
  CHECK(during.fault == RecorderFault::io);
  CHECK(during.dropped_frames > 0);
  scene.clock.advance(RecorderCore::retry_time);
  scene.record(stream, delta);
  scene.groups(stream, 3);
  scene.work();
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.core->status().fault == RecorderFault::none);
  CHECK(scene.files().size() == 2);
  const auto report = scene.verify();
  CHECK(report.faults.empty());
  CHECK(report.frames >= 10 + 15);
  CHECK(report.lost_frames == 46 - report.frames);
}

TEST_CASE("a folder that is missing, or another one in its place, stops recording until it is back") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  const auto away = scene.disk.path() / "away";
  std::filesystem::rename(scene.folder, away);
  scene.group(stream);
  CHECK(scene.core->status().fault == RecorderFault::missing);
  std::filesystem::create_directory(scene.folder);
  scene.clock.advance(RecorderCore::retry_time);
  scene.group(stream);
  CHECK(scene.core->status().fault == RecorderFault::missing);
  CHECK(scene.files().empty());
  std::filesystem::remove(scene.folder);
  std::filesystem::rename(away, scene.folder);
  scene.clock.advance(RecorderCore::retry_time);
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.core->status().fault == RecorderFault::none);
  CHECK(scene.verify().frames == 20);
}

TEST_CASE("the range of a deletion removes each file that it touches, also the one that is being written") {
  RecordingScene scene;
  auto stream = scene.begin();
  scene.groups(stream, 2);
  scene.clock.advance(20s);
  const auto middle = scene.clock.wall();
  scene.groups(stream, 2);
  const auto end = scene.clock.wall();
  const auto erased = must(scene.core->erase(scene.camera.id(), {middle, end}));
  CHECK(erased.files == 1);
  CHECK(erased.bytes > 0);
  CHECK(erased.time.begin >= middle);
  CHECK(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  CHECK(scene.read().size() == 10);
  CHECK(must(scene.core->erase(scene.camera.id(), RecordingScene::all)).files == 1);
  CHECK(scene.files().empty());
  CHECK_FALSE(scene.keys->contains(scene.camera.id(), stream.keys.epoch));
  CHECK(must(scene.core->erase(scene.camera.id(), RecordingScene::all)).files == 0);
  // The epoch continues, and its key is stored again.
  scene.groups(stream, 2);
  scene.core->end_all(EndReason::stopped);
  CHECK(scene.read().size() == 10);
}

TEST_CASE("files of another account or camera are not touched") {
  RecordingScene scene, other;
  auto stream = scene.begin(), strange = other.begin();
  scene.group(stream);
  other.group(strange);
  scene.core->end_all(EndReason::stopped);
  other.core->end_all(EndReason::stopped);
  const auto name = other.files()[0].file;
  std::filesystem::create_directories(scene.folder / name.camera.to_string() / name.day);
  std::filesystem::copy_file(other.path(), name.below(scene.folder));
  const auto in_place = scene.files()[0].file;
  std::filesystem::copy_file(other.path(),
                             scene.folder / in_place.camera.to_string() / in_place.day / "00-00-00.000.seal");
  scene.restart();
  CHECK(scene.files().size() == 3);
  CHECK(must(scene.index->cameras()) == std::vector{scene.camera.id()});
  CHECK(scene.read().size() == 5);
  CHECK(scene.verify().faults.size() >= 2);
}

}  // namespace
}  // namespace sealcam::recordings
