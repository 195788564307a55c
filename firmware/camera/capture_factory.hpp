// SPDX-License-Identifier: Apache-2.0
/// The parts of the running board that the camera uses: sensor and encoder, which the configuration names, and activity
/// light, reset button and limits of the encoder, from the board's data. Thread-bound to the capture thread, except
/// ConfiguredCapture::configure().
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "camera/camera.hpp"
#include "hal/backends.hpp"
#include "hal/board/board_data.hpp"
#include "hal/board_control.hpp"
#include "hal/media.hpp"
#include "hal/modules/modules.hpp"
#include "stream/capture/capture_loop.hpp"

namespace sealcam::camera {

/// Opens the activity LED. Without a usable LED it returns a control that writes to the log, and logs the reason. Never
/// null.
[[nodiscard]] std::unique_ptr<hal::BoardControl> open_activity_light(const hal::board::SystemView& system, Log& log);

/// Opens the reset button. Returns null without a usable button, and logs the reason.
[[nodiscard]] std::unique_ptr<hal::Button> open_reset_button(const hal::board::SystemView& system, Log& log);

/// The limits of the board's hardware encoder; nothing if the board has none or is unknown.
[[nodiscard]] std::optional<hal::EncoderLimits> encoder_limits(const hal::board::SystemView& system);

/// Detects a press of five seconds, which resets the camera. Thread-bound.
class ResetButton {
 public:
  ResetButton(std::unique_ptr<hal::Button> button, Log& log) : button_(std::move(button)), log_(log) {}
  /// Call this about ten times a second. Returns true once for each long press. After a read error it logs a warning
  /// and does not read the button again.
  [[nodiscard]] bool long_pressed(MonotonicTime now);

 private:
  std::unique_ptr<hal::Button> button_;
  hal::LongPress press_;
  Log& log_;
};

/// Drops lines that the previous attempt also logged, so that the log explains a missing sensor only once.
class OnceLog final : public Log {
 public:
  /// `inner` must live longer. Its level applies.
  explicit OnceLog(Log& inner) : inner_(inner) { set_level(LogLevel::debug); }
  void next_attempt() {
    before_ = std::move(now_);
    now_.clear();
  }

 private:
  void write(LogLevel level, std::string_view line) override;

  Log& inner_;
  std::set<std::string, std::less<>> before_, now_;
};

/// Holds errors back between hold() and release(). Passes all other lines on.
class HeldLog final : public Log {
 public:
  /// `inner` must live longer. Its level applies.
  explicit HeldLog(Log& inner) : inner_(inner) { set_level(LogLevel::debug); }
  void hold() { holds_ = true; }
  /// Returns the errors since hold() in one line; empty without errors.
  [[nodiscard]] std::string release();

 private:
  void write(LogLevel level, std::string_view line) override;

  Log& inner_;
  bool holds_ = false;
  std::string held_;
};

/// Opens a sensor of the configured backend. The backend `auto` takes the first V4L2 sensor; only if there is none, it
/// takes the first camera of libcamera. V4L2 comes first because it costs less for USB cameras and for sensors that
/// encode. A V4L2 sensor that is in use, fails or may not be opened does not lead to libcamera: the choice must not
/// depend on other programs. If both have no sensor, one line in the log has the reasons. `auto` then tries libcamera
/// again after 1 s, later at most every 15 s, because drivers may load late.
class SensorChoice {
 public:
  explicit SensorChoice(hal::Dependencies deps);

  /// Errors: those of the backend; not_found if `auto` finds no sensor.
  [[nodiscard]] Result<std::unique_ptr<hal::FrameSource>> open(const SourceConfig& source);

 private:
  using Source = Result<std::unique_ptr<hal::FrameSource>>;
  [[nodiscard]] Source open_v4l2(hal::v4l2::OpenSensor sensor, const hal::v4l2::V4l2Config& config);
  [[nodiscard]] Source open_without_v4l2(const SourceConfig& source, const hal::v4l2::V4l2Config& config);
  [[nodiscard]] Source try_libcamera(const SourceConfig& source);

  hal::Dependencies deps_;
  HeldLog libcamera_log_;  // the sources of libcamera use it
  Backoff libcamera_backoff_;
  Error libcamera_error_{Errc::not_found, 0, ""};  // of the last attempt
  std::string libcamera_text_;
};

/// The folder of the devices on this system.
inline constexpr const char* device_folder = "/dev";

/// The functions that open sensors. Tests replace them.
struct SensorOpeners {
  std::filesystem::path devices = device_folder;
  hal::v4l2::DeviceOpener open_device = hal::v4l2::open_device;
  hal::libcamera::LibcameraBackend* libcamera = nullptr;  ///< null: the module
  std::stop_token stop{};                                 ///< ends an open() that waits for a slow file
};

class ConfiguredCapture final : public stream::CaptureFactory {
 public:
  /// With the codec `auto`, the camera does not use a failed hardware encoder for this time.
  static constexpr std::chrono::minutes hardware_pause{10};

  /// `hardware_limits`: of the board's encoder, if they are known.
  ConfiguredCapture(const CameraConfig& config, std::optional<hal::EncoderLimits> hardware_limits, const Clock& clock,
                    Log& log, const SensorOpeners& openers = {})
      : config_(config),
        clock_(clock),
        log_(log),
        source_log_(log),
        encoder_log_(log),
        deps_{openers.devices, openers.open_device, openers.libcamera == nullptr ? libcamera_ : *openers.libcamera,
              clock,           source_log_,         openers.stop},
        sensors_(deps_) {
    config_.encoder.hardware_limits = hardware_limits;
  }

  /// Applies to what is opened from now on. Thread-safe.
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
  Result<std::unique_ptr<hal::FrameSource>> do_open_source() override;
  Result<std::unique_ptr<hal::VideoEncoder>> do_open_encoder(const hal::FrameSource& source, hal::Size size,
                                                             const stream::Quality& quality) override;
  void do_format_failed(const hal::FrameSource& source) override;
  void do_encoder_failed(std::string_view name) override;

  mutable std::mutex mutex_;  // guards config_
  CameraConfig config_;
  const Clock& clock_;
  Log& log_;
  OnceLog source_log_, encoder_log_;
  hal::modules::LibcameraModule libcamera_;
  hal::Dependencies deps_;
  SensorChoice sensors_;
  std::optional<MonotonicTime> hardware_failed_;
  std::vector<std::string> unusable_;  // FrameSource::format_id() of formats whose pictures could not be sent
};

}  // namespace sealcam::camera
