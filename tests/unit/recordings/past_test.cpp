// SPDX-License-Identifier: Apache-2.0
// Frames that a camera kept while it had no broker: each one is filed once, and the gap in the timeline closes.
#include <catch2/catch_test_macros.hpp>
#include <numeric>
#include <random>

#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;
using protocol::FrameKind;
using protocol::PastRange;

struct Kept {
  FrameKind kind;
  Counter counter;
  Bytes message;
  CaptureTime captured;
};

struct PastScene : RecordingScene {
  std::uint32_t number = 1000;

  /// The camera seals frames without a broker, 100 ms apart. Each fifth one is a key frame.
  std::vector<Kept> keep(test::RecordedStream& stream, int count) {
    std::vector<Kept> kept;
    for (int i = 0; i < count; ++i) {
      clock.advance(100ms);
      const auto kind = i % 5 == 0 ? FrameKind::key : FrameKind::delta;
      const auto message = builder.frame(stream.keys, kind, {.number = ++number, .captured = clock.wall()});
      kept.push_back({kind, must(protocol::parse_frame(message)).counter, message, clock.wall()});
    }
    return kept;
  }
  static PastRange range_of(const test::RecordedStream& stream, const std::vector<Kept>& kept) {
    return {stream.epoch->epoch, kept.front().counter, kept.back().counter};
  }
  void deliver(const test::RecordedStream& stream, const Kept& kept) {
    core->add_past(stream.epoch, kept.kind, kept.counter, kept.message, kept.captured, {kept.captured, false});
  }
  [[nodiscard]] std::vector<PastRange> gaps() {
    (void)core->tick();
    return core->past_gaps(camera.id());
  }
  /// How often each message is in the files.
  [[nodiscard]] std::vector<std::size_t> times_filed(const std::vector<Kept>& kept) const {
    Bytes content_of_all;
    for (const auto& file : files()) {
      const auto bytes = content(file.file.below(folder));
      content_of_all.insert(content_of_all.end(), bytes.begin(), bytes.end());
    }
    std::vector<std::size_t> counts;
    for (const auto& one : kept) {
      std::size_t count = 0;
      for (auto at = std::ranges::search(content_of_all, one.message); !at.empty(); ++count)
        at = std::ranges::search(std::ranges::subrange(at.end(), content_of_all.end()), one.message);
      counts.push_back(count);
    }
    return counts;
  }
  void check_once(const std::vector<Kept>& kept) const {
    CHECK(times_filed(kept) == std::vector<std::size_t>(kept.size(), 1));
  }
};

TEST_CASE("frames of an outage within an epoch are filed once, and the gap in the timeline closes") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 4);
  const auto kept = s.keep(stream, 150);
  s.work();  // the camera was silent, so its file ended
  s.groups(stream, 4);
  CHECK(must(s.archive().timeline(s.camera.id(), RecordingScene::all)).spans.size() == 2);
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  CHECK(s.gaps() == std::vector{PastScene::range_of(stream, kept)});
  for (const auto& one : kept) s.deliver(stream, one);
  CHECK(s.gaps().empty());
  for (const auto& one : kept) s.deliver(stream, one);  // again
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
  const auto timeline = must(s.archive().timeline(s.camera.id(), RecordingScene::all));
  CHECK(timeline.spans.size() == 1);
  CHECK(timeline.gaps.empty());
  const auto report = s.verify();
  CHECK(report.faults.empty());
  CHECK(report.gaps.empty());
  CHECK(report.frames == 190);
  CHECK(s.read().size() == 190);
}

TEST_CASE("a report that arrived while no file was open is not requested again, and only one file names it") {
  PastScene s;
  auto stream = s.begin();
  s.group(stream);
  const auto kept = s.keep(stream, 150);
  s.work();
  s.report(stream);
  const PastRange listed{stream.epoch->epoch, kept.front().counter, kept.back().counter.next()};
  s.core->list_past(s.camera.id(), {listed});
  CHECK(s.gaps() == std::vector{PastScene::range_of(stream, kept)});
  for (const auto& one : kept) s.deliver(stream, one);
  s.group(stream);
  s.core->end_all(EndReason::stopped);
  CHECK(s.verify().faults.empty());
}

TEST_CASE("control: without the kept frames, the gap stays") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 4);
  (void)s.keep(stream, 150);
  s.work();
  s.groups(stream, 4);
  s.core->end_all(EndReason::stopped);
  const auto timeline = must(s.archive().timeline(s.camera.id(), RecordingScene::all));
  CHECK(timeline.spans.size() == 2);
  REQUIRE(timeline.gaps.size() == 1);
  CHECK(timeline.gaps[0].frames == 150);
  CHECK(s.verify().lost_frames == 150);
}

TEST_CASE(
    "a tenth of the frames is lost each time, others arrive twice and in another order: all are filed once, in order") {
  PastScene s;
  std::mt19937 random(7);
  auto before = s.begin(100);
  s.groups(before, 4);
  auto outage = s.begin(101);
  const auto kept = s.keep(outage, 400);
  auto after = s.begin(102);
  s.groups(after, 2);
  const std::vector listed{PastRange{Epoch(100), Counter(0), Counter(19)}, PastScene::range_of(outage, kept)};
  s.core->list_past(s.camera.id(), listed);
  CHECK(s.gaps() == std::vector{listed[1]});  // the first epoch is complete
  int rounds = 0;
  while (!s.gaps().empty() && ++rounds < 50) {
    std::vector<const Kept*> answer;
    for (const auto& gap : s.gaps())
      for (const auto& one : kept)
        if (gap.first <= one.counter && one.counter <= gap.last && random() % 10 != 0) answer.push_back(&one);
    for (std::size_t i = 1; i < answer.size(); ++i)
      if (random() % 4 == 0) std::swap(answer[i], answer[i - 1]);
    for (const auto* one : answer) {
      s.deliver(outage, *one);
      if (random() % 10 == 0) s.deliver(outage, *one);
    }
    s.clock.advance(2s);
    s.work();
  }
  CHECK(s.gaps().empty());
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
  CHECK(s.read().size() == 20 + 400 + 10);  // all decode
  CHECK(s.verify().faults.empty());
  CHECK(s.verify().gaps.empty());
}

TEST_CASE("a restart of the hub during the answer neither loses nor repeats a frame") {
  for (const int stop : {0, 1, 7, 60, 99}) {
    PastScene s;
    auto stream = s.begin();
    s.groups(stream, 2);
    const auto kept = s.keep(stream, 100);
    s.groups(stream, 1);
    s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
    for (int i = 0; i < stop; ++i) s.deliver(stream, kept[static_cast<std::size_t>(i)]);
    s.restart();
    s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
    for (const auto& one : kept) s.deliver(stream, one);
    CHECK(s.gaps().empty());
    s.core->end_all(EndReason::stopped);
    s.check_once(kept);
    const auto report = s.verify();
    for (const auto& fault : report.faults) UNSCOPED_INFO(name(fault.kind) << ": " << fault.text);
    CHECK(report.faults.empty());
  }
}

TEST_CASE("frames that the camera did not list, or that the hub has, are not filed") {
  PastScene s;
  auto stream = s.begin();
  const auto kept = s.keep(stream, 20);
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->list_past(s.camera.id(), {{stream.epoch->epoch, kept[5].counter, kept[9].counter}});
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  const auto counts = s.times_filed(kept);
  CHECK(std::accumulate(counts.begin(), counts.end(), std::size_t{0}) == 5);
}

TEST_CASE("recordings that were deleted are not requested again") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 2);
  const auto kept = s.keep(stream, 50);
  const auto range = PastScene::range_of(stream, kept);
  s.core->list_past(s.camera.id(), {range});
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  must(s.core->erase(s.camera.id(), RecordingScene::all));
  CHECK(s.files().empty());
  s.core->list_past(s.camera.id(), {range});
  CHECK(s.gaps().empty());
  s.restart();
  s.core->list_past(s.camera.id(), {range});
  CHECK(s.gaps().empty());
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  CHECK(s.files().empty());
}

TEST_CASE("a frame that does not arrive delays the later ones for ten seconds, and can still be requested") {
  PastScene s;
  auto stream = s.begin();
  const auto kept = s.keep(stream, 20);
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  for (const auto& one : kept)
    if (one.counter != kept[7].counter) s.deliver(stream, one);
  const std::vector lacking{PastRange{stream.epoch->epoch, kept[7].counter, kept[7].counter}};
  s.clock.advance(9s);
  CHECK(s.gaps() == lacking);
  CHECK(s.core->status().stored_frames == 7);
  s.clock.advance(1s);
  CHECK(s.gaps() == lacking);
  CHECK(s.core->status().stored_frames == 19);
  s.deliver(stream, kept[7]);
  s.clock.advance(2s);
  CHECK(s.gaps().empty());
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
  CHECK(s.verify().faults.empty());
  CHECK(s.verify().lost_frames == 0);
}

TEST_CASE("a live frame that arrives late is filed once, whichever of the two comes first") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 2);
  const auto kept = s.keep(stream, 20);
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  const auto live = [&](const Kept& one) {
    s.core->add(stream.epoch, one.kind, one.counter, one.message, s.clock.wall(), {one.captured, false});
  };
  s.deliver(stream, kept[0]);
  live(kept[0]);
  live(kept[5]);
  for (const auto& one : kept) s.deliver(stream, one);
  s.clock.advance(3s);
  s.work();
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
  CHECK(s.verify().faults.empty());
}

TEST_CASE("a copy of a kept frame that arrives as a frame in a wrong order is no second one") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 2);
  const auto kept = s.keep(stream, 20);
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->leave_out(*stream.epoch, kept[3].counter);
  s.groups(stream, 1);
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
  CHECK(s.verify().faults.empty());
}

TEST_CASE("reports and stills among the kept frames end no file, and are not requested again") {
  PastScene s;
  auto stream = s.begin();
  auto kept = s.keep(stream, 20);
  for (const std::size_t i : {2U, 7U, 8U}) kept[i].kind = i == 7 ? FrameKind::still : FrameKind::report;
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  for (const auto& one : kept) s.deliver(stream, one);
  CHECK(s.gaps().empty());
  s.core->end_all(EndReason::stopped);
  CHECK(s.files().size() == 1);
  CHECK(s.verify().frames == 17);
  CHECK(s.verify().gaps.empty());
  s.restart();
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  CHECK(s.gaps().empty());
}

TEST_CASE("frames that wait are dropped when the camera does not list them any more, and are gaps if it does again") {
  PastScene s;
  auto stream = s.begin();
  const auto kept = s.keep(stream, 20);
  const auto all = PastScene::range_of(stream, kept);
  s.core->list_past(s.camera.id(), {all});
  for (std::size_t i = 10; i < 20; ++i) s.deliver(stream, kept[i]);
  CHECK(s.gaps() == std::vector{PastRange{all.epoch, all.first, kept[9].counter}});
  s.core->list_past(s.camera.id(), {{all.epoch, all.first, kept[4].counter}});
  s.core->list_past(s.camera.id(), {all});
  CHECK(s.gaps() == std::vector{all});
  CHECK(s.core->status().stored_frames == 0);
}

TEST_CASE("a camera that keeps each second counter only causes one file in 2 s") {
  PastScene s;
  auto stream = s.begin();
  const auto kept = s.keep(stream, 400);
  std::vector<PastRange> ranges{PastScene::range_of(stream, kept)};
  s.core->list_past(s.camera.id(), ranges);
  for (std::size_t i = 1; i < 400; i += 2) s.deliver(stream, kept[i]);
  for (int second = 0; second < 40; ++second) {
    s.clock.advance(1s);
    (void)s.core->tick();
  }
  s.core->end_all(EndReason::stopped);
  CHECK(s.files().size() >= 5);
  CHECK(s.files().size() <= 21);
  CHECK(s.verify().faults.empty());
}

TEST_CASE("what a person deleted is not recorded later, and what follows is") {
  PastScene s;
  auto stream = s.begin();
  const auto before = s.keep(stream, 20);
  const auto outage = s.clock.wall();
  const auto after = s.keep(stream, 20);
  const PastRange all{stream.epoch->epoch, before.front().counter, after.back().counter};
  s.core->list_past(s.camera.id(), {all});
  for (std::size_t i = 5; i < 10; ++i) s.deliver(stream, before[i]);  // they wait
  (void)must(s.core->erase(s.camera.id(), {{}, CaptureTime{outage.since_epoch + 50ms}}));
  for (const bool restart : {false, true}) {
    if (restart) {
      s.restart();
      s.core->list_past(s.camera.id(), {all});
    }
    for (const auto& one : before) s.deliver(stream, one);
    CHECK(s.core->status().stored_frames == 0);
  }
  for (const auto& one : after) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  s.check_once(after);
  CHECK(s.times_filed(before) == std::vector<std::size_t>(before.size(), 0));
}

TEST_CASE("a new index does not contain what a person deleted, so kept frames from before it are not recorded") {
  PastScene s;
  auto stream = s.begin();
  const auto before = s.keep(stream, 10);
  s.clock.advance(1s);
  s.core.reset();
  s.index.reset();
  must(Index::delete_files(s.state / "recordings.db"));
  s.restart();
  const auto after = s.keep(stream, 10);
  s.core->list_past(s.camera.id(), {{stream.epoch->epoch, before.front().counter, after.back().counter}});
  for (const auto& one : before) s.deliver(stream, one);
  for (const auto& one : after) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  s.check_once(after);
  CHECK(s.verify().frames == after.size());
}

TEST_CASE("gaps of a deleted file can be requested, and its frames cannot") {
  PastScene s;
  auto stream = s.begin();
  s.groups(stream, 2);
  const auto kept = s.keep(stream, 10);
  s.groups(stream, 2);
  s.core->end_all(EndReason::stopped);
  const auto file = must(s.index->files(s.camera.id(), RecordingScene::all)).at(0);
  must(delete_recording(s.folder, *s.index, *s.keys, file, true));
  s.core->list_past(s.camera.id(), {{stream.epoch->epoch, Counter(0), Counter(29)}});
  CHECK(s.gaps() == std::vector{PastScene::range_of(stream, kept)});
}

TEST_CASE("a full disk during the answer loses no frame: the camera lists it again") {
  PastScene s;
  auto stream = s.begin();
  const auto kept = s.keep(stream, 40);
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  for (std::size_t i = 0; i < 20; ++i) s.deliver(stream, kept[i]);
  std::filesystem::rename(s.folder, s.disk.path() / "away");
  s.clock.advance(11s);
  s.work();  // ends the file
  for (std::size_t i = 20; i < 40; ++i) s.deliver(stream, kept[i]);
  CHECK(s.core->status().fault != RecorderFault::none);
  std::filesystem::rename(s.disk.path() / "away", s.folder);
  s.clock.advance(70s);
  s.work();
  s.core->list_past(s.camera.id(), {PastScene::range_of(stream, kept)});
  for (const auto& one : kept) s.deliver(stream, one);
  s.core->end_all(EndReason::stopped);
  s.check_once(kept);
}

}  // namespace
}  // namespace sealcam::recordings
