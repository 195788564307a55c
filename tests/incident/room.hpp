// SPDX-License-Identifier: Apache-2.0
/// The drawn room of a camera. It depends on the camera's number only. It contains the number on a poster for people, a
/// mark for programs (hal/fake/fake_source.hpp), and the camera's local time.
#pragma once

#include <string_view>

#include "hal/fake/fake_source.hpp"
#include "hal/picture.hpp"

namespace sealcam::incident {

inline constexpr hal::Size picture_size{320, 180};

/// The date that the first picture shows, in UTC. Contains a view of a literal.
struct Calendar {
  std::string_view month = "2020-01";
  int day = 1;  ///< at most 25
};

/// Location of a camera. Contains views of literals.
struct Place {
  std::string_view room;  ///< "bedroom"
  std::string_view zone;  ///< "UTC+8"
  int offset_minutes;
};
[[nodiscard]] Place place_of(std::uint16_t camera) noexcept;

/// A YU12 picture that owns its pixels. Move-only. Thread-bound.
class RoomPicture {
 public:
  explicit RoomPicture(const Calendar& calendar = {});
  /// `group` changes the scene and the clock by minutes, `step` moves a small object, and `number` is part of the mark.
  void draw(std::uint16_t camera, unsigned group, unsigned step, FrameNumber number);
  /// A view of this object. Valid until the next draw().
  [[nodiscard]] const hal::Picture& picture() const noexcept { return picture_; }

 private:
  Calendar calendar_;
  Bytes pixels_;
  hal::Picture picture_;
};

}  // namespace sealcam::incident
