// SPDX-License-Identifier: Apache-2.0
/// Chooses the access units of a sensor that encodes, if the network does not carry all of them.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "stream/capture/capture_control.hpp"

namespace sealcam::stream {

/// The camera cannot reduce the rate of such a stream itself. If the sensor sends more than the bitrate, although it
/// received this bitrate, only key frames pass, with pauses so that they fit. All units pass again when the bitrate has
/// grown to the rate of the sensor; if that was too early, the wait before the next attempt doubles. Logs each change.
/// Has no clock. Allocates nothing per unit. Thread-bound to the capture thread.
class GroupFilter {
 public:
  GroupFilter(Log& log, CaptureControl& control) : log_(log), control_(control) {}

  /// Call this for each access unit, in order. Returns whether it is to be sent.
  bool pass(MonotonicTime captured, std::size_t bytes, bool keyframe);
  /// Deltas are not sent. CaptureControl::keyframes_alone() has the same value.
  [[nodiscard]] bool keyframes_alone() const noexcept { return keyframes_alone_; }
  /// A source was opened. All its units pass at first.
  void reset() noexcept;

 private:
  void measure(MonotonicTime captured, std::size_t bytes);
  void end_window(MonotonicTime captured, double seconds);
  void change(MonotonicTime captured, bool keyframes_alone);

  Log& log_;
  CaptureControl& control_;
  MonotonicTime window_;             // begin of the measurement; zero: none
  std::uint64_t bits_ = 0;           // since then
  double previous_ = 0, rate_ = 0;   // bit/s: of the last window, and of the larger of the last two
  int windows_above_ = 0;            // in succession, in which the sensor sent more than the network carries
  MonotonicTime changed_;            // to or from key frames alone
  MonotonicTime next_keyframe_;      // earliest time
  std::chrono::nanoseconds wait_{};  // with key frames alone, before all units pass again
  bool keyframes_alone_ = false;
};

}  // namespace sealcam::stream
