// SPDX-License-Identifier: Apache-2.0
/// Keeps a camera that does not obey its rate at that rate. Logic only.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/clock.hpp"

namespace sealcam::hal::libcamera {

/// Some pipelines know no FrameDurationLimits (uvcvideo, simple), and the virtual one ignores them and fills a buffer
/// as soon as it gets one. Encoder and network are set up for the rate that was promised: of such a camera only the
/// newest picture at each beat is taken. Thread-bound.
class Pace {
 public:
  /// `rate` > 0.
  explicit Pace(double rate);

  /// A picture was handed on. The first few decide: one and a half times the rate is too fast.
  void saw(MonotonicTime captured) noexcept;
  /// Whether pictures are held to the beat; it stays so.
  [[nodiscard]] bool holds() const noexcept { return holds_; }
  /// While it holds: when the next picture is due. Up to `depth` beats that nobody fetched are made up for, as a ring
  /// of buffers would; more are missed.
  [[nodiscard]] MonotonicTime due(MonotonicTime now) noexcept;
  /// Beats missed since the last call: pictures that were lost.
  [[nodiscard]] std::uint32_t missed() noexcept { return std::exchange(missed_, 0); }
  /// The picture that was due is taken.
  void beat() noexcept { due_ = due_ + interval_; }

 private:
  static constexpr std::size_t window = 4;  // intervals
  static constexpr int depth = 3;
  std::chrono::nanoseconds interval_;
  std::array<MonotonicTime, window> last_{};
  std::size_t seen_ = 0;
  bool holds_ = false;
  MonotonicTime due_{};
  std::uint32_t missed_ = 0;
};

}  // namespace sealcam::hal::libcamera
