// SPDX-License-Identifier: Apache-2.0
/// The scene for tests of recordings: a camera, its owner, the hub that records, and the folders on a disk.
#pragma once

#include <fstream>

#include "base/testing/fakes.hpp"
#include "recordings/file_archive.hpp"
#include "recordings/recorder_core.hpp"
#include "recordings/verifier.hpp"
#include "support/stream_builder.hpp"
#include "support/temporary_folder.hpp"

namespace sealcam::test {

using protocol::Counter;
using protocol::Epoch;
using protocol::FrameKind;
using namespace sealcam::recordings;  // NOLINT: tests only

/// Everything that the hub has of one epoch, and what its camera uses to seal.
struct RecordedStream {
  TestEpoch keys;
  std::shared_ptr<const RecordedEpoch> epoch;
};

class RecordingScene {
 public:
  Actor owner, camera, hub;
  protocol::Route route = route_of(owner, camera);
  StreamBuilder builder{route, camera};
  FakeClock clock;
  MemoryLog log;
  TemporaryFolder disk;
  std::filesystem::path folder = disk.path() / "recordings";
  std::filesystem::path state = disk.path() / "state";
  RecorderConfig config{.folder = folder, .quota = 0, .max_age = {}, .reserve = 0};
  std::unique_ptr<Index> index;
  std::optional<KeyFolder> keys;
  std::unique_ptr<RecorderCore> core;
  std::chrono::microseconds camera_ahead{0};  ///< of the hub's clock
  std::vector<Bytes> pictures;                ///< access units, in the order of their recording

  RecordingScene() {
    std::filesystem::create_directories(folder);
    std::filesystem::create_directories(state);
    restart();
  }

  /// The recorder ends without finishing its files, as after a kill, and starts again.
  void restart() {
    core.reset();
    index.reset();
    keys.emplace(must(KeyFolder::open(state / "recording-keys", KeyFolder::Create::yes)));
    auto opened = Index::open(state / "recordings.db");
    if (!opened) {
      must(Index::delete_files(state / "recordings.db"));
      opened = Index::open(state / "recordings.db");
    }
    index = must(std::move(opened));
    core = std::make_unique<RecorderCore>(
        config, RecorderDependencies{*index, *keys, hub.keys().identity, owner.account(), clock, log});
    core->start();
    work();
  }
  void work() {
    while (core->tick()) {
    }
  }

  [[nodiscard]] RecordedStream begin(std::uint64_t number = 100) { return begin(builder, route, camera, number); }
  [[nodiscard]] RecordedStream begin(StreamBuilder& of, const protocol::Route& to, const Actor& device,
                                     std::uint64_t number) {
    auto made = of.make_epoch(number);
    const auto roster = roster_of(device, 1, {&hub});
    auto epoch = std::make_shared<RecordedEpoch>();
    epoch->route = to;
    epoch->owner = owner.identity();
    epoch->roster = must(protocol::encode_roster(roster, to, owner.keys().identity));
    epoch->grants = of.grants(made, roster);
    epoch->epoch = made.epoch;
    epoch->base_key = crypto::sframe::BaseKey(made.content.base_key.reveal());
    epoch->camera_name = made.content.camera_name;
    return {std::move(made), std::move(epoch)};
  }

  /// Records one frame, 100 ms after the one before. The picture of a key frame or delta has its own content.
  void record(RecordedStream& stream, FrameKind kind, std::size_t size = 300, bool motion = false) {
    clock.advance(std::chrono::milliseconds(100));
    const auto captured = CaptureTime{clock.wall().since_epoch + camera_ahead};
    const auto unit = Bytes(size, static_cast<std::byte>(pictures.size() % 251 + 1));
    const auto message = builder.frame(stream.keys, kind,
                                       {.number = ++number_, .captured = captured, .content = unit, .motion = motion});
    const auto frame = must(protocol::parse_frame(message));
    core->add(stream.epoch, kind, frame.counter, message, clock.wall(), {captured, motion});
    pictures.push_back(unit);
  }
  /// One key frame and deltas.
  void group(RecordedStream& stream, int pictures_in_group = 5, std::size_t size = 300) {
    for (int i = 0; i < pictures_in_group; ++i) record(stream, i == 0 ? FrameKind::key : FrameKind::delta, size);
  }
  void groups(RecordedStream& stream, int count) {
    for (int i = 0; i < count; ++i) group(stream);
  }
  /// The camera seals a frame that the hub does not receive.
  void lose(RecordedStream& stream, FrameKind kind = FrameKind::delta) {
    clock.advance(std::chrono::milliseconds(100));
    (void)builder.frame(stream.keys, kind, {.number = ++number_, .captured = clock.wall()});
  }
  /// The hub receives a report.
  void report(RecordedStream& stream) {
    const auto message = builder.frame(stream.keys, FrameKind::report, {.number = number_});
    core->leave_out(*stream.epoch, must(protocol::parse_frame(message)).counter);
  }

  [[nodiscard]] FileArchive archive(bool with_keys = true) {
    return FileArchive(folder, owner.account(), *index, with_keys ? &*keys : nullptr, nullptr);
  }
  [[nodiscard]] std::vector<ListedFile> files() const { return must(list_files(folder)); }
  [[nodiscard]] std::filesystem::path path(std::size_t file = 0) const { return files().at(file).file.below(folder); }
  static constexpr TimeRange all{{std::chrono::microseconds(0)}, {std::chrono::hours(24 * 365 * 100)}};
  /// All pictures that can be opened.
  [[nodiscard]] std::vector<Bytes> read(Pictures which = Pictures::all, const TimeRange& range = all) {
    std::vector<Bytes> found;
    auto reader = archive().read(camera.id(), range, which);
    if (!reader) return found;
    while (const auto picture = must((*reader)->next()))
      found.emplace_back(picture->access_unit.begin(), picture->access_unit.end());
    return found;
  }
  [[nodiscard]] FolderReport verify() const { return must(verify_folder(folder, {.account = owner.account()})); }
  [[nodiscard]] static Bytes content(const std::filesystem::path& file) { return must(read_file(file, 1U << 30)); }
  static void write(const std::filesystem::path& file, ByteView bytes) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  std::uint32_t number_ = 0;
};

}  // namespace sealcam::test
