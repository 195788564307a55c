// SPDX-License-Identifier: Apache-2.0
#include "camera/sensor_choice.hpp"

#include <utility>

#include "camera/once_log.hpp"

namespace sealcam::camera {

using namespace std::chrono_literals;

void HeldLog::write(LogLevel level, std::string_view line) {
  if (!holds_ || level != LogLevel::error) return relay(inner_, level, line);
  if (!held_.empty()) held_ += "; ";
  held_ += line;
}

std::string HeldLog::release() {
  holds_ = false;
  return std::exchange(held_, {});
}

SensorChoice::SensorChoice(std::filesystem::path devices, hal::v4l2::DeviceOpener open_device,
                           hal::libcamera::LibcameraBackend& libcamera, const Clock& clock, Log& log)
    : devices_(std::move(devices)),
      open_device_(std::move(open_device)),
      libcamera_(libcamera),
      clock_(clock),
      log_(log),
      libcamera_log_(log),
      libcamera_rest_(1s, 15s) {}

Result<std::unique_ptr<hal::FrameSource>> SensorChoice::open(const SourceConfig& source, hal::Size size) {
  if (source.backend == "libcamera") return open_libcamera(source, size, log_);
  const hal::v4l2::V4l2Config config{.device = source.device,
                                     .folder = devices_,
                                     .size = size,
                                     .rate = source.rate,
                                     .format = source.format,
                                     .controls = source.controls};
  auto sensor = hal::v4l2::V4l2Source::find(config, log_, open_device_);
  if (sensor) {
    libcamera_rest_.reset();
    return open_v4l2(std::move(*sensor), config);
  }
  if (source.backend == "auto" && sensor.error().code == Errc::not_found) return open_either(source, size, config);
  return std::unexpected(sensor.error());
}

SensorChoice::Source SensorChoice::open_v4l2(hal::v4l2::OpenSensor sensor, const hal::v4l2::V4l2Config& config) {
  auto opened = hal::v4l2::V4l2Source::open(std::move(sensor), config, clock_, log_);
  if (!opened) return std::unexpected(opened.error());
  return std::move(*opened);
}

SensorChoice::Source SensorChoice::open_libcamera(const SourceConfig& source, hal::Size size, Log& log) {
  return libcamera_.open({.camera = source.device,
                          .size = size,
                          .rate = source.rate,
                          .format = source.format,
                          .controls = source.controls},
                         clock_, log);
}

/// Where V4L2 had no sensor a moment ago.
SensorChoice::Source SensorChoice::open_either(const SourceConfig& source, hal::Size size,
                                               const hal::v4l2::V4l2Config& config) {
  auto opened = ask_libcamera(source, size);
  if (!opened) {
    log_.error("no V4L2 sensor is there; {}", libcamera_words_);
    if (opened.error().code == Errc::not_found) return fail(Errc::not_found, "neither V4L2 nor libcamera has a sensor");
    return opened;
  }
  // A USB camera that came since then is one of libcamera's, too, and may be the one that it took for the first.
  auto late = hal::v4l2::open_first(hal::v4l2::nodes(devices_), open_device_);
  if (!late) return opened;
  opened->reset();
  return open_v4l2(std::move(*late), config);
}

SensorChoice::Source SensorChoice::ask_libcamera(const SourceConfig& source, hal::Size size) {
  const MonotonicTime now = clock_.monotonic();
  if (!libcamera_rest_.due(now)) return std::unexpected(libcamera_error_);
  libcamera_log_.hold();
  auto opened = open_libcamera(source, size, libcamera_log_);
  libcamera_words_ = libcamera_log_.release();
  if (opened) {
    libcamera_rest_.reset();
    return opened;
  }
  libcamera_error_ = opened.error();
  if (libcamera_words_.empty()) libcamera_words_ = "libcamera: " + to_string(libcamera_error_);
  // No camera, or no module that can be loaded. One that is in use is asked for each time.
  if (libcamera_error_.code == Errc::not_found || libcamera_error_.code == Errc::unsupported)
    libcamera_rest_.failed(clock_.monotonic());
  else libcamera_rest_.reset();
  return opened;
}

}  // namespace sealcam::camera
