// SPDX-License-Identifier: Apache-2.0
/// A sensor that encodes: its controls, and the choice of its access units if the network does not carry all of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hal/frame_source.hpp"
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
  MonotonicTime window_;             // beginning of the measurement; zero: no measurement
  std::uint64_t bits_ = 0;           // since then
  double previous_ = 0, rate_ = 0;   // bit/s: of the last window, and of the larger of the last two
  int windows_above_ = 0;            // in succession, in which the sensor sent more than the network carries
  MonotonicTime changed_;            // to or from key frames alone
  MonotonicTime next_keyframe_;      // earliest time
  std::chrono::nanoseconds wait_{};  // with key frames alone, before all units pass again
  bool keyframes_alone_ = false;
};

/// Controls a sensor that delivers H.264 as an encoder would be controlled. Logs once which controls the sensor lacks.
/// Clamps a value to the control's range. Allocates nothing in steady state. Thread-bound to the capture thread.
class SourceController {
 public:
  explicit SourceController(Log& log) : log_(log) {}

  /// A source that encodes was opened. `controls` must outlive the call of detach(). Null: the source has no controls.
  void attach(hal::SourceControls* controls);
  void detach() noexcept { controls_ = nullptr; }
  /// Sets bitrate and key frame interval if they differ from the last values. `keyframes_alone`: deltas are not sent,
  /// so the interval stays as configured.
  void follow(const Quality& quality, bool keyframes_alone);
  void request_keyframe();

 private:
  void set(const std::optional<hal::ControlInfo>& info, double value);

  Log& log_;
  hal::SourceControls* controls_ = nullptr;
  std::optional<hal::ControlInfo> bitrate_, interval_, keyframe_;  // controls that can be set
  std::optional<Quality> applied_;
  std::uint16_t keyframe_interval_ = 0, usual_interval_ = 0;
  std::string missing_;  // as last logged
  bool failed_ = false;
};

}  // namespace sealcam::stream
