// SPDX-License-Identifier: Apache-2.0
/// Which verified frame of one epoch may be shown. Pure bookkeeping, no clock. Thread-bound.
///
/// Counters run over all kinds, so a still or a report between two video frames leaves a hole in the counters
/// of the video topic. Frame numbers are no better alone: a sensor that loses a picture leaves a hole in
/// them although the next delta is decodable, and a camera that drops a group leaves no hole in the counters, since it
/// drops before it seals. A delta follows its predecessor when either
///   (a) every counter between the two was seen as a still or a report, or
///   (b) its frame number is its predecessor's plus one: no video frame can have been between.
/// (b) covers a broker that delivers topics in another order than they were published in. Otherwise there is a gap,
/// and only a key frame goes on.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/strong.hpp"
#include "protocol/frame.hpp"

namespace sealcam::watch {

/// Remembers what was seen of the newest counters; anything older than `size` below the newest counts as seen.
class CounterWindow {
 public:
  static constexpr std::size_t size = 1024;
  enum class Seen : std::uint8_t { never, video, other };

  [[nodiscard]] bool seen(Counter counter) const noexcept;
  /// `seen` must not be never.
  void mark(Counter counter, Seen seen) noexcept;
  /// True when every counter strictly between the two was seen as other than video.
  [[nodiscard]] bool only_others_between(Counter before, Counter after) const noexcept;

 private:
  [[nodiscard]] Seen at(std::uint64_t counter) const noexcept { return ring_[counter % size]; }
  std::array<Seen, size> ring_{};
  std::uint64_t next_ = 0;  ///< one above the newest
};

class StreamOrder {
 public:
  enum class Verdict : std::uint8_t {
    show,
    wait_for_key,  ///< a delta after a gap, or before the first key frame
    nothing_new,   ///< a still of a picture that is not newer than the shown one, or a report
    replayed,
    out_of_order,
  };

  /// To be called once for each frame that passed signature and AEAD.
  [[nodiscard]] Verdict accept(protocol::FrameKind kind, Counter counter, FrameNumber number) noexcept;

 private:
  [[nodiscard]] Verdict accept_still(Counter counter, FrameNumber number) noexcept;
  [[nodiscard]] Verdict accept_video(bool key, Counter counter, FrameNumber number) noexcept;

  CounterWindow window_;
  std::optional<Counter> shown_;             ///< newest counter of a shown picture
  std::optional<FrameNumber> shown_number_;  ///< newest shown picture
  std::optional<Counter> video_;             ///< newest shown video frame
  FrameNumber video_number_;
  bool need_key_ = true;
};

}  // namespace sealcam::watch
