// SPDX-License-Identifier: Apache-2.0
#include "hal/libcamera/module/cameras.hpp"

#include <libcamera/logging.h>
#include <libcamera/property_ids.h>

#include <cerrno>
#include <cstdlib>
#include <iostream>

namespace sealcam::hal::libcamera {

Result<Manager> start_manager() {
  auto manager = std::make_shared<lib::CameraManager>();
  if (const int result = manager->start(); result != 0) return fail(Errc::io, "libcamera does not start", -result);
  // Reports version and cameras only once, because a search for a missing sensor starts it each second. A category
  // exists only after its first line.
  if (::getenv("LIBCAMERA_LOG_LEVELS") == nullptr) {
    for (const char* category : {"Camera", "RPI", "IPAProxy", "SimplePipeline", "Virtual"})
      lib::logSetLevel(category, "WARN");
  }
  return manager;
}

Silence::Silence(bool on)
    : on_(on && ::getenv("LIBCAMERA_LOG_LEVELS") == nullptr && ::getenv("LIBCAMERA_LOG_FILE") == nullptr) {
  if (on_) lib::logSetTarget(lib::LoggingTargetNone);
}

Silence::~Silence() {
  // libcamera's default.
  if (on_) lib::logSetStream(&std::cerr, ::getenv("LIBCAMERA_LOG_NO_COLOR") == nullptr);
}

std::string model_of(const lib::Camera& camera) {
  const auto model = camera.properties().get(lib::properties::Model);
  return model ? std::string(*model) : std::string();
}

std::string location_of(const lib::Camera& camera) {
  const auto location = camera.properties().get(lib::properties::Location);
  if (!location) return {};
  switch (*location) {
    case lib::properties::CameraLocationFront: return "front";
    case lib::properties::CameraLocationBack: return "back";
    case lib::properties::CameraLocationExternal: return "external";
    default: return {};
  }
}

Result<std::shared_ptr<lib::Camera>> find_camera(const lib::CameraManager& manager, const std::string& requested,
                                                 Log& log) {
  const auto cameras = manager.cameras();
  if (cameras.empty()) {
    log.error(
        "libcamera finds no camera: check that it is plugged in and enabled (dmesg), that this libcamera supports the "
        "board (cam -l), and that this user may open /dev/media* and /dev/video* (usually: group video)");
    return fail(Errc::not_found, "libcamera finds no camera");
  }
  if (requested == "auto") return cameras.front();
  for (const auto& camera : cameras) {
    if (camera->id() == requested) return camera;
  }
  for (const auto& camera : cameras) {
    if (model_of(*camera) == requested) return camera;
  }
  std::string known;
  for (const auto& camera : cameras) {
    known += (known.empty() ? "" : ", ") + camera->id();
    if (const auto model = model_of(*camera); !model.empty()) known += " (" + model + ")";
  }
  log.error("libcamera has no camera {}; choose one of: {}", requested, known);
  return fail(Errc::not_found, "libcamera has no such camera");
}

Result<AcquiredCamera> AcquiredCamera::acquire(Manager manager, std::shared_ptr<lib::Camera> camera, Log& log) {
  const int result = camera->acquire();
  if (result == 0) return AcquiredCamera(std::move(manager), std::move(camera));
  if (result == -EBUSY) {
    log.error(
        "{} is in use: another program that uses libcamera opened it, or opened a device of the same pipeline. "
        "'fuser -v /dev/media*' names it; on a desktop it is often PipeWire (systemctl --user stop pipewire "
        "wireplumber), "
        "otherwise rpicam-apps, motion or another sealcam-camera. End it; the camera then tries again.",
        camera->id());
    return fail(Errc::permission, "the camera is in use by another program", -result);
  }
  if (result == -EACCES || result == -EPERM)
    log.error("{} may not be opened: this user must be in the group of its devices (usually video)", camera->id());
  return fail(errc_of(result), "libcamera cannot acquire the camera", -result);
}

AcquiredCamera::~AcquiredCamera() {
  if (camera_) camera_->release();
}

Errc errc_of(int result) noexcept {
  switch (-result) {
    case EBUSY:
    case EACCES:
    case EPERM: return Errc::permission;
    case ENODEV: return Errc::device_lost;
    case ENOMEM:
    case ENOBUFS: return Errc::no_memory;
    case EINVAL: return Errc::unsupported;
    default: return Errc::io;
  }
}

}  // namespace sealcam::hal::libcamera
