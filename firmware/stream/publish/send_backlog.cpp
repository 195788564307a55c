// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/send_backlog.hpp"

#include <algorithm>
#include <utility>

#include "base/result.hpp"

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

static constexpr nanoseconds max_delay = 60s;
static constexpr nanoseconds min_elapsed = 100ms;  // for a rate

void SendBacklog::add(const Sample& added) noexcept {
  while (used_ > 1 && (used_ == samples_.size() || added.at - sample(1).at >= window)) {
    first_ = (first_ + 1) % samples_.size();
    --used_;
  }
  sample(used_++) = added;
}

void SendBacklog::measure_other(MonotonicTime now, const transport::SendProgress& progress) noexcept {
  if (now - other_at_ > other_lifetime) other_ = 0ns;
  if (!first_byte_ || progress.acknowledged == sample(0).acknowledged) return;
  first_byte_ = false;
  constexpr nanoseconds resolution = 100ms;  // of the calls
  other_ = std::clamp<nanoseconds>(now - busy_since_ - progress.min_rtt - resolution, 0ns, max_other);
  other_at_ = now;
  used_ = 0;  // the path carries the camera's bytes from now on
  add({now, progress.acknowledged});
}

std::size_t SendBacklog::add(std::size_t bytes) noexcept {
  const auto place = std::ranges::find(frames_, 0U, &Frame::bytes);
  SC_ASSERT(place != frames_.end() && bytes > 0);
  *place = {bytes, next_number_++};
  ++used_frames_;
  return static_cast<std::size_t>(place - frames_.begin());
}

std::size_t SendBacklog::remove(std::size_t slot) noexcept {
  const Frame frame = std::exchange(frames_.at(slot), {});
  SC_ASSERT(used_frames_ > 0 && frame.bytes > 0);
  --used_frames_;
  return frame.bytes;
}

/// Bytes of the frames that are not in the socket. The oldest frame may be there in part.
std::size_t SendBacklog::waiting(std::size_t unsent) const noexcept {
  std::size_t bytes = 0;
  const Frame* oldest = nullptr;
  for (const Frame& frame : frames_) {
    if (frame.bytes == 0) continue;
    bytes += frame.bytes;
    if (oldest == nullptr || frame.number < oldest->number) oldest = &frame;
  }
  return oldest == nullptr ? 0 : bytes - std::min(oldest->bytes, unsent);
}

PathEstimate SendBacklog::measure(MonotonicTime now, const transport::SendProgress& progress) noexcept {
  const std::size_t outstanding = progress.unacknowledged + waiting(progress.unsent);
  const bool other_connection = used_ > 0 && progress.acknowledged < sample(used_ - 1).acknowledged;
  if (outstanding == 0 || used_ == 0 || other_connection) {
    used_ = 0;
    busy_since_ = now;
    first_byte_ = true;
    add({now, progress.acknowledged});
    return {};
  }
  measure_other(now, progress);
  constexpr auto spacing = window / 40;
  if (now - sample(used_ - 1).at >= spacing) add({now, progress.acknowledged});
  if (now - busy_since_ < min_busy + progress.min_rtt) return {};
  const Sample& from = sample(0);
  const nanoseconds elapsed = now - from.at;
  const std::uint64_t acknowledged = progress.acknowledged - from.acknowledged;
  if (!first_byte_ && elapsed < min_elapsed) return {};
  if (acknowledged == 0) return {.delay = std::max<nanoseconds>(0ns, elapsed - progress.min_rtt - other_), .rate = 0};
  const double seconds = std::chrono::duration<double>(elapsed).count();
  const double rate = static_cast<double>(acknowledged) / seconds;
  const std::chrono::duration<double> wait(static_cast<double>(outstanding) / rate);
  const auto delay = std::chrono::duration_cast<nanoseconds>(std::min<std::chrono::duration<double>>(wait, max_delay));
  return {.delay = std::max<nanoseconds>(0ns, delay - progress.min_rtt - other_),
          .rate = static_cast<std::uint64_t>(rate * 8)};
}

}  // namespace sealcam::stream
