// SPDX-License-Identifier: Apache-2.0
/// Compares the running board with its data and with the camera's configuration. Reports for each check the problem and
/// the next step. Changes nothing.
#pragma once

#include <expected>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "camera/camera.hpp"
#include "hal/board/board_data.hpp"
#include "protocol/command.hpp"

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
  std::filesystem::path update_file{};  ///< of the updater
  bool json = false;
};

/// The input of the checks. Tests replace it.
struct DoctorSubject {
  hal::board::SystemView system;
  std::expected<std::vector<hal::board::Model>, std::string> catalog;
  std::expected<CameraConfig, std::string> config{};
  std::filesystem::path config_file{};
  bool configured = true;               ///< the file exists
  std::filesystem::path state;          ///< on this machine, not below the root of `system`
  std::filesystem::path update_file{};  ///< the same
  std::vector<std::string> encoders;    ///< the H.264 encoders of this FFmpeg
  /// Called if the configuration takes a camera of libcamera. Returns why its module cannot be used, or an empty text.
  std::function<std::string()> libcamera_problem = [] { return std::string(); };
  CaptureTime now;
  int build_year = 0;
};
[[nodiscard]] Diagnosis examine(const DoctorSubject& subject);

/// The configuration that sealcam-camera uses with these options.
void read_configuration(const DoctorOptions& options, DoctorSubject& subject);

/// For people: one line for each finding, and a second one for its next step. reports.hpp has the text for
/// programs.
[[nodiscard]] std::string to_text(const Diagnosis& diagnosis);

/// `sealcam-camera --doctor`: prints the diagnosis of this machine. Returns the exit code: 0 without a fault,
/// otherwise 1.
[[nodiscard]] int run_doctor(const DoctorOptions& options, const Clock& clock);

/// A video node of the running board.
struct VideoNode {
  std::filesystem::path device;
  std::string name, driver;
  bool first = true;  ///< the driver's first node of a device; the others carry metadata
};

/// Runs the checks and collects their findings. Thread-bound.
class Diagnostics {
 public:
  /// `common` is the model for unknown boards. All references must live longer than this object.
  Diagnostics(const DoctorSubject& subject, const hal::board::Model& model, const hal::board::Model& common,
              hal::board::Identity identity);

  void check_board();
  void check_kernel();
  void check_sensors();
  void check_source();
  void check_encoder();
  void check_picture();
  void check_light();
  void check_button();
  void check_watchdog();
  void check_temperature();
  void check_serial();
  void check_state();
  void check_enrollment();
  void check_wifi();
  void check_areas();
  void check_space();
  void check_memory();
  void check_clock();
  void check_support();
  void check_update();

  [[nodiscard]] std::vector<Finding> take() { return std::move(findings_); }

 private:
  struct Found {
    const hal::board::Sensor* sensor;
    VideoNode node;
  };
  void ok(std::string_view check, std::string what) { add(Severity::ok, check, std::move(what), ""); }
  void warn(std::string_view check, std::string what, std::string next) {
    add(Severity::warning, check, std::move(what), std::move(next));
  }
  void fault(std::string_view check, std::string what, std::string next) {
    add(Severity::fault, check, std::move(what), std::move(next));
  }
  void add(Severity severity, std::string_view check, std::string what, std::string next) {
    findings_.push_back({severity, std::string(check), std::move(what), std::move(next)});
  }
  void classify(const VideoNode& node);
  /// Whether the configuration names a backend of this kind.
  [[nodiscard]] bool takes(hal::SourceKind kind) const { return backend_ != nullptr && backend_->kind == kind; }
  /// Whether the configured backend can open the sensor.
  [[nodiscard]] bool can_take(const hal::board::Sensor& sensor) const {
    return backend_ == nullptr || backend_->name == sensor.backend;
  }
  /// Whether the configuration names this node. A device name for libcamera is a camera, which has several nodes.
  [[nodiscard]] bool is_taken(const std::filesystem::path& device) const {
    const auto& source = config_.source;
    return source.device == "auto" || takes(hal::SourceKind::camera) || source.device == device;
  }
  [[nodiscard]] bool can_use(const std::filesystem::path& device) const;
  /// The reason why can_use() is false.
  [[nodiscard]] std::string why_not(const std::filesystem::path& device) const;
  /// The next step if can_use() is false.
  [[nodiscard]] std::string how_to_use(const std::filesystem::path& device) const;
  /// Whether the running kernel can have the driver. True for an unknown kernel.
  [[nodiscard]] bool fits(const std::optional<std::string>& kernel) const {
    return !kernel || kernel_ == nullptr || kernel_->name == *kernel;
  }
  [[nodiscard]] std::string kernel_name() const;
  [[nodiscard]] std::string setup_of(const hal::board::Sensor& sensor) const;
  [[nodiscard]] std::string sensor_steps() const;
  void check_fault();
  void check_found_source(const Found& found);
  [[nodiscard]] const Found* source_sensor() const;
  [[nodiscard]] bool has_encoder(std::string_view name) const;
  [[nodiscard]] protocol::CameraSettings settings() const;
  [[nodiscard]] bool sensor_encodes() const;
  void check_own_encoder(const hal::board::Encoder& encoder);
  void check_software();
  [[nodiscard]] std::string way_to_encoder(const hal::board::Encoder& encoder) const;
  [[nodiscard]] std::optional<std::uint64_t> memory_mib() const;

  const DoctorSubject& subject_;
  const hal::board::SystemView& system_;
  const hal::board::Model& model_;
  hal::board::Identity identity_;
  const hal::board::Kernel* kernel_;                // null: unknown
  CameraConfig config_;                             // the defaults if the file cannot be read
  const hal::Backend* backend_;                     // null: auto
  std::vector<const hal::board::Sensor*> sensors_;  // possible ones
  std::vector<Found> found_;
  std::vector<VideoNode> unknown_;  // possibly sensors
  std::vector<Finding> findings_;
};

}  // namespace sealcam::camera
