// SPDX-License-Identifier: Apache-2.0
/// Controls a sensor that encodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "hal/frame_source.hpp"
#include "stream/capture/capture_control.hpp"

namespace sealcam::stream {

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
