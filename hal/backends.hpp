// SPDX-License-Identifier: Apache-2.0
/// The table of all back-ends for pictures. Code that depends on a back-end compares its kind, not its name.
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "hal/frame_source.hpp"
#include "hal/module_backends.hpp"
#include "hal/v4l2/negotiate.hpp"
#include "hal/v4l2/v4l2_source.hpp"

namespace sealcam::hal {

/// The settings of all back-ends. Each back-end ignores the settings that it does not have.
struct SourceConfig {
  std::string backend = "auto";  ///< a name of the table, or auto_backend
  std::filesystem::path file;    ///< replay: absolute path
  double rate = 0;               ///< pictures per second; 0: the times of the file (replay), else 30
  bool loop = true;              ///< replay
  bool realtime = true;          ///< fake, replay; false: next() does not wait
  Size size{1920, 1080};
  std::uint16_t number = 0;       ///< fake: drawn into each picture
  std::string device = "auto";    ///< v4l2: auto, or the absolute path of a node; libcamera: auto, an id, or a model
  std::string format;             ///< sensors: four characters; empty: the best format
  std::vector<Setting> controls;  ///< sensors
  std::vector<std::string> unusable{};  ///< sensors: FrameSource::format_id() of formats to avoid
  bool encoded = true;                  ///< sensors: false excludes formats that the sensor encodes (h264)
};

/// Sensors of all back-ends.
struct SensorList {
  v4l2::Survey v4l2;
  std::vector<libcamera::CameraEntry> libcamera;
};

/// How back-ends reach the system. Tests replace members. All references must outlive the sources.
struct Dependencies {
  std::filesystem::path devices;  ///< the folder with the device nodes
  v4l2::DeviceOpener open_device;
  libcamera::LibcameraBackend& libcamera;
  const Clock& clock;
  Log& log;
  std::stop_token stop{};  ///< ends an open() that waits
};

/// How a configuration names the source of pictures.
enum class SourceKind : std::uint8_t {
  node,    ///< a device node, or "auto"
  camera,  ///< the id or model of a camera, or "auto"
  drawn,   ///< a test picture, which needs no name
  file,    ///< a recording
};

struct Backend {
  std::string_view name;
  Result<std::unique_ptr<FrameSource>> (*open)(const SourceConfig& config, const Dependencies& deps);
  void (*list)(const Dependencies& deps, SensorList& list);  ///< null: the back-end has no list
  bool is_hardware;                                          ///< pictures come from a sensor
  SourceKind kind;
};

/// This name means: a V4L2 sensor, or a camera of libcamera if there is none.
inline constexpr std::string_view auto_backend = "auto";

/// The names of the back-ends that are hardware, for readers of board data. In the order of the table.
inline constexpr std::array<std::string_view, 2> sensor_backends{"v4l2", "libcamera"};

/// Sensors first, in order of preference.
[[nodiscard]] std::span<const Backend> backends() noexcept;
/// Returns null if the table does not have the name.
[[nodiscard]] const Backend* find_backend(std::string_view name) noexcept;
/// The first back-end of this kind. Each kind has at least one.
[[nodiscard]] const Backend& find_backend(SourceKind kind) noexcept;

/// The settings of a V4L2 sensor.
[[nodiscard]] v4l2::V4l2Config v4l2_config(const SourceConfig& config, const Dependencies& deps);

}  // namespace sealcam::hal
