// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/encoding_sensor.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace sealcam::stream {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

static constexpr auto window = 2s;              // sensors send a key frame every one or two seconds
static constexpr double rate_tolerance = 1.25;  // the rate of a sensor varies
static constexpr nanoseconds first_wait = 10s, max_wait = 160s;
static constexpr auto too_soon = 15s;  // for key frames alone after an attempt with all units
static constexpr std::uint64_t bits_per_byte = 8;

namespace {

/// The bitrate that the sensor may send, with the overhead of its frames.
double allowed(const Quality& quality) noexcept {
  const std::chrono::duration<double> interval = quality.min_interval;
  const double pictures = interval.count() == 0 ? 30 : 1 / interval.count();
  return quality.bitrate.value() + pictures * static_cast<double>(frame_overhead * bits_per_byte);
}

}  // namespace

void GroupFilter::reset() noexcept {
  window_ = {};
  keyframes_alone_ = false;
  control_.set_keyframes_alone(false);
}

void GroupFilter::change(MonotonicTime captured, bool keyframes_alone) {
  const auto kbit = static_cast<std::uint64_t>(rate_ / 1000);
  if (keyframes_alone) {
    const bool again = changed_ != MonotonicTime{} && captured - changed_ < too_soon;
    wait_ = again ? std::min(wait_ * 2, max_wait) : first_wait;
    log_.warning("the network does not carry the {} kbit/s of the sensor; sending key frames alone", kbit);
  } else {
    log_.info("the network may carry the {} kbit/s of the sensor; sending all pictures", kbit);
  }
  changed_ = captured;
  keyframes_alone_ = keyframes_alone;
  windows_above_ = 0;
  next_keyframe_ = {};
  control_.set_keyframes_alone(keyframes_alone);
}

void GroupFilter::end_window(MonotonicTime captured, double seconds) {
  const double now = static_cast<double>(bits_) / seconds;
  rate_ = std::max(previous_, now);
  previous_ = now;
  window_ = captured;
  bits_ = 0;
  const double limit = allowed(control_.quality());
  windows_above_ = control_.reduced() && now > limit * rate_tolerance ? windows_above_ + 1 : 0;
  // The sensor received the bitrate during the first of them, and may need the second one to follow.
  if (!keyframes_alone_ && windows_above_ >= 3) change(captured, true);
  else if (keyframes_alone_ && captured - changed_ >= wait_ && (!control_.reduced() || rate_ <= limit))
    change(captured, false);
}

void GroupFilter::measure(MonotonicTime captured, std::size_t bytes) {
  // No hub watched, or the sensor paused.
  if (window_ == MonotonicTime{} || captured - window_ > 3 * window) {
    window_ = captured;
    bits_ = 0;
    previous_ = rate_ = 0;
    windows_above_ = 0;
  }
  const std::chrono::duration<double> elapsed = captured - window_;
  if (elapsed >= window) end_window(captured, elapsed.count());
  bits_ += (bytes + frame_overhead) * bits_per_byte;
}

bool GroupFilter::pass(MonotonicTime captured, std::size_t bytes, bool keyframe) {
  measure(captured, bytes);
  if (!keyframes_alone_) return true;
  if (!keyframe || control_.hold() || captured < next_keyframe_) return false;
  const double seconds = static_cast<double>(bytes + frame_overhead) * bits_per_byte / allowed(control_.quality());
  next_keyframe_ = captured + std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
  return true;
}

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
