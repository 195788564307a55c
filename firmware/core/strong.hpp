// SPDX-License-Identifier: Apache-2.0
/// Numbers that mean one thing. An Epoch is not a Counter, although both are 64 bits wide.
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

/// The life of one content key of one camera: a stored 32-bit counter, then 32 random bits.
using Epoch = Strong<struct EpochTag, std::uint64_t>;
/// SFrame counter (CTR, RFC 9605 section 4.3) within one epoch, over all kinds of frames.
using Counter = Strong<struct CounterTag, std::uint64_t>;
/// Version of a roster; only grows.
using RosterVersion = Strong<struct RosterVersionTag, std::uint64_t>;
/// Number of a picture as the sensor counted it since the camera's start; gaps are pictures lost.
using FrameNumber = Strong<struct FrameNumberTag, std::uint32_t>;
/// Sequence number of a hub's asks to one camera; only grows.
using AskSeq = Strong<struct AskSeqTag, std::uint64_t>;
/// Sequence number of an owner's commands to one camera; only grows, 0 is none.
using CommandSeq = Strong<struct CommandSeqTag, std::uint64_t>;

using BitsPerSecond = Strong<struct BitsPerSecondTag, std::uint32_t>;

}  // namespace sealcam
