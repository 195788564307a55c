// SPDX-License-Identifier: Apache-2.0
/// libcamera's manager and its cameras. The library is ::libcamera; this project's namespace is inside hal.
#pragma once

#include <libcamera/camera.h>
#include <libcamera/camera_manager.h>

#include <memory>
#include <string>

#include "base/log.hpp"
#include "base/result.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// Owns a thread of the library. A process may have only one manager.
using Manager = std::shared_ptr<lib::CameraManager>;
/// Errors: io.
[[nodiscard]] Result<Manager> start_manager();

/// With `on`, disables libcamera's own log until destruction, because libcamera repeats its messages at each start
/// without a camera. It has no effect if libcamera's environment variables configure the log.
class Silence {
 public:
  explicit Silence(bool on);
  ~Silence();
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  bool on_;
};

/// The sensor's model; may be empty.
[[nodiscard]] std::string model_of(const lib::Camera& camera);
/// front, back, external, or empty.
[[nodiscard]] std::string location_of(const lib::Camera& camera);

/// Finds a camera by id or model, or the first one for "auto". On failure, logs the existing cameras. Errors:
/// not_found.
[[nodiscard]] Result<std::shared_ptr<lib::Camera>> find_camera(const lib::CameraManager& manager,
                                                               const std::string& requested, Log& log);

/// Exclusive use of a camera until destruction. Move-only.
class AcquiredCamera {
 public:
  /// Errors: permission (another program uses it, or this user may not open it), device_lost. Logs the next step.
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

/// Maps a negative errno of the library.
[[nodiscard]] Errc errc_of(int result) noexcept;

}  // namespace sealcam::hal::libcamera
