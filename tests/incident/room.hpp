// SPDX-License-Identifier: Apache-2.0
/// What a camera sees: a drawn room, the same for one number always, with the number on a poster that people can
/// read, a mark that programs can read (hal/fake/picture_mark.hpp), and the camera's local time.
#pragma once

#include <string_view>

#include "hal/fake/picture_mark.hpp"
#include "hal/picture.hpp"

namespace sealcam::incident {

inline constexpr hal::Size picture_size{320, 180};

/// Where a camera stands. Views literals.
struct Place {
  std::string_view room;  ///< "bedroom"
  std::string_view zone;  ///< "UTC+8"
  int offset_minutes;
};
[[nodiscard]] Place place_of(std::uint16_t camera) noexcept;

/// A YU12 picture that owns its pixels. Move-only by its Picture. Thread-bound.
class RoomPicture {
 public:
  RoomPicture();
  /// `group` changes the scene a little and the clock by minutes, `step` moves something small; `number` goes
  /// into the mark.
  void draw(std::uint16_t camera, unsigned group, unsigned step, FrameNumber number);
  /// Views this object; valid until it is drawn again.
  [[nodiscard]] const hal::Picture& picture() const noexcept { return picture_; }

 private:
  Bytes pixels_;
  hal::Picture picture_;
};

}  // namespace sealcam::incident
