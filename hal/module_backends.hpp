// SPDX-License-Identifier: Apache-2.0
/// The back-ends for pictures that are modules: sealcam-libcamera.so, which drives sensors with libcamera, and
/// sealcam-replay.so, which plays recordings. hal/modules/modules.hpp loads them.
#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::libcamera {

struct LibcameraConfig {
  std::string camera = "auto";      ///< auto (the first), or a camera's id or model
  Size size{1920, 1080};            ///< the nearest size of the camera is used
  double rate = 0;                  ///< pictures per second; 0: the nearest to 30
  std::string format{};             ///< NV12, YU12, YUYV, UYVY or MJPG; empty: the best format
  std::uint32_t buffers = 4;        ///< at least 4; more if the camera needs more
  std::vector<Setting> controls{};  ///< set before streaming starts
  /// FrameSource::format_id() of formats to avoid. Ignored for a configured format, and if the camera has no other.
  std::vector<std::string> unusable{};
};

/// One format that a camera offers for video.
struct OfferedFormat {
  std::string fourcc;  ///< libcamera's characters, such as "NV12", "YU12"
  bool usable = false;
  Size min, max;  ///< of the sizes
};

/// One camera.
struct CameraEntry {
  std::string id;        ///< stable: the path of the sensor in the firmware's tables
  std::string model;     ///< of the sensor; empty if unknown
  std::string location;  ///< front, back, external; empty if unknown
  std::vector<OfferedFormat> formats;
  std::vector<ControlInfo> controls;
};

/// It must outlive its sources. Thread-bound.
class LibcameraBackend {
 public:
  virtual ~LibcameraBackend() = default;

  /// Clock and log must outlive the source. Logs the chosen mode with the reason, and the next step after a failure.
  /// Pictures lease the camera's buffers. While all buffers are leased, next() returns timeout. After device_lost, each
  /// call returns device_lost. Errors: not_found (no such camera or control), permission (another program uses the
  /// camera, or this user may not open it), unsupported (no usable format, or no such flip), invalid_argument (value of
  /// a control), device_lost, no_memory, io.
  [[nodiscard]] Result<std::unique_ptr<FrameSource>> open(const LibcameraConfig& config, const Clock& clock, Log& log) {
    return do_open(config, clock, log);
  }
  /// Queries each camera, but opens none. Errors: io (libcamera does not start).
  [[nodiscard]] Result<std::vector<CameraEntry>> list(Log& log) { return do_list(log); }

 private:
  virtual Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) = 0;
  virtual Result<std::vector<CameraEntry>> do_list(Log& log) = 0;
};

/// Only the module sealcam-libcamera.so defines this; hal/modules/modules.hpp loads it. libcamera allows one camera
/// manager per process, so use only one of these objects. The manager starts with the first call. It starts again with
/// each call while it has found no camera, so that cameras that appear later are found without udev.
[[nodiscard]] std::unique_ptr<LibcameraBackend> make_backend();

}  // namespace sealcam::hal::libcamera

namespace sealcam::hal::replay {

struct ReplayConfig {
  std::filesystem::path file;  ///< any recording or image that FFmpeg opens, also a FIFO
  Size size{1920, 1080};       ///< pictures are scaled to this size; black bars keep their shape
  double rate = 0;             ///< pictures per second; 0: at the times of the file
  bool loop = true;            ///< false: end_of_stream after the last picture of the file; a FIFO never repeats
  bool realtime = true;        ///< false: next() does not wait
  std::stop_token stop{};      ///< ends open() while it waits for a slow file
};

/// The interface of the module sealcam-replay.so. Reentrant.
class ReplayBackend {
 public:
  virtual ~ReplayBackend() = default;
  /// `clock` must outlive the source, but this object need not. Errors: not_found, unsupported (no decoder for the
  /// file), invalid_argument (size, rate, a folder), malformed (no pictures in the file), permission, canceled,
  /// no_memory, io. Also logged.
  [[nodiscard]] Result<std::unique_ptr<FrameSource>> open(const ReplayConfig& config, const Clock& clock, Log& log) {
    return do_open(config, clock, log);
  }

 private:
  virtual Result<std::unique_ptr<FrameSource>> do_open(const ReplayConfig& config, const Clock& clock, Log& log) = 0;
};

}  // namespace sealcam::hal::replay
