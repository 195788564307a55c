// SPDX-License-Identifier: Apache-2.0
/// The bounded queue of access units from the capture thread to the network thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/types.hpp"
#include "hal/picture.hpp"
#include "protocol/frame.hpp"

namespace sealcam::stream {

struct QueueLimits {
  std::size_t slots = 64;                              ///< access units, at least 1
  std::size_t bytes = 4U << 20;                        ///< all access units with their headers; allocated once
  std::size_t max_unit = limits::max_frame_plaintext;  ///< one access unit with its header
  std::size_t retained_slots = 640;                    ///< from the first retain() on
  std::size_t retained_bytes = 8U << 20;
};

/// Metadata of an access unit.
struct UnitInfo {
  FrameNumber number;
  MonotonicTime captured;
  protocol::Echoes echoes;  ///< chosen when the sensor delivered the picture
  hal::Size size;
  bool keyframe = false;
  bool motion = false;      ///< the camera detects motion at this time
  std::uint32_t areas = 0;  ///< CaptureControl::areas_version() of its masks
};

struct QueueCounters {
  std::uint64_t pushed = 0;             ///< accepted
  std::uint64_t taken = 0;              ///< passed to the network thread
  std::uint64_t dropped = 0;            ///< accepted and dropped later
  std::uint64_t dropped_groups = 0;     ///< groups of pictures that lost at least one accepted unit
  std::uint64_t expired = 0;            ///< accepted and dropped later, because they were older than the retained span
  std::uint64_t rejected = 0;           ///< not accepted: the group was dropped before, or the unit did not fit
  std::uint64_t keyframe_requests = 0;  ///< key frames that the queue requested
};

/// Bounded in units and in bytes. If a new unit does not fit, the queue drops whole groups of pictures, the oldest
/// first. If the newest group loses a unit, the queue rejects the rest of this group up to the next key frame. It
/// requests one key frame after it has run empty, because an earlier key frame would only wait in the queue.
///
/// One ring of memory holds all units. Each unit has free bytes for its frame header in front, so that header and
/// access unit are contiguous. Nothing is allocated after construction, except by the first retain(). Thread-safe for
/// one producer and one consumer.
class AccessUnitQueue {
 public:
  explicit AccessUnitQueue(const QueueLimits& limits = {});

  /// Producer. Copies the access unit into the queue. Returns false if the queue rejects it.
  bool push(ByteView access_unit, const UnitInfo& info);
  /// Whether push() rejects this unit always.
  [[nodiscard]] bool too_large(ByteView access_unit, const UnitInfo& info) const noexcept {
    return protocol::FrameHeader::size(info.echoes) + access_unit.size() > limits_.max_unit;
  }
  /// Producer. A unit was lost before the queue, for example a damaged picture of a sensor that encodes. The rest of
  /// its group cannot be decoded.
  void break_group();
  /// Producer, before each picture. True once if the stream needs a key frame to continue.
  [[nodiscard]] bool take_keyframe_request();

  struct Unit {
    MutableBytes plaintext;  ///< free bytes for the header, then the access unit; valid until release()
    UnitInfo info;
  };
  /// Consumer. Lends the oldest unit until release(). The queue lends one unit at a time.
  [[nodiscard]] std::optional<Unit> take();
  /// Consumer. Returns the unit that take() lent.
  void release();
  /// Any thread. Drops all units except the lent one, and forgets motion. The next unit must be a key frame. Later
  /// rejects units that were captured before `limit`: they may still be in the encoder.
  void clear(MonotonicTime limit = {});
  /// Consumer. Keeps the units of the last `span` before the newest one, in whole groups: an older group is dropped if
  /// a newer one is complete enough to replace it. Requests a key frame if the last one is `keyframe_age` old, also if
  /// the queue is not empty. The first call with a span makes the queue larger and keeps its units; while a unit is
  /// lent, release() does so. Nothing: no span.
  void retain(std::optional<std::chrono::nanoseconds> span);
  static constexpr std::chrono::seconds keyframe_age{3};  ///< at one picture a second, key frames are 4 s apart
  /// Any thread. Capture time of the oldest unit, except the lent one.
  [[nodiscard]] std::optional<MonotonicTime> oldest() const;
  /// Any thread. Capture time of the newest accepted unit with motion since the last clear().
  [[nodiscard]] std::optional<MonotonicTime> newest_motion() const;
  /// Any thread. Drops groups whose oldest unit was captured before `limit`, if the queue has a newer group. Drops the
  /// newest group too if its oldest unit was captured before `useless`. After a stall the hub then receives recent
  /// pictures first.
  void drop_stale(MonotonicTime limit, MonotonicTime useless);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] QueueCounters counters() const;

 private:
  struct Entry {
    std::size_t offset = 0;
    std::size_t size = 0;
    UnitInfo info;
  };
  [[nodiscard]] Entry& at(std::size_t index) noexcept { return entries_[(head_ + index) % entries_.size()]; }
  [[nodiscard]] const Entry& at(std::size_t index) const noexcept {
    return entries_[(head_ + index) % entries_.size()];
  }
  [[nodiscard]] std::optional<std::size_t> find_room(std::size_t size) noexcept;
  bool drop_group() noexcept;
  void grow();
  void drop(std::size_t from, std::size_t count) noexcept;
  void count_dropped(std::size_t count) noexcept;
  void expire(MonotonicTime limit) noexcept;
  [[nodiscard]] std::size_t next_keyframe(std::size_t from) const noexcept;
  void await_keyframe() noexcept;

  mutable std::mutex mutex_;
  QueueLimits limits_;
  Bytes ring_;
  std::vector<Entry> entries_;  // circular: `count_` entries from `head_`, in the order of their offsets in the ring
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  bool lent_ = false;                // the first entry
  bool need_keyframe_ = true;        // the next unit must be a key frame
  bool keyframe_requested_ = false;  // since need_keyframe_ became true, or since the newest key frame
  std::optional<std::chrono::nanoseconds> span_;
  MonotonicTime newest_, newest_keyframe_;  // capture times of accepted units
  MonotonicTime limit_;                     // units that were captured before are rejected
  std::optional<MonotonicTime> motion_;
  QueueCounters counters_;
};

}  // namespace sealcam::stream
