// SPDX-License-Identifier: Apache-2.0
/// A board, a state folder and a configuration for the doctor, and what it found.
#pragma once

#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/testing/fakes.hpp"
#include "build_paths.hpp"
#include "camera/doctor.hpp"
#include "hal/board/board_data.hpp"
#include "unit/camera/fake_board_tree.hpp"

namespace sealcam::test::doctor {

using namespace camera;
using enum Severity;
namespace fs = std::filesystem;

inline const std::string debian = "6.12.117+deb13-arm64", raspberry = "6.12.47+rpt-rpi-v8";
inline constexpr std::string_view pi3("raspberrypi,3-model-b\0brcm,bcm2837", 34),
    pi4("raspberrypi,4-model-b\0brcm,bcm2711", 34), pi5("raspberrypi,5-model-b\0brcm,bcm2712", 34),
    zero2("raspberrypi,model-zero-2-w\0brcm,bcm2837", 39);

/// A state folder as after the first start, with other content in the files, which the doctor does not read.
struct State {
  test::TemporaryFolder folder;
  State() {
    fs::permissions(folder.path(), fs::perms::owner_all);
    fs::create_directory(folder.path() / "keys");
    for (const char* name : {"tls.key", "tls.csr", "device.descriptor"}) std::ofstream(folder.path() / name) << "x";
    fs::permissions(folder.path() / "tls.key", fs::perms::owner_read | fs::perms::owner_write);
  }
};

struct Scene {
  const FakeBoardTree& tree;
  State state;
  CameraConfig config;
  bool configured = true;
  std::vector<std::string> encoders{"h264_v4l2m2m", "libx264"};
  hal::board::SystemView::Permitted permitted;
  std::string libcamera_problem;
  CaptureTime now{std::chrono::sys_days(std::chrono::year(2027) / 3 / 1).time_since_epoch()};

  explicit Scene(const FakeBoardTree& t, const char* backend = "v4l2") : tree(t) {
    config.source.backend = backend;
    config.source.size = {1280, 720};
  }
  [[nodiscard]] DoctorSubject subject() const {
    return {.system = hal::board::SystemView(tree.root(), permitted),
            .catalog = hal::board::read_catalog(fs::path(SEALCAM_SOURCE_DIR) / "board"),
            .config = config,
            .config_file = "/etc/sealcam/camera.json",
            .configured = configured,
            .state = state.folder.path(),
            .encoders = encoders,
            .libcamera_problem = [this] { return libcamera_problem; },
            .now = now,
            .build_year = 2026};
  }
  [[nodiscard]] Diagnosis diagnosis() const { return examine(subject()); }
};

/// The worst finding of a check.
inline Finding find(const Diagnosis& diagnosis, std::string_view check) {
  const Finding* worst = nullptr;
  for (const auto& finding : diagnosis.findings)
    if (finding.check == check && (worst == nullptr || finding.severity > worst->severity)) worst = &finding;
  if (worst == nullptr) throw std::runtime_error("no finding: " + std::string(check));
  return *worst;
}

inline Finding find(const Scene& scene, std::string_view check) { return find(scene.diagnosis(), check); }

inline bool is(const Finding& finding, Severity severity, std::string_view what, std::string_view next = "") {
  UNSCOPED_INFO(finding.check << ": " << finding.what << " -> " << finding.next);
  return finding.severity == severity && finding.what.contains(what) && finding.next.contains(next) &&
         finding.next.empty() == (severity == Severity::ok);
}

inline std::set<std::string> problems(const Diagnosis& diagnosis) {
  std::set<std::string> checks;
  for (const auto& finding : diagnosis.findings)
    if (finding.severity != Severity::ok) checks.insert(finding.check);
  return checks;
}

}  // namespace sealcam::test::doctor
