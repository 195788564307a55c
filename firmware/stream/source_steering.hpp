// SPDX-License-Identifier: Apache-2.0
/// Tells a sensor that delivers H.264 what an encoder would have been told.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "core/log.hpp"
#include "hal/source_controls.hpp"
#include "stream/capture_control.hpp"

namespace sealcam::stream {

/// What the sensor cannot do is said once in the log and left alone; a value outside its range becomes the nearest one
/// inside. Thread-bound to the capture thread. Allocates nothing in steady state.
class SourceSteering {
 public:
  explicit SourceSteering(Log& log) : log_(log) {}

  /// A source that encodes was opened. Its controls (null: it has none) must outlive the call of detach().
  void attach(hal::SourceControls* controls);
  void detach() noexcept { controls_ = nullptr; }
  /// Sets bitrate and key frame interval where they differ from what was set before.
  void follow(const Quality& quality);
  void request_keyframe();

 private:
  void set(const std::optional<hal::ControlInfo>& info, double value);

  Log& log_;
  hal::SourceControls* controls_ = nullptr;
  std::optional<hal::ControlInfo> bitrate_, interval_, keyframe_;  // those that can be set
  std::optional<Quality> applied_;
  std::string lacking_;  // as it was last said
  bool failed_ = false;
};

}  // namespace sealcam::stream
