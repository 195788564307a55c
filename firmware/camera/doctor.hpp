// SPDX-License-Identifier: Apache-2.0
/// Compares the running board with its data and with the camera's configuration. Reports for each check the problem and
/// the next step. Changes nothing.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "camera/camera_config.hpp"
#include "hal/board/board_data.hpp"

namespace sealcam::camera {

enum class Severity {
  ok,
  warning,  ///< the camera works, but a part is missing or slow
  fault,    ///< the camera does not work as configured
};
[[nodiscard]] std::string_view name(Severity severity) noexcept;

struct Finding {
  Severity severity;
  std::string check;  ///< for programs
  std::string what;
  std::string next;  ///< the next step; empty only if the severity is ok
};

struct Diagnosis {
  std::string board;   ///< name of the model
  std::string kernel;  ///< release
  std::vector<Finding> findings;
  [[nodiscard]] bool healthy() const noexcept;  ///< no fault
};

/// The options of the program. All paths are absolute.
struct DoctorOptions {
  std::filesystem::path config_file{};
  bool optional = false;  ///< a missing configuration file gives the defaults
  std::string source{};   ///< replaces /source/backend; empty: it does not
  std::filesystem::path state{};
  bool json = false;
};

/// The input of the checks. Tests replace it.
struct DoctorSubject {
  hal::board::SystemView system;
  std::expected<std::vector<hal::board::Model>, std::string> catalog;
  std::expected<CameraConfig, std::string> config{};
  std::filesystem::path config_file{};
  bool configured = true;             ///< the file exists
  std::filesystem::path state;        ///< on this machine, not below the root of `system`
  std::vector<std::string> encoders;  ///< the H.264 encoders of this FFmpeg
  /// Called if the configuration takes a camera of libcamera. Returns why its module cannot be used, or an empty text.
  std::function<std::string()> libcamera_problem = [] { return std::string(); };
  CaptureTime now;
  int build_year = 0;
};
[[nodiscard]] Diagnosis examine(const DoctorSubject& subject);

/// The configuration that sealcam-camera uses with these options.
void read_configuration(const DoctorOptions& options, DoctorSubject& subject);

/// For people: one line for each finding, and a second one for its next step. json_reports.hpp has the text for
/// programs.
[[nodiscard]] std::string to_text(const Diagnosis& diagnosis);

/// `sealcam-camera --doctor`: prints the diagnosis of this machine. Returns the exit code: 0 without a fault,
/// otherwise 1.
[[nodiscard]] int run_doctor(const DoctorOptions& options, const Clock& clock);

}  // namespace sealcam::camera
