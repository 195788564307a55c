// SPDX-License-Identifier: Apache-2.0
/// A backend for the web server with one camera, one group of pictures and three constant texts.
#pragma once

#include "hub/web/server.hpp"

namespace sealcam::fuzz {

inline constexpr std::string_view state_text = R"({"type":"state","mark":"the hub's state"})";
inline constexpr std::string_view hello_text = R"({"type":"hello","mark":"the hub's first message"})";
inline constexpr std::string_view metrics_text = "# mark: the hub's metrics\n";

class WebBackend final : public hub::web::WebBackend {
 public:
  WebBackend() {
    watch::PictureInfo picture;
    picture.kind = protocol::FrameKind::key;
    group_.add(picture, Bytes(40, std::byte{0x42}));
    picture.kind = protocol::FrameKind::delta;
    group_.add(picture, Bytes(20, std::byte{0x43}));
  }
  [[nodiscard]] std::string hello() const override { return std::string(hello_text); }
  [[nodiscard]] std::string state() const override { return std::string(state_text); }
  [[nodiscard]] std::string metrics() const override { return std::string(metrics_text); }
  [[nodiscard]] std::set<DeviceId> cameras() const override { return {DeviceId()}; }
  [[nodiscard]] std::vector<watch::CameraStatus> statuses() const override {
    watch::CameraStatus camera;
    camera.name = "Door";
    return {camera};
  }
  [[nodiscard]] const watch::PictureGroup* newest(const DeviceId& camera) const override {
    return camera == DeviceId() ? &group_ : nullptr;
  }
  Result<> switch_privacy(const DeviceId&, bool) override { return fail(Errc::permission, "no"); }
  void on_interest(bool all, std::set<DeviceId> cameras) override {
    all_ = all;
    desired_ = std::move(cameras);
  }
  /// Returns whether a client watches a camera.
  [[nodiscard]] bool interest() const { return all_ || !desired_.empty(); }

 private:
  watch::PictureGroup group_{1U << 20};
  bool all_ = false;
  std::set<DeviceId> desired_;
};

}  // namespace sealcam::fuzz
