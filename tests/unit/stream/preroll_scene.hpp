// SPDX-License-Identifier: Apache-2.0
/// A camera that takes pictures at a steady rate, and a hub that requests them each second.
#pragma once

#include <deque>
#include <functional>

#include "support/camera_scene.hpp"

namespace sealcam::test {

/// A picture of the sensor, as the test knows it.
struct Taken {
  FrameNumber number;
  MonotonicTime captured;
  CaptureTime wall;
  bool key = false;
  bool moves = false;
  bool encoded = false;  ///< the encoder received it
};

/// The sensor takes a picture every `interval`, also while no picture is needed. The encoder works as the capture loop:
/// it encodes while the control is active, and makes key frames when the queue or the publisher requests one. It
/// returns a picture after `delay` more pictures, also if the camera needed none in between.
struct PrerollScene : CameraScene {
  static constexpr std::chrono::milliseconds request_interval{1000};
  std::chrono::milliseconds interval{200};
  std::optional<protocol::RequestKind> requests = protocol::RequestKind::motion;  ///< of `hub`, each second
  std::size_t keyframe_interval = 1000;                                           ///< pictures
  std::size_t delay = 0;
  bool answers = true;        ///< the connection takes frames
  bool reports_late = false;  ///< a fault of the encoder: it reports the time at which it returned a picture
  std::function<void(protocol::RequestKind)> on_request = [](protocol::RequestKind) {};
  std::vector<Taken> taken;

  explicit PrerollScene(const stream::PreRollLimits& limits = {}, device::PastStore* past = nullptr)
      : CameraScene(false, limits, past) {
    auto content = roster_of(camera, 1, {&hub, &second});
    content.hubs[0].may_switch_privacy = true;
    stores.roster.content = must(protocol::encode_roster(content, route, owner.keys().identity));
    run();
  }

  /// Time passes, with one picture, one tick and perhaps one request in each interval.
  void pass(std::chrono::milliseconds time, bool moves = false) {
    for (; time.count() > 0; time -= interval) {
      clock.advance(interval);
      since_request_ += interval;
      if (requests && since_request_ >= request_interval) {
        since_request_ = std::chrono::milliseconds(0);
        on_request(*requests);
        receive_request(hub, *requests);
      }
      if (!control.closed()) take_picture(moves);
      publisher.tick();
      if (answers) client.settle();
    }
  }
  /// The encoder returns all pictures that it holds.
  void flush() {
    while (!encoder_.empty()) return_picture();
  }
  [[nodiscard]] std::size_t reports() const {
    std::size_t count = 0;
    for (const auto& seen : seen_by(hub)) count += seen.kind == protocol::FrameKind::report ? 1U : 0U;
    return count;
  }

 private:
  void take_picture(bool moves) {
    const MonotonicTime now = clock.monotonic();
    const FrameNumber id(number++);
    const auto echoes = challenges.pick(now);
    if (!control.active()) {
      taken.push_back({id, now, clock.wall(), false, moves});
      return;
    }
    const bool requested = control.take_keyframe_request();
    const bool key = queue.take_keyframe_request() || requested || ++since_key_ >= keyframe_interval;
    if (key) since_key_ = 0;
    taken.push_back({id, now, clock.wall(), key, moves, true});
    encoder_.push_back({id, now, echoes, {64, 48}, key, moves});
    while (encoder_.size() > delay) return_picture();
  }
  void return_picture() {
    auto info = encoder_.front();
    encoder_.pop_front();
    if (reports_late) info.captured = clock.monotonic();
    queue.push(Bytes(40, static_cast<std::byte>(info.number.value())), info);
    publisher.frames_ready();
  }

  std::deque<stream::UnitInfo> encoder_;
  std::chrono::milliseconds since_request_{1000};
  std::size_t since_key_ = 0;
};

}  // namespace sealcam::test
