// SPDX-License-Identifier: Apache-2.0
#include "camera/doctor.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <print>

#include "camera/examination.hpp"
#include "hal/ffmpeg/support.hpp"
#include "hal/libcamera/load.hpp"

namespace sealcam::camera {

namespace board = hal::board;
namespace fs = std::filesystem;

static std::string_view name(Severity severity) noexcept {
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
  if (!subject.catalogue)
    return {"",
            identity.kernel,
            {{Severity::fault, "boards", subject.catalogue.error(),
              "install Sealcam's board data, or name its folder in SEALCAM_BOARDS"}}};
  const board::Model& model = board::choose(*subject.catalogue, identity);
  const auto kernel = identity.kernel;
  Examination examination(subject, model, board::fallback(*subject.catalogue), std::move(identity));
  examination.check_board();
  examination.check_kernel();
  examination.check_sensors();
  examination.check_source();
  examination.check_encoder();
  examination.check_picture();
  examination.check_light();
  examination.check_button();
  examination.check_watchdog();
  examination.check_temperature();
  examination.check_serial();
  examination.check_state();
  examination.check_enrolment();
  examination.check_wifi();
  examination.check_space();
  examination.check_memory();
  examination.check_clock();
  return {model.name, kernel, examination.take()};
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string text;
  int warnings = 0, faults = 0;
  for (const auto& finding : diagnosis.findings) {
    text += std::format("{:8} {:12} {}\n", name(finding.severity), finding.check, finding.what);
    if (!finding.next.empty()) text += std::format("{:21} -> {}\n", "", finding.next);
    warnings += finding.severity == Severity::warning ? 1 : 0;
    faults += finding.severity == Severity::fault ? 1 : 0;
  }
  return text + std::format("faults: {}, warnings: {}\n", faults, warnings);
}

std::string to_json(const Diagnosis& diagnosis) {
  auto findings = nlohmann::ordered_json::array();
  for (const auto& finding : diagnosis.findings)
    findings.push_back({{"check", finding.check},
                        {"severity", name(finding.severity)},
                        {"what", finding.what},
                        {"next", finding.next}});
  const nlohmann::ordered_json all = {{"board", diagnosis.board},
                                      {"kernel", diagnosis.kernel},
                                      {"healthy", diagnosis.healthy()},
                                      {"findings", std::move(findings)}};
  // Names of devices come from outside and need not be UTF-8.
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

int run_doctor(const fs::path& config_file, bool optional, const fs::path& state, bool json, const Clock& clock) {
  const auto folder = board::find_catalogue();
  std::error_code ec;
  const DoctorSubject subject{
      .system = board::SystemView(),
      .catalogue = folder ? board::read_catalogue(*folder) : std::unexpected(folder.error()),
      .config = read_config(config_file, optional),
      .config_file = config_file,
      .configured = fs::exists(config_file, ec),
      .state = state,
      .encoders = hal::ffmpeg::h264_encoders(),
      .libcamera_problem = hal::libcamera::module_problem,
      .now = clock.wall(),
      .build_year = SEALCAM_BUILD_YEAR,
  };
  const auto diagnosis = examine(subject);
  if (json) std::println("{}", to_json(diagnosis));
  else std::print("{}", to_text(diagnosis));
  return diagnosis.healthy() ? 0 : 1;
}

}  // namespace sealcam::camera
