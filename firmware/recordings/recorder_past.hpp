// SPDX-License-Identifier: Apache-2.0
/// The frames that one camera kept while it had no broker, as the recorder knows them. They arrive once or several
/// times, in any order, and late.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "recordings/file_writer.hpp"

namespace sealcam::recordings {

/// Decides which frames the hub lacks, and which one is filed next. The camera may be hostile: the content of this
/// object has bounds. Thread-bound.
class PastTrack {
 public:
  static constexpr std::size_t max_waiting = 8U << 20;  ///< bytes of frames that wait for earlier ones
  /// Of the counters of an epoch that the hub has. With more, it takes no more kept frames of the epoch, and this
  /// object does not grow any more.
  static constexpr std::size_t max_holes = 4096;
  /// Then a frame does not wait any more for an earlier one, which remains a gap to request.
  static constexpr std::chrono::seconds max_wait{10};

  using Key = std::pair<Epoch, Counter>;
  struct Frame {
    std::shared_ptr<const RecordedEpoch> epoch;
    protocol::FrameKind kind{};
    Bytes message;
    CaptureTime time;
    PictureMark mark;
    MonotonicTime arrived{};
  };

  /// Replaces the list, and drops what waits and is not in it. Returns the epochs for which receive() must be called.
  std::vector<Epoch> list(const std::vector<protocol::PastRange>& ranges);
  /// What the hub has of an epoch, before any other call for the epoch.
  void receive(Epoch epoch, CounterSet have) { have_.insert_or_assign(epoch, std::move(have)); }

  [[nodiscard]] bool has(const Key& key) const;
  /// The hub has the frame from now on. A frame that waits is dropped.
  void take(const Key& key);
  /// A frame that is not listed, that the hub has, or that waits already is ignored. If too many wait, the last ones
  /// are dropped, and remain gaps.
  void offer(const Key& key, Frame frame);
  /// The frame that is filed next, or null: `end`, which follows the open file, or the first one of which no earlier
  /// one can arrive. Call take() then. Valid until then.
  [[nodiscard]] const std::pair<const Key, Frame>* next(const std::optional<Key>& end, MonotonicTime now) const;
  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  /// Listed frames that the hub neither has nor waits with: at most PastRange::max ranges, ascending.
  [[nodiscard]] std::vector<protocol::PastRange> gaps() const;

 private:
  [[nodiscard]] const protocol::PastRange* range_of(const Key& key) const;

  std::vector<protocol::PastRange> listed_;
  std::map<Epoch, CounterSet> have_;  ///< of the listed epochs: recorded, left out, or deleted
  std::map<Key, Frame> waiting_;
  std::size_t waiting_bytes_ = 0;
};

/// For the recorder: the work with the kept frames of one camera.
struct PastWork {
  std::vector<protocol::PastRange> listed;
  bool reload = false;  ///< `track` does not know `listed`
  PastTrack track;
  std::vector<TimeRange> erased;     ///< a person deleted these times
  std::unique_ptr<FileWriter> file;  ///< without gaps
  std::uint64_t synced_groups = 0;
  std::optional<MonotonicTime> begun;  ///< the newest file
  MonotonicTime arrived{};             ///< the newest frame
};

}  // namespace sealcam::recordings
