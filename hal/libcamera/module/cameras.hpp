// SPDX-License-Identifier: Apache-2.0
/// libcamera's manager and the cameras that it knows. ::libcamera is the library, ours is the namespace inside hal.
#pragma once

#include <libcamera/camera.h>
#include <libcamera/camera_manager.h>

#include <memory>
#include <string>

#include "core/log.hpp"
#include "core/result.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// Runs a thread of the library's. The library allows one at a time in a process.
using Manager = std::shared_ptr<lib::CameraManager>;
/// Errors: io.
[[nodiscard]] Result<Manager> start_manager();

/// As long as it lives libcamera writes nothing itself, if `on`: what it says at a start that finds no camera it says
/// at each, at any level. Where the environment says what libcamera is to write, or where, that counts.
class Silence {
 public:
  explicit Silence(bool on);
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  bool on_;
};

/// The sensor's model, or nothing.
[[nodiscard]] std::string model_of(const lib::Camera& camera);
/// front, back, external, or nothing.
[[nodiscard]] std::string location_of(const lib::Camera& camera);

/// By id, by model, or the first one for "auto". The log says what there is instead. Errors: not_found.
[[nodiscard]] Result<std::shared_ptr<lib::Camera>> find_camera(const lib::CameraManager& manager,
                                                               const std::string& wanted, Log& log);

/// A camera that is ours alone, until destruction. Move-only.
class AcquiredCamera {
 public:
  /// Errors: permission (another program has it; or this user may not), device_lost. Logged with what to do.
  [[nodiscard]] static Result<AcquiredCamera> acquire(Manager manager, std::shared_ptr<lib::Camera> camera, Log& log);
  AcquiredCamera(AcquiredCamera&&) noexcept = default;
  AcquiredCamera& operator=(AcquiredCamera&&) = delete;
  ~AcquiredCamera();

  [[nodiscard]] lib::Camera& operator*() const noexcept { return *camera_; }
  [[nodiscard]] lib::Camera* operator->() const noexcept { return camera_.get(); }
  [[nodiscard]] const std::shared_ptr<lib::Camera>& shared() const noexcept { return camera_; }

 private:
  AcquiredCamera(Manager manager, std::shared_ptr<lib::Camera> camera)
      : manager_(std::move(manager)), camera_(std::move(camera)) {}
  Manager manager_;  // outlives the camera
  std::shared_ptr<lib::Camera> camera_;
};

/// Of a negative errno that the library returned.
[[nodiscard]] Errc errc_of(int result) noexcept;

}  // namespace sealcam::hal::libcamera
