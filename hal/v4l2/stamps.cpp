// SPDX-License-Identifier: Apache-2.0
#include "hal/v4l2/stamps.hpp"

#include <algorithm>

namespace sealcam::hal::v4l2 {

static constexpr auto jitter = std::chrono::seconds(1);

MonotonicTime Stamps::time(std::optional<MonotonicTime> stamp, MonotonicTime now) noexcept {
  MonotonicTime taken = now;
  if (stamp && *stamp <= now && *stamp >= last_) taken = *stamp;
  else if (stamp && *stamp < last_ && last_ - *stamp < jitter) taken = last_;
  else if (stamp && (*stamp < last_ || *stamp - now >= jitter)) ++mended_times_;
  last_ = std::max(last_, taken);
  return last_;
}

FrameNumber Stamps::number(std::uint32_t sequence) noexcept {
  if (!sequence_) {
    sequence_ = sequence;
    return number_;
  }
  const std::uint32_t forward = sequence - *sequence_;
  sequence_ = sequence;
  const bool grew = forward != 0 && forward < (1U << 31);
  if (!grew) ++mended_numbers_;
  number_ = FrameNumber(number_.value() + (grew ? forward : 1));
  return number_;
}

}  // namespace sealcam::hal::v4l2
