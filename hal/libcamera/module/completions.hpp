// SPDX-License-Identifier: Apache-2.0
/// Carries finished requests from libcamera's thread to the capture thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "core/clock.hpp"

namespace sealcam::hal::libcamera {

/// A queue of request numbers with room for each request there is. A request is in it at most once, so it cannot
/// overflow and drops nothing. Thread-safe.
class Completions {
 public:
  struct Done {
    std::uint32_t request = 0;
    bool cancelled = false;  ///< it has no picture
  };

  explicit Completions(std::size_t requests) : ring_(requests) {}

  void push(Done done);
  /// The camera is gone; for good.
  void lose();
  [[nodiscard]] bool lost() const;
  /// Waits in real time until one is there, the camera is lost, or `timeout` (> 0) is over. Nothing unless one is
  /// there.
  [[nodiscard]] std::optional<Done> wait(std::chrono::nanoseconds timeout);
  /// Waits in real time, until the camera is lost at most.
  void pause(std::chrono::nanoseconds time);
  /// The next one if there are at least `least`.
  [[nodiscard]] std::optional<Done> take(std::size_t least);

 private:
  [[nodiscard]] Done pop();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Done> ring_;
  std::size_t first_ = 0, count_ = 0;
  bool lost_ = false;
};

}  // namespace sealcam::hal::libcamera
