// SPDX-License-Identifier: Apache-2.0
/// Sensors through libcamera, and the door between the program and the module that drives them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/log.hpp"
#include "core/result.hpp"
#include "hal/frame_source.hpp"

namespace sealcam::hal::libcamera {

struct LibcameraConfig {
  std::string camera = "auto";      ///< auto (the first), or a camera's id or model
  Size size{1920, 1080};            ///< the nearest one that the camera makes of it is taken
  double rate = 0;                  ///< pictures per second; 0: 30, or what is nearest to it
  std::string format{};             ///< NV12, YU12, YUYV or MJPG; empty: the best for the camera
  std::uint32_t buffers = 4;        ///< at least 4; the camera may want more
  std::vector<Setting> controls{};  ///< made before streaming starts
};

/// One format that a camera offers for video.
struct OfferedFormat {
  std::string fourcc;  ///< libcamera's own characters: "NV12", "YU12"
  bool usable = false;
  Size min, max;  ///< of the sizes
};

/// One camera of libcamera's list.
struct CameraEntry {
  std::string id;        ///< stable: the path of the sensor in the firmware's tables
  std::string model;     ///< of the sensor; empty when it is not known
  std::string location;  ///< front, back, external; empty when it is not known
  std::vector<OfferedFormat> formats;
  std::vector<ControlInfo> controls;
};

/// Thread-bound. It must outlive the sources.
class LibcameraBackend {
 public:
  virtual ~LibcameraBackend() = default;

  /// Clock and log must outlive the source. What was chosen and why, and what to do about a failure, is also logged.
  /// Pictures lease the camera's buffers; while every buffer is leased next() answers timeout; after device_lost it
  /// gives that for ever. Errors: not_found (no such camera, a control that it has not), permission (another program
  /// has it, or this user may not), unsupported (no format that can be used, no such flip), invalid_argument (value of
  /// a control), device_lost, no_memory, io; of a loaded module also those of modules::load().
  [[nodiscard]] Result<std::unique_ptr<FrameSource>> open(const LibcameraConfig& config, const Clock& clock, Log& log) {
    return do_open(config, clock, log);
  }
  /// Asks each camera; opens none. Errors: io (libcamera does not start); those of modules::load().
  [[nodiscard]] Result<std::vector<CameraEntry>> list(Log& log) { return do_list(log); }

 private:
  virtual Result<std::unique_ptr<FrameSource>> do_open(const LibcameraConfig& config, const Clock& clock, Log& log) = 0;
  virtual Result<std::vector<CameraEntry>> do_list(Log& log) = 0;
};

/// What crosses into the module. Both are of one build: `version` is compared.
struct ModuleCall {
  const char* version = nullptr;
  Error error{Errc::io, 0, ""};  ///< set when nothing comes back
};

/// The module's one symbol. Returns what the caller deletes, or null. Throws nothing.
using OpenFunction = LibcameraBackend*(ModuleCall*) noexcept;
inline constexpr const char* open_symbol = "sealcam_libcamera_open";
inline constexpr const char* module_file = "sealcam-libcamera.so";

}  // namespace sealcam::hal::libcamera
