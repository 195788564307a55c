// SPDX-License-Identifier: Apache-2.0
/// Compares the pictures of a hub with those of the camera. Asserts the promises P2, P3, P4 and P9. It has its own
/// time, because the hub's machine may sleep and its clocks may be set.
#pragma once

#include <set>

#include "watch/watcher.hpp"
#include "watcher_camera.hpp"

namespace sealcam::fuzz {

class PictureChecker final : public watch::PictureSink {
 public:
  /// `true_time`: the time now, by the clock that Taken::when uses.
  PictureChecker(const HonestCamera& camera, const MonotonicTime& true_time) : camera_(camera), now_(true_time) {}

  void on_picture(const DeviceId& id, const watch::PictureInfo& picture, ByteView content) override {
    SC_ASSERT(id == parties().camera.id());
    // P2: the hub shows only pictures that the camera sealed.
    const auto* taken = camera_.find(picture.epoch, picture.counter);
    SC_ASSERT(taken != nullptr && taken->kind != protocol::FrameKind::report);
    SC_ASSERT(picture.kind == taken->kind && equal(content, taken->content));
    SC_ASSERT(picture.header.number == taken->header.number && picture.header.captured == taken->header.captured);
    // P3: no picture is shown twice. Exception: if the hub has no current epoch, it may repeat pictures as STALE.
    const bool live = picture.state == watch::CameraState::live;
    const bool first = shown_.insert({picture.epoch, picture.counter}).second;
    SC_ASSERT(first || (!live && !current_));
    SC_ASSERT(!closed_.contains(picture.epoch));
    if (last_ && last_epoch_ == picture.epoch && first)
      SC_ASSERT(watch::at_or_before(last_->header.number, picture.header.number));
    // P4: a LIVE picture is at most 5 s old.
    const auto age = now_ - taken->when;
    if (live) SC_ASSERT(age <= watch::Freshness::live_for && picture.age.has_value());
    if (picture.age) SC_ASSERT(*picture.age >= age);
    last_ = *taken;
    last_epoch_ = picture.epoch;
  }

  void on_state(const watch::CameraStatus& camera) override { check(camera); }

  /// Checks the status of the camera at the hub.
  void check(const watch::CameraStatus& status) {
    if (status.epoch != current_) {
      if (current_) closed_.insert(*current_);
      current_ = status.epoch;
    }
    // P9: the hub never reports a single camera as cloned.
    if (status.reason == watch::Reason::cloned)
      SC_ASSERT(camera_.went_back() && status.state == watch::CameraState::offline);
    if (!status.member) forget();
    // A status never proves privacy. A report proves it for 5 s.
    if (status.privacy) SC_ASSERT(camera_.closed_at() && now_ - *camera_.closed_at() <= watch::Freshness::live_for);
    SC_ASSERT(status.privacy || status.reason != watch::Reason::privacy);
    if (status.state != watch::CameraState::live) return;
    SC_ASSERT(status.member && last_.has_value() && status.epoch.has_value());
    const auto age = now_ - last_->when;
    SC_ASSERT(age <= watch::Freshness::live_for && status.age && *status.age >= age);
  }

  /// Called if the hub restarts or is removed. It may then show all pictures again, but not as LIVE.
  void forget() {
    shown_.clear();
    closed_.clear();
    last_.reset();
    current_.reset();
  }

 private:
  const HonestCamera& camera_;
  const MonotonicTime& now_;
  std::set<FrameName> shown_;
  std::set<protocol::Epoch> closed_;
  std::optional<protocol::Epoch> current_;
  std::optional<Taken> last_;
  protocol::Epoch last_epoch_;
};

}  // namespace sealcam::fuzz
