// SPDX-License-Identifier: Apache-2.0
/// Sensors, by the backend that the configuration names, or by the one that has any.
#pragma once

#include <filesystem>
#include <string>

#include "camera/camera_config.hpp"
#include "hal/frame_source.hpp"
#include "hal/libcamera/libcamera_backend.hpp"
#include "hal/v4l2/v4l2_source.hpp"
#include "stream/backoff.hpp"

namespace sealcam::camera {

/// Passes lines on, but for errors between hold() and release(), which are kept. Thread-bound.
class HeldLog final : public Log {
 public:
  /// `inner` must outlive it and decides by level.
  explicit HeldLog(Log& inner) : inner_(inner) { set_level(LogLevel::debug); }
  void hold() { holds_ = true; }
  /// The errors since then, in one line; empty when there were none.
  [[nodiscard]] std::string release();

 private:
  void write(LogLevel level, std::string_view line) override;

  Log& inner_;
  bool holds_ = false;
  std::string held_;
};

/// The backend "auto" is the first V4L2 sensor and, where there is none, libcamera's first camera: V4L2 has the USB
/// cameras, those whose firmware encodes and those that need no processing, at less cost, while the nodes of what only
/// libcamera can drive are no V4L2 sensors. A V4L2 sensor that is in use or fails is no reason to take another: which
/// one is looked through must not depend on what else runs. Nor is a node that may not be opened: it may be the sensor,
/// and libcamera's devices have the same group. libcamera is not touched, so its module not loaded, while V4L2 has a
/// sensor. Where both have none, one line says why, and libcamera is asked again after 1 s, then less often, at last
/// each 15 s: camera modules do not come while the board runs, but late at its start their drivers do. Thread-bound.
class SensorChoice {
 public:
  /// All but `open_device` must outlive it and the sources; `libcamera` is not called before it is needed.
  SensorChoice(std::filesystem::path devices, hal::v4l2::DeviceOpener open_device,
               hal::libcamera::LibcameraBackend& libcamera, const Clock& clock, Log& log);

  /// `source.backend`: v4l2, libcamera or auto. Errors: those of the backend that was taken; not_found with auto:
  /// neither has a sensor.
  [[nodiscard]] Result<std::unique_ptr<hal::FrameSource>> open(const SourceConfig& source, hal::Size size);

 private:
  using Source = Result<std::unique_ptr<hal::FrameSource>>;
  [[nodiscard]] Source open_v4l2(hal::v4l2::OpenSensor sensor, const hal::v4l2::V4l2Config& config);
  [[nodiscard]] Source open_libcamera(const SourceConfig& source, hal::Size size, Log& log);
  [[nodiscard]] Source open_either(const SourceConfig& source, hal::Size size, const hal::v4l2::V4l2Config& config);
  [[nodiscard]] Source ask_libcamera(const SourceConfig& source, hal::Size size);

  std::filesystem::path devices_;
  hal::v4l2::DeviceOpener open_device_;
  hal::libcamera::LibcameraBackend& libcamera_;
  const Clock& clock_;
  Log& log_;
  HeldLog libcamera_log_;  // lives as long as libcamera's sources
  stream::Backoff libcamera_rest_;
  Error libcamera_error_{Errc::not_found, 0, ""};  // of the last time, and what was said of it
  std::string libcamera_words_;
};

}  // namespace sealcam::camera
