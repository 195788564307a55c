// SPDX-License-Identifier: Apache-2.0
/// Passes finished requests from libcamera's thread to the capture thread, evaluates them, and orders and limits their
/// pictures.
#pragma once

#include <libcamera/framebuffer.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/types.hpp"

namespace sealcam::hal::libcamera {

/// A queue of request numbers. Each request is in it at most once, so that a queue with one place per request drops
/// nothing. Thread-safe.
class Completions {
 public:
  struct Done {
    std::uint32_t request = 0;
    bool canceled = false;  ///< it has no picture
  };

  explicit Completions(std::size_t requests) : ring_(requests) {}

  void push(Done done);
  /// Marks the camera as lost, permanently.
  void lose();
  [[nodiscard]] bool lost() const;
  /// Waits in real time for a request, up to `timeout` (> 0). Returns nothing after the timeout or if the camera is
  /// lost.
  [[nodiscard]] std::optional<Done> wait(std::chrono::nanoseconds timeout);
  /// Waits in real time. Returns early if the camera is lost.
  void pause(std::chrono::nanoseconds time);
  /// Returns the next request if the queue has at least `count`.
  [[nodiscard]] std::optional<Done> take(std::size_t count);

 private:
  [[nodiscard]] Done pop();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Done> ring_;
  std::size_t first_ = 0, count_ = 0;
  bool lost_ = false;
};

inline void Completions::push(Done done) {
  const std::scoped_lock lock(mutex_);
  SC_ASSERT(count_ < ring_.size());
  ring_[(first_ + count_++) % ring_.size()] = done;
  changed_.notify_one();
}

inline void Completions::lose() {
  const std::scoped_lock lock(mutex_);
  lost_ = true;
  changed_.notify_one();
}

inline bool Completions::lost() const {
  const std::scoped_lock lock(mutex_);
  return lost_;
}

inline Completions::Done Completions::pop() {
  const Done done = ring_[first_];
  first_ = (first_ + 1) % ring_.size();
  --count_;
  return done;
}

inline std::optional<Completions::Done> Completions::wait(std::chrono::nanoseconds timeout) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, timeout, [this] { return count_ > 0 || lost_; });
  if (lost_ || count_ == 0) return std::nullopt;
  return pop();
}

inline void Completions::pause(std::chrono::nanoseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return lost_; });
}

inline std::optional<Completions::Done> Completions::take(std::size_t count) {
  const std::scoped_lock lock(mutex_);
  if (lost_ || count_ == 0 || count_ < count) return std::nullopt;
  return pop();
}

namespace lib = ::libcamera;

struct Report {
  enum class Kind : std::uint8_t {
    good,
    damaged,
    none,  ///< no usable picture: canceled, or one of the first pictures of a pipeline
  };
  Kind kind = Kind::good;
  std::uint32_t sequence = 0;
  std::uint64_t timestamp = 0;  ///< ns
  std::size_t used = 0;         ///< bytes of the first plane
};

/// `needed`: bytes of a complete picture in each plane; empty if it is compressed. `sensor_time`: the request's
/// SensorTimestamp. `request`: the request's number. The virtual pipeline of libcamera 0.4 does not fill the buffer's
/// report. Then the numbers of the request are used.
[[nodiscard]] Report report_of(const lib::FrameBuffer& buffer, std::span<const std::size_t> needed,
                               std::optional<std::int64_t> sensor_time, std::uint32_t request);

/// Corrects capture times and numbers, so that both never decrease. Thread-bound.
class FrameOrder {
 public:
  /// `start`: when streaming started. `interval`: between two pictures.
  FrameOrder(MonotonicTime start, std::chrono::nanoseconds interval) : interval_(interval), last_(start) {}
  /// libcamera documents the sensor's time as the boot-time clock, but its pipelines use the monotonic clock. Both
  /// differ after the machine has slept. A time in the future, or far before the previous picture, is not usable. Other
  /// old times are.
  [[nodiscard]] bool usable(std::uint64_t timestamp, MonotonicTime now) const noexcept;
  /// Returns when the picture was taken. Without a usable time: one interval before its request was `queued`, because a
  /// picture must not look newer than it is (TimestampNormalizer of hal/v4l2).
  [[nodiscard]] MonotonicTime time(std::uint64_t timestamp, MonotonicTime queued, MonotonicTime now) noexcept;
  /// Returns 0 for the first picture, then the difference that the camera counts, also across the wrap at 2^32.
  [[nodiscard]] FrameNumber number(std::uint32_t sequence) noexcept;
  /// Skips a picture without a gap in the numbers.
  void skip() noexcept { ++passed_; }
  /// Adds a gap for lost pictures that the camera did not count.
  void add_gap(std::uint32_t pictures) noexcept { number_ += pictures; }

 private:
  static constexpr std::chrono::seconds jitter{1};  ///< of pipelines that calculate the time
  std::chrono::nanoseconds interval_;
  MonotonicTime last_;
  std::optional<std::uint32_t> sequence_;
  std::uint32_t number_ = 0;
  std::uint32_t passed_ = 0;
};

/// Limits a camera that ignores its rate. Some pipelines do not support FrameDurationLimits (uvcvideo, simple), and the
/// virtual pipeline ignores them. Encoder and network expect the configured rate, so that the source takes only the
/// newest picture at each interval. Thread-bound.
class FrameRateLimiter {
 public:
  /// `rate` > 0.
  explicit FrameRateLimiter(double rate);

  /// Call it for each picture. Limiting starts if the first pictures come at more than 1.5 times the rate.
  void add(MonotonicTime captured) noexcept;
  /// Whether it limits the rate. It never stops again.
  [[nodiscard]] bool limits() const noexcept { return limits_; }
  /// While it limits: returns when the next picture is due. If the caller is late by up to `depth` intervals, it
  /// catches up. More intervals are missed.
  [[nodiscard]] MonotonicTime due(MonotonicTime now) noexcept;
  /// Returns the number of intervals missed since the last call.
  [[nodiscard]] std::uint32_t missed() noexcept { return std::exchange(missed_, 0); }
  /// The due picture was taken.
  void advance() noexcept { due_ = due_ + interval_; }

 private:
  static constexpr std::size_t window = 4;  // intervals
  static constexpr int depth = 3;
  std::chrono::nanoseconds interval_;
  std::array<MonotonicTime, window> last_{};
  std::size_t seen_ = 0;
  bool limits_ = false;
  MonotonicTime due_{};
  std::uint32_t missed_ = 0;
};

}  // namespace sealcam::hal::libcamera
