// SPDX-License-Identifier: Apache-2.0
/// Compares the running board with what is known of it and with the camera's configuration, and says for each point
/// what is wrong and the next step. Looks and changes nothing.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "camera/camera_config.hpp"
#include "core/clock.hpp"
#include "hal/board/board_data.hpp"
#include "hal/board/system_view.hpp"

namespace sealcam::camera {

enum class Severity {
  ok,
  warning,  ///< works, but not as well as it could, or not yet
  fault,    ///< keeps the camera from working as configured
};

struct Finding {
  Severity severity;
  std::string check;  ///< one word, for programs
  std::string what;
  std::string next;  ///< what to do; never empty where the severity is not ok
};

struct Diagnosis {
  std::string board;   ///< name of the model
  std::string kernel;  ///< release
  std::vector<Finding> findings;
  [[nodiscard]] bool healthy() const noexcept;  ///< no fault
};

/// All that is judged. Tests put folders and lists of their own here.
struct DoctorSubject {
  hal::board::SystemView system;
  std::expected<std::vector<hal::board::Model>, std::string> catalogue;
  std::expected<CameraConfig, std::string> config;
  std::filesystem::path config_file;
  bool configured = true;             ///< the file is there
  std::filesystem::path state;        ///< on this machine, not below the root of `system`
  std::vector<std::string> encoders;  ///< H.264 encoders that FFmpeg has here
  /// Asked where the configuration would take a sensor of libcamera's: why its module cannot be used, or nothing.
  std::function<std::string()> libcamera_problem = [] { return std::string(); };
  CaptureTime now;
  int build_year = 0;
};
[[nodiscard]] Diagnosis examine(const DoctorSubject& subject);

/// For people: one line a finding, and one with the next step where there is one.
[[nodiscard]] std::string to_text(const Diagnosis& diagnosis);
/// For programs: {"board", "kernel", "healthy", "findings": [{"check", "severity", "what", "next"}]} in one line.
[[nodiscard]] std::string to_json(const Diagnosis& diagnosis);

/// `sealcam-camera --doctor`: prints the diagnosis of this machine. Returns the exit code: 0 healthy, 1 not.
/// Both paths are absolute; a configuration that is not there is a fault unless it is `optional`.
[[nodiscard]] int run_doctor(const std::filesystem::path& config_file, bool optional,
                             const std::filesystem::path& state, bool json, const Clock& clock);

}  // namespace sealcam::camera
