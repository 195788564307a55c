// SPDX-License-Identifier: Apache-2.0
#include "update/health.hpp"

#include <utility>

#include "base/format.hpp"

namespace sealcam::update {

Missing missing(const CameraState& camera, const Works& required) {
  if (!camera.runs) return {camera.paired ? "the camera does not run" : "the pairing port is closed", false};
  if (!camera.paired) return {};
  if (required.sensor && !camera.works.sensor)
    return {camera.fault.empty() ? "the sensor delivers no pictures"
                                 : sealcam::format("the sensor delivers no pictures ({})", camera.fault),
            false};
  if (required.epoch && !camera.works.epoch) return {"no epoch begins", false};
  if (required.broker && !camera.works.broker) return {"the broker does not acknowledge the camera's grants", true};
  return {};
}

HealthGate::Verdict HealthGate::check(const CameraState& camera, BootTime now, std::chrono::seconds spent) {
  auto problem = missing(camera, required_);
  const bool restarted = std::exchange(process_, camera.process) != camera.process;
  if (problem.text.empty() || problem.only_broker) fine_ = now;
  if (!problem.text.empty() || restarted) good_since_.reset();
  if (problem.text.empty()) {
    if (!good_since_) good_since_ = now;
    return now - *good_since_ >= stable_time ? Verdict::healthy : Verdict::wait;
  }
  if (spent < trial_time && now - fine_ < start_time) return Verdict::wait;
  reason_ = std::move(problem.text);
  transient_ = problem.only_broker;
  return Verdict::failed;
}

}  // namespace sealcam::update
