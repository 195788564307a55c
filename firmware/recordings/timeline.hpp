// SPDX-License-Identifier: Apache-2.0
/// The places of pictures on the timeline of a recording, and spans of motion. Without files and keys. Thread-bound.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.hpp"

namespace sealcam::recordings {

/// Motion of one camera, by the mark that the camera sets in its sealed frames. Times by the hub's wall clock.
struct Motion {
  CaptureTime begin, end;       ///< the first and the last picture with the mark
  CaptureTime peak;             ///< the picture with the most change: the largest delta with the mark, else `begin`
  std::uint64_t peak_size = 0;  ///< bytes of that delta; 0 if there is none
  friend bool operator==(const Motion&, const Motion&) = default;
};

/// Joins motion without a pause of more than `max_pause`. A camera that sets the mark at random can therefore cause one
/// span in this time, and no more.
class MotionSpans {
 public:
  static constexpr std::chrono::seconds max_pause{10};

  /// A picture with the mark. `at` does not decrease.
  void add(CaptureTime at, bool key, std::uint64_t size);
  /// Spans in the order of `begin`.
  void add(const Motion& motion);
  [[nodiscard]] const std::vector<Motion>& spans() const noexcept { return spans_; }
  [[nodiscard]] std::vector<Motion> take() noexcept { return std::move(spans_); }

 private:
  std::vector<Motion> spans_;
};

/// What a recorder knows about a picture besides its message. The camera signed both.
struct PictureMark {
  CaptureTime captured{};  ///< any 64 bits
  bool motion = false;
};

/// The place of each picture: the time of its group, plus the time since the group's first picture by the camera's
/// clock. A place never decreases, whatever the camera's clock does.
class PicturePlaces {
 public:
  /// A jump of the camera's clock within a group does not move a picture further than this.
  static constexpr std::chrono::minutes max_group_time{5};

  /// `group`: the time of its mark.
  void begin_group(CaptureTime group) {
    group_ = group;
    first_captured_.reset();
  }
  /// `next_group`: the time of the next mark, if the reader knows it.
  [[nodiscard]] CaptureTime place(CaptureTime captured, std::optional<CaptureTime> next_group);

 private:
  CaptureTime group_;
  std::optional<CaptureTime> first_captured_;  ///< of the group
  CaptureTime last_;
};

}  // namespace sealcam::recordings
