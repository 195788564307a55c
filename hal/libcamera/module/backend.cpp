// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/libcamera/module/cameras.hpp"
#include "hal/libcamera/module/libcamera_source.hpp"

namespace sealcam::hal::libcamera {

namespace {

std::vector<ControlInfo> controls_of(lib::Camera& camera) {
  double rate = 30;
  lib::ControlList unused(camera.controls());
  const bool rated = set_rate(camera.controls(), rate, unused);
  LibcameraControls controls(camera.controls(), {.rate = rated ? rate : 0, .can_flip = can_flip(camera)});
  return controls.list();
}

/// Does not acquire a camera, because another program may use it.
std::vector<CameraEntry> list_cameras(const lib::CameraManager& manager) {
  std::vector<CameraEntry> entries;
  for (const auto& camera : manager.cameras())
    entries.push_back(
        {camera->id(), model_of(*camera), location_of(*camera), offered_formats(*camera), controls_of(*camera)});
  return entries;
}

class Backend final : public LibcameraBackend {
 private:
  Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) override {
    if (auto r = begin(); !r) return std::unexpected(r.error());
    auto source = LibcameraSource::open(manager_, config, clock, log);
    if (!source) return std::unexpected(source.error());
    return std::move(*source);
  }

  Result<std::vector<CameraEntry>> do_list(Log& log) override {
    if (auto r = begin(); !r) {
      log.error("libcamera: {}", to_string(r.error()));
      return std::unexpected(r.error());
    }
    return list_cameras(*manager_);
  }

  Result<> begin() {
    if (manager_ && !manager_->cameras().empty()) return {};
    const Silence silence(found_none_);
    manager_.reset();  // libcamera allows only one manager
    auto manager = start_manager();
    found_none_ = !manager || (*manager)->cameras().empty();
    if (!manager) return std::unexpected(manager.error());
    manager_ = std::move(*manager);
    return {};
  }

  Manager manager_;
  bool found_none_ = false;  // at the previous start
};

}  // namespace

std::unique_ptr<LibcameraBackend> make_backend() { return std::make_unique<Backend>(); }

}  // namespace sealcam::hal::libcamera
