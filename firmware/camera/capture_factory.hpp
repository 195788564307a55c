// SPDX-License-Identifier: Apache-2.0
/// The sensors and encoders that this program knows.
#pragma once

#include "camera/camera_config.hpp"
#include "camera/once_log.hpp"
#include "hal/libcamera/load.hpp"
#include "stream/capture_loop.hpp"

namespace sealcam::camera {

/// Opens what the configuration names. Thread-bound to the capture thread.
class ConfiguredCapture final : public stream::CaptureFactory {
 public:
  ConfiguredCapture(const CameraConfig& config, const Clock& clock, Log& log)
      : config_(config), clock_(clock), log_(log), source_log_(log) {}

 private:
  Result<std::unique_ptr<hal::FrameSource>> do_open_source(int shrink) override;
  Result<std::unique_ptr<hal::FrameSource>> open_libcamera(hal::Size size);
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource& source,
                                                             const stream::Quality& quality) override;
  CameraConfig config_;
  const Clock& clock_;
  Log& log_;
  OnceLog source_log_;
  hal::libcamera::ModuleLibcamera libcamera_;
};

/// Where this system has its devices.
inline constexpr const char* device_folder = "/dev";

/// Half of width and height for each step, even, and never below what every encoder takes.
[[nodiscard]] hal::Size shrunk(hal::Size size, int steps) noexcept;

}  // namespace sealcam::camera
