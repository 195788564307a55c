// SPDX-License-Identifier: Apache-2.0
/// Measures how far the camera's own connection is behind.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "transport/mqtt/mqtt.hpp"

namespace sealcam::stream {

/// Measured on one path.
struct PathEstimate {
  std::chrono::nanoseconds delay{};  ///< time that data waits in queues
  std::uint64_t rate = 0;            ///< bit/s that the path carried while it was busy; 0: none, or unknown
};

/// Compares the unacknowledged bytes with the rate at which the broker's TCP acknowledges them. While the connection
/// was busy without a pause, their quotient is the time that a new byte waits. A burst that leaves within `min_busy`
/// does not count. The time until the first byte after a pause is acknowledged is the delay of other traffic in the
/// same queues, and does not count either: a lower bitrate would not change it. Has no clock. Allocates nothing.
/// Thread-bound.
class SendBacklog {
 public:
  static constexpr std::chrono::milliseconds window{1000};
  static constexpr std::chrono::milliseconds min_busy{150};
  static constexpr std::chrono::seconds max_other{1};  ///< delay of other traffic; LIVE needs recent pictures
  static constexpr std::chrono::seconds other_lifetime{10};

  /// `frames`: the maximum number that the connection has not taken yet.
  explicit SendBacklog(std::size_t frames) : frames_(frames) {}

  /// A frame was passed to the connection. Returns its slot.
  std::size_t add(std::size_t bytes) noexcept;
  /// The connection took the frame, or failed. Returns its bytes.
  std::size_t remove(std::size_t slot) noexcept;
  [[nodiscard]] std::size_t frames() const noexcept { return used_frames_; }

  /// Call this before and after each frame, and ten times a second.
  PathEstimate measure(MonotonicTime now, const transport::SendProgress& progress) noexcept;
  /// Forgets everything, because the connection or the watching ended.
  void reset() noexcept {
    used_ = 0;
    other_ = {};
  }

 private:
  struct Sample {
    MonotonicTime at;
    std::uint64_t acknowledged = 0;
  };
  [[nodiscard]] Sample& sample(std::size_t index) noexcept { return samples_[(first_ + index) % samples_.size()]; }
  void add(const Sample& sample) noexcept;
  [[nodiscard]] std::size_t waiting(std::size_t unsent) const noexcept;
  void measure_other(MonotonicTime now, const transport::SendProgress& progress) noexcept;

  struct Frame {
    std::size_t bytes = 0;  // 0: free
    std::uint64_t number = 0;
  };
  std::vector<Frame> frames_;
  std::size_t used_frames_ = 0;
  std::uint64_t next_number_ = 0;
  std::array<Sample, 64> samples_{};  // since the connection was idle, at most `window` old
  std::size_t first_ = 0;
  std::size_t used_ = 0;
  MonotonicTime busy_since_;
  bool first_byte_ = false;           // after the pause, is not acknowledged yet
  std::chrono::nanoseconds other_{};  // delay of other traffic
  MonotonicTime other_at_;
};

}  // namespace sealcam::stream
