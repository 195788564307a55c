// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/report.hpp"

#include <algorithm>

namespace sealcam::hal::libcamera {

namespace {

bool is_left_out(const lib::FrameMetadata& frame, std::optional<std::int64_t> sensor_time) {
  constexpr std::uint64_t apart = 1'000'000'000;  // a second: machines that have just started have small times
  const bool filled = std::ranges::any_of(frame.planes(), [](const auto& p) { return p.bytesused > 0; });
  if (filled || !sensor_time) return false;
  const auto stamp = static_cast<std::uint64_t>(*sensor_time);
  return frame.timestamp == 0 || std::max(stamp, frame.timestamp) - std::min(stamp, frame.timestamp) > apart;
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
  // Cancelled; later versions have a status for the first ones of a stream, too, which 0.4 does not know by name.
  if (!failed && frame.status != lib::FrameMetadata::FrameSuccess) report.kind = Report::Kind::none;
  else if (failed || !is_whole(frame, needed)) report.kind = Report::Kind::damaged;
  return report;
}

MonotonicTime Order::time(std::uint64_t stamp, MonotonicTime now) noexcept {
  constexpr auto jitter = std::chrono::seconds(1);
  MonotonicTime taken{std::chrono::nanoseconds(static_cast<std::int64_t>(stamp))};
  if (taken > now || taken + jitter < last_) taken = now;
  last_ = std::max(last_, taken);
  return last_;
}

FrameNumber Order::number(std::uint32_t sequence) noexcept {
  if (sequence_) {
    const std::uint32_t forward = sequence - *sequence_;
    number_ += forward > passed_ && forward < (1U << 31) ? forward - passed_ : 1;
  }
  sequence_ = sequence;
  passed_ = 0;
  return FrameNumber(number_);
}

}  // namespace sealcam::hal::libcamera
