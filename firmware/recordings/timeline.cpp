// SPDX-License-Identifier: Apache-2.0
#include "recordings/timeline.hpp"

#include <algorithm>

namespace sealcam::recordings {

namespace {

/// Whether `later` begins at most max_pause after the end of `earlier`. Times of a damaged index are any 64 bits.
bool joins(const Motion& earlier, CaptureTime later) noexcept {
  std::int64_t pause = 0;
  if (__builtin_sub_overflow(later.since_epoch.count(), earlier.end.since_epoch.count(), &pause)) return false;
  return pause <= std::chrono::microseconds(MotionSpans::max_pause).count();
}

}  // namespace

void MotionSpans::add(CaptureTime at, bool key, std::uint64_t size) {
  // A key frame is large even if nothing changed in the picture.
  add({.begin = at, .end = at, .peak = at, .peak_size = key ? 0 : size});
}

void MotionSpans::add(const Motion& motion) {
  if (spans_.empty() || !joins(spans_.back(), motion.begin)) return spans_.push_back(motion);
  auto& last = spans_.back();
  last.end = std::max(last.end, motion.end);
  if (motion.peak_size <= last.peak_size) return;
  last.peak = motion.peak;
  last.peak_size = motion.peak_size;
}

CaptureTime PicturePlaces::place(CaptureTime captured, std::optional<CaptureTime> next_group) {
  if (!first_captured_) {
    first_captured_ = captured;
    return last_ = std::max(group_, last_);
  }
  // Capture times may be any 64 bits.
  std::int64_t step = 0;
  const bool overflow =
      __builtin_sub_overflow(captured.since_epoch.count(), first_captured_->since_epoch.count(), &step);
  const bool sane = !overflow && step >= 0 && step <= std::chrono::microseconds(max_group_time).count();
  auto place = sane ? CaptureTime{group_.since_epoch + std::chrono::microseconds(step)} : last_;
  if (next_group) place = std::min(place, *next_group);
  return last_ = std::max(place, last_);
}

}  // namespace sealcam::recordings
