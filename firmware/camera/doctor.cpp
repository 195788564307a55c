// SPDX-License-Identifier: Apache-2.0
#include "camera/doctor.hpp"

#include <algorithm>
#include <cstdio>

#include "base/format.hpp"
#include "camera/diagnostics.hpp"
#include "camera/json_reports.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/modules/modules.hpp"

namespace sealcam::camera {

namespace board = hal::board;
namespace fs = std::filesystem;

std::string_view name(Severity severity) noexcept {
  switch (severity) {
    case Severity::ok: return "ok";
    case Severity::warning: return "warning";
    case Severity::fault: return "fault";
  }
  return "";
}

bool Diagnosis::healthy() const noexcept {
  return !std::ranges::contains(findings, Severity::fault, &Finding::severity);
}

Diagnosis examine(const DoctorSubject& subject) {
  auto identity = board::identify(subject.system);
  if (!subject.catalog)
    return {"",
            identity.kernel,
            {{Severity::fault, "boards", subject.catalog.error(),
              "install Sealcam's board data, or set SEALCAM_BOARDS to its folder"}}};
  const board::Model& model = board::choose(*subject.catalog, identity);
  const auto kernel = identity.kernel;
  Diagnostics diagnostics(subject, model, board::fallback(*subject.catalog), std::move(identity));
  diagnostics.check_board();
  diagnostics.check_kernel();
  diagnostics.check_sensors();
  diagnostics.check_source();
  diagnostics.check_encoder();
  diagnostics.check_picture();
  diagnostics.check_light();
  diagnostics.check_button();
  diagnostics.check_watchdog();
  diagnostics.check_temperature();
  diagnostics.check_serial();
  diagnostics.check_state();
  diagnostics.check_enrollment();
  diagnostics.check_wifi();
  diagnostics.check_space();
  diagnostics.check_memory();
  diagnostics.check_clock();
  return {model.name, kernel, diagnostics.take()};
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string text;
  int warnings = 0, faults = 0;
  for (const auto& finding : diagnosis.findings) {
    text += sealcam::format("{:8} {:12} {}\n", name(finding.severity), finding.check, finding.what);
    if (!finding.next.empty()) text += sealcam::format("{:21} -> {}\n", "", finding.next);
    warnings += finding.severity == Severity::warning ? 1 : 0;
    faults += finding.severity == Severity::fault ? 1 : 0;
  }
  return text + sealcam::format("faults: {}, warnings: {}\n", faults, warnings);
}

void read_configuration(const DoctorOptions& options, DoctorSubject& subject) {
  std::error_code ec;
  subject.config = read_config(options.config_file, options.optional, options.source);
  subject.config_file = options.config_file;
  subject.configured = fs::exists(options.config_file, ec);
}

int run_doctor(const DoctorOptions& options, const Clock& clock) {
  const auto folder = board::find_catalog();
  DoctorSubject subject{
      .system = board::SystemView(),
      .catalog = folder ? board::read_catalog(*folder) : std::unexpected(folder.error()),
      .state = options.state,
      .encoders = hal::ffmpeg::h264_encoders(),
      .libcamera_problem = hal::modules::libcamera_problem,
      .now = clock.wall(),
      .build_year = SEALCAM_BUILD_YEAR,
  };
  read_configuration(options, subject);
  const auto diagnosis = examine(subject);
  if (options.json) sealcam::println("{}", to_json(diagnosis));
  else sealcam::print("{}", to_text(diagnosis));
  return diagnosis.healthy() ? 0 : 1;
}

}  // namespace sealcam::camera
