// SPDX-License-Identifier: Apache-2.0
/// Passes finished requests from libcamera's thread to the capture thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"

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

}  // namespace sealcam::hal::libcamera
