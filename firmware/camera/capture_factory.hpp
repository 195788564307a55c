// SPDX-License-Identifier: Apache-2.0
/// The sensors and encoders that this program knows.
#pragma once

#include <mutex>

#include "camera/camera_config.hpp"
#include "camera/once_log.hpp"
#include "camera/sensor_choice.hpp"
#include "hal/libcamera/load.hpp"
#include "stream/capture_loop.hpp"

namespace sealcam::camera {

/// Where this system has its devices.
inline constexpr const char* device_folder = "/dev";

/// What sensors are opened through. Tests put their own here.
struct SensorDoors {
  std::filesystem::path devices = device_folder;
  hal::v4l2::DeviceOpener open_device = hal::v4l2::open_device;
  hal::libcamera::LibcameraBackend* libcamera = nullptr;  ///< null: the module
};

/// Opens what the configuration names. `own_encoder`: limits of the board's encoder, where they are known.
/// Thread-bound to the capture thread but for configure().
class ConfiguredCapture final : public stream::CaptureFactory {
 public:
  /// So long an encoder in hardware that failed is left alone, where the configuration says "auto".
  static constexpr std::chrono::minutes hardware_rest{10};

  ConfiguredCapture(const CameraConfig& config, std::optional<hal::EncoderLimits> own_encoder, const Clock& clock,
                    Log& log, const SensorDoors& doors = {})
      : config_(config),
        clock_(clock),
        log_(log),
        source_log_(log),
        sensors_(doors.devices, doors.open_device, doors.libcamera == nullptr ? libcamera_ : *doors.libcamera, clock,
                 source_log_) {
    config_.encoder.hardware_limits = own_encoder;
  }

  /// What is opened from now on; what is open stays. Thread-safe.
  void configure(CameraConfig config) {
    const std::scoped_lock lock(mutex_);
    config.encoder.hardware_limits = config_.encoder.hardware_limits;
    config_ = std::move(config);
  }

 private:
  [[nodiscard]] CameraConfig config() const {
    const std::scoped_lock lock(mutex_);
    return config_;
  }
  Result<std::unique_ptr<hal::FrameSource>> do_open_source(int shrink) override;
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource& source,
                                                             const stream::Quality& quality) override;
  void do_encoder_failed(std::string_view name) override;
  mutable std::mutex mutex_;
  CameraConfig config_;
  const Clock& clock_;
  Log& log_;
  OnceLog source_log_;
  hal::libcamera::ModuleLibcamera libcamera_;
  SensorChoice sensors_;
  std::optional<MonotonicTime> hardware_failed_;
};

/// Half of width and height for each step, even, and never below what every encoder takes.
[[nodiscard]] hal::Size shrunk(hal::Size size, int steps) noexcept;

}  // namespace sealcam::camera
