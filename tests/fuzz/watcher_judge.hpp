// SPDX-License-Identifier: Apache-2.0
/// Watches what a hub shows and knows what the camera did: asserts the promises P2, P3, P4 and P9.
#pragma once

#include <set>

#include "watch/watcher.hpp"
#include "watcher_camera.hpp"

namespace sealcam::fuzz {

class Judge final : public watch::PictureSink {
 public:
  Judge(const HonestCamera& camera, const Clock& clock) : camera_(camera), clock_(clock) {}

  void on_picture(const DeviceId& id, const watch::PictureInfo& picture, ByteView content) override {
    SC_ASSERT(id == cast().camera.id());
    // P2: what the camera made, under its own name, and nothing else.
    const auto* taken = camera_.find(picture.epoch, picture.counter);
    SC_ASSERT(taken != nullptr && taken->kind != protocol::FrameKind::report);
    SC_ASSERT(picture.kind == taken->kind && equal(content, taken->content));
    SC_ASSERT(picture.header.number == taken->header.number && picture.header.captured == taken->header.captured);
    // P3. A hub that forgot an epoch nobody answered in may show its pictures again, but as what they are.
    const bool live = picture.state == watch::CameraState::live;
    const bool first = shown_.insert({picture.epoch, picture.counter}).second;
    SC_ASSERT(first || (!live && !current_));
    SC_ASSERT(!closed_.contains(picture.epoch));
    if (last_ && last_epoch_ == picture.epoch && first) SC_ASSERT(picture.header.number >= last_->header.number);
    // P4.
    const auto age = clock_.monotonic() - taken->when;
    if (live) SC_ASSERT(age <= watch::Freshness::live_for && picture.age.has_value());
    if (picture.age) SC_ASSERT(*picture.age >= age);
    last_ = *taken;
    last_epoch_ = picture.epoch;
  }

  void on_state(const watch::CameraStatus& camera) override { check(camera); }

  /// What the hub says now about its camera.
  void check(const watch::CameraStatus& said) {
    if (said.epoch != current_) {
      if (current_) closed_.insert(*current_);
      current_ = said.epoch;
    }
    // P9: whatever the broker does, a camera that lives once is never taken for two.
    if (said.reason == watch::Reason::cloned)
      SC_ASSERT(camera_.went_back() && said.state == watch::CameraState::offline);
    if (!said.member) forget();
    if (said.state != watch::CameraState::live) return;
    SC_ASSERT(said.member && last_.has_value() && said.epoch.has_value());
    const auto age = clock_.monotonic() - last_->when;
    SC_ASSERT(age <= watch::Freshness::live_for && said.age && *said.age >= age);
  }

  /// The hub started again, or is no member: it may see everything a second time, but not as live.
  void forget() {
    shown_.clear();
    closed_.clear();
    last_.reset();
    current_.reset();
  }

 private:
  const HonestCamera& camera_;
  const Clock& clock_;
  std::set<FrameName> shown_;
  std::set<Epoch> closed_;
  std::optional<Epoch> current_;
  std::optional<Taken> last_;
  Epoch last_epoch_;
};

}  // namespace sealcam::fuzz
