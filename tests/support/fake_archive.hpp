// SPDX-License-Identifier: Apache-2.0
/// Recordings in memory, for tests of code that reads an archive.
#pragma once

#include <condition_variable>
#include <mutex>
#include <new>

#include "recordings/archive.hpp"

namespace sealcam::test {

/// One camera with pictures that the test adds in ascending order. Thread-safe after the pictures are added.
class FakeArchive final : public recordings::Archive {
 public:
  struct Picture {
    recordings::PictureFacts facts;
    Bytes unit;
  };
  DeviceId camera;
  std::string name = "Door";
  std::vector<Picture> pictures;
  std::vector<recordings::Span> spans;
  std::vector<recordings::Gap> gaps;
  std::vector<recordings::Motion> events;
  recordings::Skipped skipped;
  recordings::Status state;
  std::optional<Error> error;  ///< of each function
  bool no_memory = false;      ///< of picture_at()
  recordings::EndReason ended = recordings::EndReason::open;

  FakeArchive() { state.enabled = true; }
  void add(CaptureTime at, ByteView unit, bool key, bool motion = false) {
    pictures.push_back({{.at = at,
                         .captured = at,
                         .width = 320,
                         .height = 240,
                         .key = key,
                         .motion = motion,
                         .continues = !pictures.empty(),
                         .epoch = protocol::Epoch(7),
                         .counter = protocol::Counter(pictures.size())},
                        Bytes(unit.begin(), unit.end())});
  }
  /// The disk does not answer until release(), also the one with the index.
  void hold() { set_held(true, true); }
  /// The disk with the recordings does not answer until release().
  void hold_recordings() { set_held(true, false); }
  void release() { set_held(false, false); }
  [[nodiscard]] std::vector<recordings::TimeRange> erased() {
    const std::scoped_lock lock(mutex_);
    return erased_;
  }
  [[nodiscard]] std::size_t readers() {
    const std::scoped_lock lock(mutex_);
    return readers_;
  }
  /// Pictures that readers returned.
  [[nodiscard]] std::size_t read_pictures() {
    const std::scoped_lock lock(mutex_);
    return read_;
  }

 private:
  class Reader final : public recordings::PictureReader {
   public:
    Reader(FakeArchive& archive, std::size_t from, std::size_t to, bool keys)
        : archive_(archive), at_(from), to_(to), keys_(keys) {
      const std::scoped_lock lock(archive_.mutex_);
      ++archive_.readers_;
    }
    ~Reader() override {
      const std::scoped_lock lock(archive_.mutex_);
      --archive_.readers_;
    }

   private:
    Result<std::optional<recordings::RecordedPicture>> do_next() override {
      archive_.wait();
      while (at_ < to_ && keys_ && !archive_.pictures[at_].facts.key) ++at_;
      if (at_ >= to_) return std::optional<recordings::RecordedPicture>();
      const std::scoped_lock lock(archive_.mutex_);
      ++archive_.read_;
      const auto& picture = archive_.pictures[at_++];
      return recordings::RecordedPicture{picture.facts, picture.unit};
    }
    [[nodiscard]] const recordings::Skipped& do_skipped() const noexcept override { return archive_.skipped; }

    FakeArchive& archive_;
    std::size_t at_, to_;
    bool keys_;
  };

  void set_held(bool held, bool index) {
    const std::scoped_lock lock(mutex_);
    held_ = held;
    index_held_ = index;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !held_; });
  }
  void wait_for_index() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !index_held_; });
  }
  /// The last key frame at or before picture `at`.
  [[nodiscard]] std::size_t key_before(std::size_t at) const {
    while (at > 0 && !pictures[at].facts.key) --at;
    return at;
  }

  Result<std::vector<recordings::CameraSummary>> do_cameras() override {
    wait_for_index();
    if (error) return std::unexpected(*error);
    if (pictures.empty()) return {};
    return std::vector{recordings::CameraSummary{.camera = camera,
                                                 .name = name,
                                                 .time = {pictures.front().facts.at, pictures.back().facts.at},
                                                 .bytes = 1000,
                                                 .files = 2,
                                                 .ended = ended}};
  }
  Result<std::vector<recordings::Day>> do_days(const DeviceId& one) override {
    wait_for_index();
    if (error) return std::unexpected(*error);
    if (one != camera || pictures.empty()) return {};
    return std::vector{recordings::Day{
        std::chrono::floor<std::chrono::days>(std::chrono::sys_time(pictures.front().facts.at.since_epoch)),
        std::chrono::seconds(90), 1000}};
  }
  Result<recordings::RecordedTimeline> do_timeline(const DeviceId& one, const recordings::TimeRange& range) override {
    wait_for_index();
    if (error) return std::unexpected(*error);
    recordings::RecordedTimeline out;
    if (one != camera) return out;
    for (const auto& span : spans)
      if (span.time.overlaps(range)) out.spans.push_back(span);
    for (const auto& gap : gaps)
      if (gap.time.overlaps(range)) out.gaps.push_back(gap);
    return out;
  }
  Result<std::vector<recordings::Motion>> do_motion(const DeviceId& one, const recordings::TimeRange& range,
                                                    std::size_t limit) override {
    wait_for_index();
    if (error) return std::unexpected(*error);
    std::vector<recordings::Motion> out;
    for (const auto& event : events)
      if (one == camera && event.begin < range.end && event.end >= range.begin) out.push_back(event);
    if (out.size() > limit) out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(limit));
    return out;
  }
  Result<std::unique_ptr<recordings::PictureReader>> do_read(const DeviceId& one, const recordings::TimeRange& range,
                                                             recordings::Pictures which) override {
    wait();
    if (error) return std::unexpected(*error);
    std::size_t from = 0, to = 0;
    while (from < pictures.size() && pictures[from].facts.at <= range.begin) ++from;
    while (to < pictures.size() && pictures[to].facts.at < range.end) ++to;
    if (one != camera || to == 0) return fail(Errc::not_found, "no file in the range");
    return std::make_unique<Reader>(*this, key_before(from > 0 ? from - 1 : 0), to,
                                    which == recordings::Pictures::keys);
  }
  Result<recordings::Moment> do_picture_at(const DeviceId& one, CaptureTime time, recordings::Pictures which) override {
    wait();
    if (no_memory) throw std::bad_alloc();
    if (error) return std::unexpected(*error);
    std::size_t to = 0;
    while (to < pictures.size() && pictures[to].facts.at <= time) ++to;
    if (one != camera || to == 0) return fail(Errc::not_found, "no such picture");
    const auto key = key_before(to - 1);
    if (which == recordings::Pictures::keys) to = key + 1;
    recordings::Moment moment{pictures[to - 1].facts, {}};
    for (auto i = key; i < to; ++i) moment.group.push_back(pictures[i].unit);
    return moment;
  }
  Result<recordings::Erased> do_erase(const DeviceId& one, const recordings::TimeRange& range) override {
    wait();
    if (error) return std::unexpected(*error);
    if (one != camera) return recordings::Erased{};
    const std::scoped_lock lock(mutex_);
    erased_.push_back(range);
    return recordings::Erased{2, 1000, range};
  }
  recordings::Status do_status() override { return state; }

  std::mutex mutex_;  // guards the members below
  std::condition_variable changed_;
  std::vector<recordings::TimeRange> erased_;
  std::size_t readers_ = 0, read_ = 0;
  bool held_ = false, index_held_ = false;
};

}  // namespace sealcam::test
