// SPDX-License-Identifier: Apache-2.0
/// libcamera's manager, its cameras and their controls. The library is ::libcamera; this project's namespace is inside
/// hal.
#pragma once

#include <libcamera/camera.h>
#include <libcamera/camera_manager.h>
#include <libcamera/controls.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::libcamera {

namespace lib = ::libcamera;

/// Values that the camera's configuration fixed.
struct Fixed {
  double rate = 0;  ///< pictures per second
  bool can_flip = false, hflip = false, vflip = false;
};

/// Collects settings for the next request, as libcamera requires. A camera loses all settings when it is closed.
/// `infos` belongs to the camera, and must exist longer than this object. Thread-bound.
class LibcameraControls final : public SourceControls {
 public:
  LibcameraControls(const lib::ControlInfoMap& infos, const Fixed& fixed);

  /// Moves the settings that changed since the last call into `target`.
  void move_to(lib::ControlList& target);
  /// Reads the values that a finished request used.
  void update(const lib::ControlList& metadata);

 private:
  std::vector<ControlInfo> do_list() override { return known_; }
  Result<> do_set(const Setting& setting) override;
  void add(Control control, const lib::ControlId& value, const lib::ControlId* automatic);
  void add_toggle(Control control, bool on);
  [[nodiscard]] bool has(const lib::ControlId& id) const { return infos_.find(&id) != infos_.end(); }

  const lib::ControlInfoMap& infos_;
  std::vector<ControlInfo> known_;
  lib::ControlList pending_;
};

/// Sets the duration of pictures for start(), as near to `rate` as possible, and sets `rate` to the result. Returns
/// false if the camera has no such control.
bool set_rate(const lib::ControlInfoMap& infos, double& rate, lib::ControlList& target);

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
