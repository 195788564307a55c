// SPDX-License-Identifier: Apache-2.0
/// The checks of doctor.hpp, by what they look at. Private to the doctor.
#pragma once

#include <format>
#include <optional>

#include "camera/doctor.hpp"
#include "hal/board/catalogue.hpp"

namespace sealcam::camera {

/// A video node of the running board.
struct VideoNode {
  std::filesystem::path device;
  std::string name, driver;
  bool first = true;  ///< of its driver's nodes for one device; the others carry metadata
};

/// What all checks have in common. Thread-bound.
class Examination {
 public:
  /// `model`, and `common`, the one for unknown boards, outlive it.
  Examination(const DoctorSubject& subject, const hal::board::Model& model, const hal::board::Model& common,
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
  void check_enrolment();
  void check_wifi();
  void check_space();
  void check_memory();
  void check_clock();

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
  void sort(const VideoNode& node);
  /// May the configuration's backend deliver it?
  [[nodiscard]] bool can_take(const hal::board::Sensor& sensor) const {
    return config_.source.backend == "auto" || config_.source.backend == sensor.backend;
  }
  /// Is it the device, or one of those, that the configuration takes? What libcamera is told names a camera, which
  /// stands behind several nodes.
  [[nodiscard]] bool is_taken(const std::filesystem::path& device) const {
    const auto& source = config_.source;
    return source.device == "auto" || source.backend == "libcamera" || source.device == device;
  }
  [[nodiscard]] bool can_use(const std::filesystem::path& device) const;
  /// Why not, for a person: missing, or not permitted.
  [[nodiscard]] std::string why_not(const std::filesystem::path& device) const;
  [[nodiscard]] std::string how_to_use(const std::filesystem::path& device) const;
  /// Has the running kernel a driver for it? One that is not known may have.
  [[nodiscard]] bool fits(const std::optional<std::string>& kernel) const {
    return !kernel || kernel_ == nullptr || kernel_->name == *kernel;
  }
  [[nodiscard]] std::string kernel_name() const;
  [[nodiscard]] std::string setup_of(const hal::board::Sensor& sensor) const;
  [[nodiscard]] std::string sensor_steps() const;
  void check_found_source(const Found& found);
  [[nodiscard]] const Found* source_sensor() const;
  [[nodiscard]] bool has_encoder(std::string_view name) const;
  void check_own_encoder(const hal::board::Encoder& encoder);
  void check_software();
  [[nodiscard]] std::string way_to_encoder(const hal::board::Encoder& encoder) const;
  [[nodiscard]] std::optional<std::uint64_t> memory_mib() const;

  const DoctorSubject& subject_;
  const hal::board::SystemView& system_;
  const hal::board::Model& model_;
  hal::board::Identity identity_;
  const hal::board::Kernel* kernel_;                // null: none that is known
  CameraConfig config_;                             // the defaults where it cannot be read
  std::vector<const hal::board::Sensor*> sensors_;  // that this board can have
  std::vector<Found> found_;
  std::vector<VideoNode> unknown_;  // nodes that may be sensors
  std::vector<Finding> findings_;
};

}  // namespace sealcam::camera
