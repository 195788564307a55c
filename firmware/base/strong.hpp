// SPDX-License-Identifier: Apache-2.0
/// Numbers with one meaning each: the compiler rejects a value of another meaning, although both are integers.
#pragma once

#include <compare>
#include <cstdint>

namespace sealcam {

template <class Tag, class Rep>
class Strong {
 public:
  using rep = Rep;
  constexpr Strong() noexcept = default;
  constexpr explicit Strong(Rep value) noexcept : value_(value) {}
  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  [[nodiscard]] constexpr Strong next() const noexcept { return Strong(static_cast<Rep>(value_ + 1)); }
  friend constexpr auto operator<=>(const Strong&, const Strong&) = default;

 private:
  Rep value_{};
};

/// Number of a picture, counted by the sensor since the camera's start. A gap is a lost picture.
using FrameNumber = Strong<struct FrameNumberTag, std::uint32_t>;

using BitsPerSecond = Strong<struct BitsPerSecondTag, std::uint32_t>;

}  // namespace sealcam
