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

std::string lack_of_space(const CameraState& camera) {
  if (!camera.free_space || *camera.free_space >= min_free_space) return {};
  return sealcam::format(
      "the data partition has {} KiB free, and an update needs {}; the camera must keep less, or the card must be "
      "larger",
      *camera.free_space / 1024, min_free_space / 1024);
}

bool remember_what_works(State& state, const CameraState& camera) {
  auto worked = camera.paired ? state.worked : Works{};
  // The numbers of the next owner's commands begin again.
  const auto started = camera.paired ? state.started : 0;
  if (camera.paired) {
    worked.sensor |= camera.works.sensor && !camera.privacy;
    worked.epoch |= camera.works.epoch;
    worked.broker |= camera.works.broker;
  }
  if (worked == state.worked && started == state.started) return false;
  state.worked = worked;
  state.started = started;
  return true;
}

void judge_starts(Trial& trial, const std::string& slot, const Version& running) {
  if (trial.slot == slot) {
    trial.verdict = sealcam::format("slot {} has version {}", slot, to_string(running));
  } else if (trial.starts >= max_starts) {
    trial.transient = trial.seen;
    trial.verdict = trial.seen
                        ? sealcam::format("the trial was interrupted {} times", trial.starts)
                        : sealcam::format("version {} did not start, {} times", to_string(trial.version), trial.starts);
  }
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
