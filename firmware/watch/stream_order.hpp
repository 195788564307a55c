// SPDX-License-Identifier: Apache-2.0
/// Decides which verified frames of one epoch may be shown. Has no clock. Thread-bound.
///
/// Counters count frames of all kinds, and a broker delivers topics in any order. So a gap in the counters is no
/// evidence of a lost picture, and frame numbers are none either: a sensor that loses a picture leaves a gap, although
/// the next delta is decodable. Therefore each delta names the counter of the video frame that it depends on. It may be
/// shown if that frame is the newest shown video frame, and if no still was shown after it. In all other cases the
/// stream continues with the next key frame.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>

#include "base/types.hpp"
#include "protocol/envelope.hpp"
#include "protocol/frame.hpp"

namespace sealcam::watch {

using protocol::Counter;

/// Whether picture `a` is `b`, or was taken before it. The numbers wrap at 2^32 (4.5 years at 30 a second), so they are
/// compared as serial numbers (RFC 1982). An epoch lasts at most a day, so two of its numbers are less than 2^31 apart.
[[nodiscard]] constexpr bool at_or_before(FrameNumber a, FrameNumber b) noexcept {
  return b.value() - a.value() < (std::uint32_t{1} << 31);
}
[[nodiscard]] constexpr bool before(FrameNumber a, FrameNumber b) noexcept { return a != b && at_or_before(a, b); }

/// Remembers which of the newest `size` counters were received. All older counters count as received.
class CounterWindow {
 public:
  static constexpr std::size_t size = 1024;

  [[nodiscard]] bool seen(Counter counter) const noexcept;
  void mark(Counter counter) noexcept;

 private:
  std::bitset<size> ring_;
  std::uint64_t next_ = 0;  ///< newest counter plus one
};

class StreamOrder {
 public:
  enum class Verdict : std::uint8_t {
    show,
    wait_for_key,  ///< a delta whose frame before it is not on the screen
    nothing_new,   ///< a report, or a still of a picture that is not newer than the shown one
    replayed,
    out_of_order,
  };

  /// Call this once for each frame that passed the checks of signature and AEAD.
  [[nodiscard]] Verdict accept(protocol::FrameKind kind, Counter counter, const protocol::FrameHeader& header) noexcept;

 private:
  [[nodiscard]] Verdict accept_still(Counter counter, FrameNumber number) noexcept;
  [[nodiscard]] Verdict accept_video(bool key, Counter counter, const protocol::FrameHeader& header) noexcept;

  CounterWindow window_;
  std::optional<Counter> shown_;             ///< newest counter of the shown pictures
  std::optional<FrameNumber> shown_number_;  ///< newest shown picture
  std::optional<Counter> video_;             ///< newest shown video frame
  FrameNumber video_number_;
  bool intact_ = false;  ///< the decoder's last picture is video_
};

}  // namespace sealcam::watch
