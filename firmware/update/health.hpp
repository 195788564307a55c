// SPDX-License-Identifier: Apache-2.0
/// The health gate: what worked before an update must work again. Thread-bound.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "update/camera.hpp"

namespace sealcam::update {

/// Everything must work for this time, without a restart of the camera.
inline constexpr std::chrono::seconds stable_time{60};
/// How long the sensor, the epochs or the program may be missing without a break. A slow board needs 3 min to start.
inline constexpr std::chrono::minutes start_time{15};
/// Time for everything, over all starts of a trial. A missing broker alone ends a trial only now.
inline constexpr std::chrono::minutes trial_time{60};
/// Restarts into a trial: a power cut ends one, because the next ordinary start selects the old slot.
inline constexpr unsigned max_starts = 3;

class HealthGate {
 public:
  /// `required`: of a camera that was paired before the trial. `now`: the start of the updater.
  HealthGate(const Works& required, BootTime now) : required_(required), fine_(now) {}

  enum class Verdict : std::uint8_t { wait, healthy, failed };
  /// `spent`: time of the trial, over all starts. Call it several times in `stable_time`.
  [[nodiscard]] Verdict check(const CameraState& camera, BootTime now, std::chrono::seconds spent);
  /// Why it failed, for people.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  /// Only the broker was missing.
  [[nodiscard]] bool transient() const noexcept { return transient_; }

 private:
  Works required_;
  BootTime fine_;                       ///< when at most the broker was missing
  std::optional<BootTime> good_since_;  ///< nothing is missing
  std::int64_t process_ = 0;
  std::string reason_;
  bool transient_ = false;
};

/// RAUC writes its own status, and the camera must be able to store.
inline constexpr std::uint64_t min_free_space = std::uint64_t{4} << 20;
/// Why the data partition is too full for an update, for people; empty if it is not.
[[nodiscard]] std::string lack_of_space(const CameraState& camera);

/// Adds what works to what worked. Forgets the past of a camera that is not paired. Returns whether the state changed.
bool remember_what_works(State& state, const CameraState& camera);

/// Sets the verdict of a trial that is recorded although the selected slot runs: if the slot of the trial is selected
/// with another version, or if there were enough starts.
void judge_starts(Trial& trial, const std::string& slot, const Version& running);

/// What does not work although it is required, for people; empty if everything works. `only_broker` tells whether the
/// broker is the only part.
struct Missing {
  std::string text;
  bool only_broker = false;
};
[[nodiscard]] Missing missing(const CameraState& camera, const Works& required);

}  // namespace sealcam::update
