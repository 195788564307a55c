// SPDX-License-Identifier: Apache-2.0
/// Decides what the camera does with its pictures: nothing, keep them for a recording of motion, or send them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "stream/capture/access_unit_queue.hpp"
#include "stream/capture/capture_control.hpp"

namespace sealcam::stream {

enum class PictureUse : std::uint8_t {
  none,     ///< not encoded
  preroll,  ///< encoded and kept in memory, not sent
  motion,   ///< the kept pictures and the new ones are sent
  record,   ///< sent; no person looks
  live,     ///< sent; old pictures are dropped
};

/// For the status file: "none", "preroll", "motion", "record", "live".
[[nodiscard]] std::string_view name(PictureUse use) noexcept;

/// Times of a recording of motion, by the capture times of the pictures.
struct PreRollLimits {
  std::chrono::seconds span{10};     ///< that the camera keeps before motion; key frames are 4 s apart, so at least 6 s
  std::chrono::seconds tail{10};     ///< after the newest picture with motion
  std::chrono::seconds late{1};      ///< until the encoder has returned the last picture of the tail
  std::chrono::seconds backlog{30};  ///< that waits for a slow network while no person looks
  /// Between two pictures for a recording, after `burst` of them. The queues of brokers and hubs have room for a short
  /// burst only, and they drop what does not fit.
  std::chrono::milliseconds interval{8};
  int burst = 16;
};

/// While hubs request nothing but motion, the queue of access units is the pre-roll ring. When motion begins, the
/// publisher takes the pictures from the queue in order, the oldest first, and continues until the tail ends. So each
/// picture is sealed at most once, with its own capture time and echoes.
///
/// Every other change of the use empties the queue. The capture thread encodes while the use is not `none`. Allocates
/// nothing, except the first memory of the ring. Thread-bound to the network thread.
class PictureUseSelector {
 public:
  /// Both references must outlive this object.
  PictureUseSelector(AccessUnitQueue& queue, CaptureControl& control, const PreRollLimits& limits)
      : queue_(queue), control_(control), limits_(limits) {}

  struct Demand {
    bool live = false;    ///< a person looks, or a still is due, and the camera may send
    bool record = false;  ///< a hub records all pictures, and the camera may send
    bool motion = false;  ///< a hub records motion, and the camera may encode
  };
  /// Returns true if sending begins or ends.
  bool update(MonotonicTime now, const Demand& demand);
  [[nodiscard]] PictureUse use() const noexcept { return use_; }
  [[nodiscard]] bool sending() const noexcept { return use_ != PictureUse::none && use_ != PictureUse::preroll; }
  /// The quality for this use. No kept picture waits for the network, and the motion detector needs whole pictures,
  /// five a second.
  [[nodiscard]] Quality quality(Quality network, const Quality& best) const noexcept;
  /// Whether the oldest picture of the queue is to be sent now.
  [[nodiscard]] bool sends(MonotonicTime now) const;
  /// A picture was taken from the queue.
  void note_taken(MonotonicTime now) noexcept;

 private:
  [[nodiscard]] PictureUse choose(MonotonicTime now, const Demand& demand) const;
  [[nodiscard]] bool in_tail(std::optional<MonotonicTime> captured) const;

  AccessUnitQueue& queue_;
  CaptureControl& control_;
  PreRollLimits limits_;
  PictureUse use_ = PictureUse::none;
  MonotonicTime next_;  ///< earliest time of the next picture for a recording
};

}  // namespace sealcam::stream
