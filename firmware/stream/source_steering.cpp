// SPDX-License-Identifier: Apache-2.0
#include "stream/source_steering.hpp"

#include <algorithm>

namespace sealcam::stream {

using hal::Control;

void SourceSteering::attach(hal::SourceControls* controls) {
  controls_ = controls;
  bitrate_ = interval_ = keyframe_ = std::nullopt;
  applied_ = std::nullopt;
  failed_ = false;
  const auto list = controls != nullptr ? controls->list() : std::vector<hal::ControlInfo>();
  std::string lacking;
  const auto find = [&](std::optional<hal::ControlInfo>& into, Control control) {
    const auto at = std::ranges::find(list, control, &hal::ControlInfo::control);
    if (at != list.end() && !at->read_only) into = *at;
    else lacking.append(lacking.empty() ? "" : ", ").append(hal::name(control));
  };
  find(bitrate_, Control::bitrate);
  find(interval_, Control::keyframe_interval);
  find(keyframe_, Control::keyframe);
  if (lacking == lacking_) return;
  lacking_ = lacking;
  if (!lacking.empty())
    log_.warning("the sensor encodes by itself and cannot be told: {}; on a bad network whole groups are lost",
                 lacking);
}

void SourceSteering::set(const std::optional<hal::ControlInfo>& info, double value) {
  if (controls_ == nullptr || !info) return;
  const double inside = info->kind == hal::ControlKind::action ? 0 : std::clamp(value, info->min, info->max);
  const auto done = controls_->set({info->control, {.value = inside}});
  // A lost device shows itself with the next picture.
  if (done || done.error().code == Errc::device_lost || std::exchange(failed_, true)) return;
  log_.warning("the sensor does not take {}: {}", hal::name(info->control), to_string(done.error()));
}

void SourceSteering::follow(const Quality& quality) {
  if (!applied_ || applied_->bitrate != quality.bitrate) set(bitrate_, quality.bitrate.value());
  if (!applied_ || applied_->keyframe_interval != quality.keyframe_interval) set(interval_, quality.keyframe_interval);
  applied_ = quality;
}

void SourceSteering::request_keyframe() { set(keyframe_, 0); }

}  // namespace sealcam::stream
