// SPDX-License-Identifier: Apache-2.0
// Figures of recordings. Not in the usual runs: recordings_long_test '[figures]'. The hour needs a clip:
//   ffmpeg -i FILE -vf scale=1920:1080,fps=30 -c:v libx264 -preset superfast -tune zerolatency -b:v 2M -maxrate 2M
//     -bufsize 1M -g 60 -x264-params aud=1 -f h264 CLIP
// SEALCAM_MEASURE_CLIP is its path. SEALCAM_MEASURE_MINUTES and SEALCAM_MEASURE_DAYS are the lengths, 2 and 1 by
// default. The folders are in $TMPDIR.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <random>

#include "hal/modules/modules.hpp"
#include "support/recording_scene.hpp"

namespace sealcam::recordings {
namespace {

using protocol::FrameKind;
using test::must;
using test::RecordingScene;
using namespace std::chrono_literals;

int number_of(const char* name, int fallback) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : fallback;
}

double seconds_of(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

/// Time of the clock and of the processor.
struct Watch {
  double wall = 0, processor = 0;
  template <class Call>
  auto time(Call call) {
    const double wall_begin = seconds_of(CLOCK_MONOTONIC), processor_begin = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    struct End {
      Watch& watch;
      double wall_begin, processor_begin;
      ~End() {
        watch.wall += seconds_of(CLOCK_MONOTONIC) - wall_begin;
        watch.processor += seconds_of(CLOCK_THREAD_CPUTIME_ID) - processor_begin;
      }
    } const end{*this, wall_begin, processor_begin};
    return call();
  }
};

std::ostream& operator<<(std::ostream& out, const Watch& watch) {
  return out << watch.wall << " s, processor " << watch.processor << " s";
}

/// Access units that begin with a delimiter.
std::vector<Bytes> units_of(const std::filesystem::path& clip) {
  const auto content = RecordingScene::content(clip);
  constexpr std::array delimiter{std::byte{0}, std::byte{0}, std::byte{0}, std::byte{1}, std::byte{9}};
  std::vector<Bytes> units;
  for (auto at = content.begin(); at != content.end();) {
    const auto next = std::search(at + 1, content.end(), delimiter.begin(), delimiter.end());
    units.emplace_back(at, next);
    at = next;
  }
  return units;
}

bool is_key(ByteView unit) {
  constexpr std::array start{std::byte{0}, std::byte{0}, std::byte{1}};
  for (auto at = unit.begin();; ++at) {
    at = std::search(at, unit.end(), start.begin(), start.end());
    if (unit.end() - at < 4) return false;
    if ((at[3] & std::byte{31}) == std::byte{5}) return true;
  }
}

std::uint64_t bytes_below(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) bytes += entry.file_size();
  return bytes;
}

void report_size(const RecordingScene& scene, std::uint64_t arrived, std::uint64_t pictures) {
  const auto stored = bytes_below(scene.folder), state = bytes_below(scene.state);
  const auto more = [&](std::uint64_t bytes) {
    return 100.0 * static_cast<double>(bytes) / static_cast<double>(arrived);
  };
  std::cout << pictures << " pictures, " << arrived << " bytes arrived; " << scene.files().size() << " files with "
            << stored << " bytes (" << more(stored) - 100 << " % more); index and keys " << state << " bytes ("
            << more(state) << " %)\n";
  CHECK(more(stored) <= 101);
}

void restart(RecordingScene& scene) {
  scene.core.reset();
  scene.index.reset();
  Watch open, whole;
  whole.time([&] {
    open.time([&] {
      scene.index = must(Index::open(scene.state / "recordings.db"));
      scene.core = std::make_unique<RecorderCore>(
          scene.config, RecorderDependencies{*scene.index, *scene.keys, scene.hub.keys().identity,
                                             scene.owner.account(), scene.clock, scene.log});
      scene.core->start();
    });
    scene.work();
  });
  std::cout << "start: the first frame can be stored after " << open << "; all is done after " << whole << "\n";
}

TEST_CASE("the figures of recordings at 1080p and 30 pictures a second", "[.][figures]") {
  const char* const clip = std::getenv("SEALCAM_MEASURE_CLIP");
  if (clip == nullptr) SKIP("SEALCAM_MEASURE_CLIP is not set");
  const auto units = units_of(clip);
  REQUIRE(is_key(units.at(0)));
  const int count = number_of("SEALCAM_MEASURE_MINUTES", 2) * 60 * 30;
  RecordingScene scene;
  auto stream = scene.begin();
  Watch recorded;
  std::uint64_t arrived = 0;
  for (int i = 0; i < count; ++i) {
    scene.clock.advance(33'333us);
    const auto& unit = units[static_cast<std::size_t>(i) % units.size()];
    const auto kind = is_key(unit) ? FrameKind::key : FrameKind::delta;
    const auto captured = scene.clock.wall();
    const auto message = scene.builder.frame(
        stream.keys, kind, {.number = static_cast<std::uint32_t>(i), .captured = captured, .content = unit});
    arrived += message.size();
    recorded.time([&] {
      scene.core->add(stream.epoch, kind, must(protocol::parse_frame(message)).counter, message, captured,
                      {captured, false});
      if (i % 3 == 0) (void)scene.core->tick();
    });
  }
  const double length = count / 30.0;
  std::cout << length << " s in " << units.size() << " different pictures\nrecorder: " << recorded << ", "
            << 100 * recorded.processor / length << " % of one processor\n";
  restart(scene);  // as after a kill
  report_size(scene, arrived, static_cast<std::uint64_t>(count));
  CHECK(scene.verify().faults.empty());

  hal::modules::MediaModule module(scene.log);
  const auto muxer = must(module.open_mp4_muxer({1920, 1080}));
  Watch exported;
  int pictures = 0;
  exported.time([&] {
    const auto reader = must(scene.archive().read(scene.camera.id(), RecordingScene::all));
    Timeline timeline;
    const auto out = scene.disk.path() / "export.mp4";
    std::ofstream file(out, std::ios::binary);
    const auto write = [&](ByteView part) {
      file.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
    };
    while (const auto picture = must(reader->next())) {
      const auto at = timeline.next(picture->facts.captured, BootTime{picture->facts.at.since_epoch});
      write(must(muxer->write({.bytes = picture->access_unit, .at = at, .key = picture->facts.key})));
      ++pictures;
    }
    write(must(muxer->finish()));
  });
  CHECK(pictures + 60 >= count);  // the last group was lost
  std::cout << "export: " << exported << ", " << length / exported.wall << " times as fast as real time\n";

  auto archive = scene.archive();
  std::mt19937 random(1);
  std::vector<double> all, keys;
  const auto end = scene.clock.wall().since_epoch;
  for (int i = 0; i < 400; ++i) {
    const CaptureTime at{end - std::chrono::milliseconds(random() % static_cast<unsigned>(length * 1000))};
    for (const auto which : {Pictures::all, Pictures::keys}) {
      Watch one;
      one.time([&] { return archive.picture_at(scene.camera.id(), at, which); });
      (which == Pictures::all ? all : keys).push_back(one.wall * 1000);
    }
  }
  for (auto* const times : {&all, &keys}) std::ranges::sort(*times);
  std::cout << "a picture at a random time: median " << all[200] << " ms, p95 " << all[380]
            << " ms; key frames: median " << keys[200] << " ms, p95 " << keys[380] << " ms\n";
}

TEST_CASE("the figures of recordings at one picture a second", "[.][figures]") {
  const int days = number_of("SEALCAM_MEASURE_DAYS", 1);
  RecordingScene scene;
  Watch recorded;
  std::uint64_t arrived = 0, pictures = 0;
  for (int day = 0; day < days; ++day) {
    auto stream = scene.begin(100 + static_cast<std::uint64_t>(day));
    // Sealing takes longer than recording, and neither recorder nor index reads these bytes.
    const auto message = scene.builder.frame(stream.keys, FrameKind::key, {.size = 300});
    recorded.time([&] {
      for (int i = 0; i < 86'400; ++i) {
        scene.clock.advance(1s);
        const auto kind = i % 60 == 0 ? FrameKind::key : FrameKind::delta;
        const auto now = scene.clock.wall();
        scene.core->add(stream.epoch, kind, Counter(static_cast<std::uint64_t>(i)), message, now, {now, false});
        (void)scene.core->tick();
      }
    });
    arrived += 86'400 * message.size();
    pictures += 86'400;
  }
  scene.core->end_all(EndReason::stopped);
  scene.work();
  std::cout << days << " days\nrecorder: " << recorded << ", " << recorded.processor / days << " s a day\n";
  report_size(scene, arrived, pictures);
  restart(scene);
  auto archive = scene.archive();
  Watch listed;
  const auto timeline = listed.time([&] { return must(archive.timeline(scene.camera.id(), RecordingScene::all)); });
  std::cout << "timeline of all days: " << listed << ", " << timeline.spans.size() << " spans\n";
  scene.core.reset();
  scene.index.reset();
  must(Index::delete_files(scene.state / "recordings.db"));
  std::cout << "without the index, ";
  restart(scene);
}

}  // namespace
}  // namespace sealcam::recordings
