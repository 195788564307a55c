// SPDX-License-Identifier: Apache-2.0
/// The reports of the camera: the list of the sensors that the configuration can name, and everything that the camera
/// writes as JSON. Only this file's source includes nlohmann-json. firmware/docs/cameras.md lists the fields.
#pragma once

#include <span>
#include <string>

#include "camera/doctor.hpp"
#include "camera/owner_settings.hpp"
#include "hal/module_backends.hpp"
#include "hal/v4l2/negotiate.hpp"
#include "stream/capture/capture_loop.hpp"
#include "stream/publish/publisher.hpp"

namespace sealcam::camera {

/// The cameras of libcamera; empty without its module.
using Cameras = std::span<const hal::libcamera::CameraEntry>;

/// Several lines for people. json_reports.hpp has the same as JSON.
[[nodiscard]] std::string as_text(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// The next step if there is no sensor; empty otherwise.
[[nodiscard]] std::string advice(const hal::v4l2::Survey& survey, Cameras cameras = {});
/// EX_OK, EX_UNAVAILABLE (there is no sensor) or EX_NOPERM (there are devices, but this user may not open them).
[[nodiscard]] int exit_code(const hal::v4l2::Survey& survey, Cameras cameras = {});

/// One line, for --list-sensors. Reentrant.
[[nodiscard]] std::string as_json(const hal::v4l2::Survey& survey, Cameras cameras = {});

/// One line, for --doctor. Reentrant.
[[nodiscard]] std::string to_json(const Diagnosis& diagnosis);

/// The line of the status file. Thread-bound to the network thread.
class StatusReport {
 public:
  struct Dependencies {
    const Clock& clock;
    const stream::Publisher& publisher;
    const stream::Epochs& epochs;
    const stream::RosterValidator& roster;
    const stream::RequestValidator& requests;
    const stream::AccessUnitQueue& queue;
    const stream::CaptureControl& control;
    const stream::CaptureLoop& capture;
    const WifiController& wifi;
    protocol::Route route;
    MonotonicTime started;
  };
  explicit StatusReport(const Dependencies& deps) : deps_(deps) {}

  /// Without line feed.
  [[nodiscard]] std::string line(bool connected);

 private:
  Dependencies deps_;
  bool streaming_ = false;  // the start of the processor time per frame
  std::chrono::microseconds cpu_before_{};
  std::uint64_t published_before_ = 0;
};

}  // namespace sealcam::camera
