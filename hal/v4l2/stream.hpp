// SPDX-License-Identifier: Apache-2.0
/// Streams from a device: maps, queues and fetches buffers, and corrects the timestamps and sequence numbers of
/// drivers. Supports the single- and the multi-planar API.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "hal/v4l2/device.hpp"
#include "hal/v4l2/negotiate.hpp"

namespace sealcam::hal::v4l2 {

/// Thread-bound.
class TimestampNormalizer {
 public:
  /// `start`: when streaming started; no picture is older. `interval`: between two pictures.
  TimestampNormalizer(MonotonicTime start, std::chrono::nanoseconds interval) : interval_(interval), last_(start) {}

  /// Returns when the picture was taken. `timestamp`: the driver's time of CLOCK_MONOTONIC, if it has one. `queued`:
  /// when the driver received the empty buffer. A picture must not look newer than it is, because it echoes challenges
  /// that arrived before it was taken. So a time in the future, or far before the previous picture, is not used, and
  /// the picture counts as taken one interval before its buffer was queued: the driver filled the buffer after that,
  /// with a picture whose exposure began at most one interval earlier. Drivers that calculate the time have a jitter of
  /// less than a second: a small step back becomes the time of the previous picture. An old time that does not go back
  /// stays.
  [[nodiscard]] MonotonicTime time(std::optional<MonotonicTime> timestamp, MonotonicTime queued,
                                   MonotonicTime now) noexcept;

  /// Returns 0 for the first picture, then the difference that the driver counts, also across the wrap at 2^32. If the
  /// driver's number does not increase, the result increases by 1. Call it for damaged pictures too.
  [[nodiscard]] FrameNumber number(std::uint32_t sequence) noexcept;

  /// The number of corrected timestamps and sequence numbers, for the log.
  [[nodiscard]] std::uint64_t corrected_times() const noexcept { return corrected_times_; }
  [[nodiscard]] std::uint64_t corrected_numbers() const noexcept { return corrected_numbers_; }

 private:
  std::chrono::nanoseconds interval_;
  MonotonicTime last_;
  std::optional<std::uint32_t> sequence_;
  FrameNumber number_;
  std::uint64_t corrected_times_ = 0;
  std::uint64_t corrected_numbers_ = 0;
};

inline MonotonicTime TimestampNormalizer::time(std::optional<MonotonicTime> timestamp, MonotonicTime queued,
                                               MonotonicTime now) noexcept {
  constexpr auto jitter = std::chrono::seconds(1);
  MonotonicTime taken = queued - interval_;
  if (timestamp && *timestamp <= now && *timestamp >= last_) taken = *timestamp;
  else if (timestamp && *timestamp < last_ && last_ - *timestamp < jitter) taken = last_;
  else if (timestamp && (*timestamp < last_ || *timestamp - now >= jitter)) ++corrected_times_;
  last_ = std::max(last_, taken);
  return last_;
}

inline FrameNumber TimestampNormalizer::number(std::uint32_t sequence) noexcept {
  if (!sequence_) {
    sequence_ = sequence;
    return number_;
  }
  const std::uint32_t forward = sequence - *sequence_;
  sequence_ = sequence;
  const bool grew = forward != 0 && forward < (1U << 31);
  if (!grew) ++corrected_numbers_;
  number_ = FrameNumber(number_.value() + (grew ? forward : 1));
  return number_;
}

/// A buffer that the driver filled.
struct Filled {
  std::uint32_t buffer = 0;
  std::uint32_t sequence = 0;
  bool damaged = false;                       ///< V4L2_BUF_FLAG_ERROR
  std::optional<MonotonicTime> timestamp;     ///< only if it is of CLOCK_MONOTONIC
  std::array<ByteView, max_planes> memory{};  ///< the used bytes of each plane; empty if the driver's
                                              ///< numbers exceed the buffer
};

/// Streaming from construction to destruction. Thread-bound. The device must outlive it.
class Stream {
 public:
  /// `planes`: buffers of memory per picture, 1 to 3. Requests `buffers`, or more if the driver needs more. With fewer
  /// than 3, the caller could not lease two pictures. Errors: device_lost, no_memory, unsupported, io (another program
  /// uses the device).
  [[nodiscard]] static Result<Stream> start(V4l2Device& device, bool multi_planar, std::size_t planes,
                                            std::uint32_t buffers);
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&&) = delete;
  /// Stops streaming and unmaps all buffers.
  ~Stream();

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(buffers_.size()); }
  /// Errors: timeout (no picture yet), device_lost (all other errors of the driver; only opening the device again
  /// helps).
  [[nodiscard]] Result<Filled> fetch();
  /// Gives a buffer to the driver. Returns false if the driver rejects it.
  [[nodiscard]] bool queue(std::uint32_t buffer) noexcept;

 private:
  struct Mapped {
    const std::byte* start = nullptr;
    std::size_t length = 0;
  };
  using Buffer = std::array<Mapped, max_planes>;
  Stream(V4l2Device& device, bool multi_planar, std::size_t planes);
  Result<> request_buffers(std::uint32_t count);
  Result<> map(std::uint32_t index);
  Result<> begin();
  void end() noexcept;

  V4l2Device* device_;  // null after a move
  std::uint32_t type_;
  bool multi_planar_;
  std::size_t planes_;
  std::vector<Buffer> buffers_;
};

}  // namespace sealcam::hal::v4l2
