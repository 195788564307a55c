// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/source_controller.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sealcam::stream {

using namespace std::chrono_literals;
using hal::Control;

static constexpr std::uint16_t slow_keyframe_interval = 300;  // pictures

void SourceController::attach(hal::SourceControls* controls) {
  controls_ = controls;
  bitrate_ = interval_ = keyframe_ = std::nullopt;
  applied_ = std::nullopt;
  failed_ = false;
  const auto list = controls != nullptr ? controls->list() : std::vector<hal::ControlInfo>();
  std::string missing;
  const auto find = [&](std::optional<hal::ControlInfo>& into, Control control) {
    const auto at = std::ranges::find(list, control, &hal::ControlInfo::control);
    if (at != list.end() && !at->read_only) into = *at;
    else missing.append(missing.empty() ? "" : ", ").append(hal::name(control));
  };
  find(bitrate_, Control::bitrate);
  find(interval_, Control::keyframe_interval);
  find(keyframe_, Control::keyframe);
  if (missing == missing_) return;
  missing_ = missing;
  if (!missing.empty())
    log_.warning(
        "the sensor encodes and has no control for {}; if the network carries less than the sensor sends, the camera "
        "sends key frames alone",
        missing);
}

void SourceController::set(const std::optional<hal::ControlInfo>& info, double value) {
  if (controls_ == nullptr || !info) return;
  const double clamped = info->kind == hal::ControlKind::action ? 0 : std::clamp(value, info->min, info->max);
  const auto done = controls_->set({info->control, {.value = clamped}});
  // A lost device is reported with the next picture.
  if (done || done.error().code == Errc::device_lost || std::exchange(failed_, true)) return;
  log_.warning("cannot set the sensor's control {}: {}", hal::name(info->control), to_string(done.error()));
}

void SourceController::follow(const Quality& quality, bool keyframes_alone) {
  if (!applied_ || applied_->bitrate != quality.bitrate) set(bitrate_, quality.bitrate.value());
  // A sensor that encodes delivers all pictures, also on a slow network.
  if (quality.min_interval == 0ms) usual_interval_ = quality.keyframe_interval;
  const bool usual = keyframes_alone && usual_interval_ != 0;
  const std::uint16_t slow = usual ? usual_interval_ : slow_keyframe_interval;
  const auto keyframe_interval = quality.min_interval == 0ms ? quality.keyframe_interval : slow;
  if (!applied_ || keyframe_interval_ != keyframe_interval) set(interval_, keyframe_interval);
  keyframe_interval_ = keyframe_interval;
  applied_ = quality;
}

void SourceController::request_keyframe() { set(keyframe_, 0); }

}  // namespace sealcam::stream
