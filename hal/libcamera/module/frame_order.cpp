// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/frame_order.hpp"

#include <algorithm>
#include <cmath>

#include "base/result.hpp"

namespace sealcam::hal::libcamera {

namespace {

bool is_left_out(const lib::FrameMetadata& frame, std::optional<std::int64_t> sensor_time) {
  constexpr std::uint64_t apart = 1'000'000'000;  // 1 s, because times are small right after a boot
  const bool filled = std::ranges::any_of(frame.planes(), [](const auto& p) { return p.bytesused > 0; });
  if (filled || !sensor_time) return false;
  const auto timestamp = static_cast<std::uint64_t>(*sensor_time);
  return frame.timestamp == 0 || std::max(timestamp, frame.timestamp) - std::min(timestamp, frame.timestamp) > apart;
}

bool is_whole(const lib::FrameMetadata& frame, std::span<const std::size_t> needed) {
  const auto planes = frame.planes();
  if (planes.empty() || planes.size() < needed.size() || planes[0].bytesused == 0) return false;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (planes[i].bytesused < needed[i]) return false;
  }
  return true;
}

}  // namespace

Report report_of(const lib::FrameBuffer& buffer, std::span<const std::size_t> needed,
                 std::optional<std::int64_t> sensor_time, std::uint32_t request) {
  const auto& frame = buffer.metadata();
  const auto sensor = static_cast<std::uint64_t>(sensor_time.value_or(0));
  if (is_left_out(frame, sensor_time)) return {Report::Kind::good, request, sensor, buffer.planes()[0].length};
  Report report{Report::Kind::good, frame.sequence, sensor_time ? sensor : frame.timestamp, 0};
  if (!frame.planes().empty()) report.used = frame.planes()[0].bytesused;
  const bool failed = frame.status == lib::FrameMetadata::FrameError;
  // Canceled. Later versions of libcamera also have a status for the first pictures of a stream, without a name in 0.4.
  if (!failed && frame.status != lib::FrameMetadata::FrameSuccess) report.kind = Report::Kind::none;
  else if (failed || !is_whole(frame, needed)) report.kind = Report::Kind::damaged;
  return report;
}

static MonotonicTime time_of(std::uint64_t timestamp) noexcept {
  return {std::chrono::nanoseconds(static_cast<std::int64_t>(timestamp))};
}

bool FrameOrder::usable(std::uint64_t timestamp, MonotonicTime now) const noexcept {
  const auto taken = time_of(timestamp);
  return taken <= now && taken + jitter >= last_;
}

MonotonicTime FrameOrder::time(std::uint64_t timestamp, MonotonicTime queued, MonotonicTime now) noexcept {
  last_ = std::max(last_, usable(timestamp, now) ? time_of(timestamp) : queued - interval_);
  return last_;
}

FrameNumber FrameOrder::number(std::uint32_t sequence) noexcept {
  if (sequence_) {
    const std::uint32_t forward = sequence - *sequence_;
    number_ += forward > passed_ && forward < (1U << 31) ? forward - passed_ : 1;
  }
  sequence_ = sequence;
  passed_ = 0;
  return FrameNumber(number_);
}

FrameRateLimiter::FrameRateLimiter(double rate) : interval_(std::llround(1e9 / rate)) { SC_ASSERT(rate > 0); }

void FrameRateLimiter::add(MonotonicTime captured) noexcept {
  if (limits_) return;
  MonotonicTime& oldest = last_[seen_ % window];
  if (seen_ >= window && captured - oldest < interval_ * static_cast<int>(window) * 2 / 3) {
    limits_ = true;
    due_ = captured + interval_;
  }
  oldest = captured;
  ++seen_;
}

MonotonicTime FrameRateLimiter::due(MonotonicTime now) noexcept {
  if (now - due_ > interval_ * depth) {
    const auto beats = (now - due_) / interval_;
    missed_ += static_cast<std::uint32_t>(beats);
    due_ = due_ + interval_ * beats;
  }
  return due_;
}

}  // namespace sealcam::hal::libcamera
