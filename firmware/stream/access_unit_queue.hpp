// SPDX-License-Identifier: Apache-2.0
/// The bounded hand-off from the capture thread to the network thread.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/strong.hpp"
#include "hal/picture.hpp"
#include "protocol/frame.hpp"

namespace sealcam::stream {

struct QueueLimits {
  std::size_t slots = 64;          ///< access units, 1 and more
  std::size_t bytes = 4U << 20;    ///< of all of them with their header room; allocated once
  std::size_t largest = 1U << 20;  ///< of one with its header room: what FrameSealer takes
};

/// What travels with an access unit.
struct UnitInfo {
  FrameNumber number;
  MonotonicTime captured;
  protocol::Challenge echo;  ///< chosen when the picture left the sensor; zero: none
  hal::Size size;
  bool keyframe = false;
};

struct QueueCounters {
  std::uint64_t pushed = 0;             ///< accepted
  std::uint64_t taken = 0;              ///< handed to the network thread
  std::uint64_t dropped = 0;            ///< accepted and thrown away later
  std::uint64_t dropped_groups = 0;     ///< groups that lost at least one unit that was accepted
  std::uint64_t refused = 0;            ///< not accepted: its group had been dropped, or it did not fit
  std::uint64_t keyframe_requests = 0;  ///< asked for by the queue itself
};

/// Bounded in units and in bytes. When something new does not fit, whole groups of pictures go, oldest
/// first; what arrives of a group that lost a unit is refused up to the next key frame, and once
/// the queue has run empty one key frame is asked for: earlier it would only wait behind the rest.
///
/// One ring of memory holds all units, each with protocol::frame_header_size bytes of room in front,
/// so that header and access unit lie behind one another. Nothing is allocated after construction.
/// Thread-safe for one producer and one consumer.
class AccessUnitQueue {
 public:
  explicit AccessUnitQueue(const QueueLimits& limits = {});

  /// Producer. Copies the access unit in; false when it was refused.
  bool push(ByteView access_unit, const UnitInfo& info);
  /// Producer. A unit was lost on the way here (a damaged picture of a sensor that encodes): the rest of
  /// its group is worth nothing.
  void break_group();
  /// Producer, before each picture: true once when a key frame is needed to go on.
  [[nodiscard]] bool take_keyframe_request();

  struct Unit {
    MutableBytes plaintext;  ///< room for the header, then the access unit; valid until release()
    UnitInfo info;
  };
  /// Consumer. The oldest unit, lent until release(); one at a time.
  [[nodiscard]] std::optional<Unit> take();
  /// Consumer. Gives back what take() lent.
  void release();
  /// Any thread. Throws away all that is not lent; a key frame must come next.
  void clear();
  /// Any thread. Throws away groups whose oldest unit was captured before `limit`, as long as a newer
  /// group waits behind: after a stall the hub is better served with that.
  void drop_stale(MonotonicTime limit);

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] QueueCounters counters() const;

 private:
  struct Entry {
    std::size_t offset = 0;
    std::size_t size = 0;
    UnitInfo info;
  };
  [[nodiscard]] Entry& at(std::size_t index) noexcept { return entries_[(head_ + index) % entries_.size()]; }
  [[nodiscard]] std::optional<std::size_t> find_room(std::size_t size) noexcept;
  bool drop_group() noexcept;
  void drop(std::size_t from, std::size_t count) noexcept;
  void await_keyframe() noexcept;

  mutable std::mutex mutex_;
  QueueLimits limits_;
  Bytes ring_;
  std::vector<Entry> entries_;  // circular; count_ of them from head_ on, in the order of their offsets in the ring
  std::size_t head_ = 0;
  std::size_t count_ = 0;
  bool lent_ = false;          // the first entry
  bool need_keyframe_ = true;  // what comes next must be a key frame
  bool asked_ = false;         // and it was asked for
  QueueCounters counters_;
};

}  // namespace sealcam::stream
