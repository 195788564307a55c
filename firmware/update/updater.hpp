// SPDX-License-Identifier: Apache-2.0
/// Polls the channel, installs a release, and tries it. Thread-bound.
///
/// A power cut at any moment leaves a board that starts, because the order of the steps is fixed:
///   1. RAUC writes the other slot. Nothing selects it. The camera and the owner's decision are then read again.
///   2. The state file gets the trial, and then each start of it before the restart. The restart selects the other
///      slot once. Any later start selects the old slot, whose updater starts the trial again, at most three times.
///   3. In the trial, the health gate decides. Only then does RAUC select the running slot, with one sector of the
///      card. The state file follows; if it is missing, the next start completes it.
///   4. If the gate fails, the state file gets the reason, and the board restarts into the old slot.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "update/camera.hpp"
#include "update/decision.hpp"
#include "update/health.hpp"
#include "update/rauc.hpp"
#include "update/state.hpp"

namespace sealcam::update {

struct Settings {
  std::string channel;  ///< https://… or an absolute path of a bundle; empty: no updates
  std::string board;    ///< "raspberrypi"
  Version version;      ///< running
  std::string slot;     ///< running, by the kernel command line; empty if it does not name one
  unsigned night_hour = 2;
};

class Updater {
 public:
  struct Dependencies {
    const Clock& clock;  ///< a wall clock that nothing set must not be plausible: see SynchronizedClock
    Log& log;
    Commands& commands;
    Camera& camera;
    StateStore& store;
    std::function<void(const Status&)> show;  ///< receives each change
    std::uint32_t seed = 0;                   ///< of the pauses between two polls
  };
  Updater(Settings settings, Dependencies deps);

  /// One step; an installation takes minutes. Call it again after `interval`.
  void step();
  static constexpr std::chrono::seconds interval{10};

  /// Polls the channel once, and decides. Changes nothing.
  struct Checked {
    Release release;
    Decided decided;
    std::uint32_t bucket = 0;
    Version running{};
  };
  [[nodiscard]] std::expected<Checked, Failure> check();
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  enum class Mode : std::uint8_t { begin, confirmed, trial, unknown };

  void load();
  void begin();
  void resume_trial();
  void step_confirmed();
  void step_trial();
  void count_running_time();
  void poll();
  void act(const Decided& decided);
  void install();
  [[nodiscard]] std::expected<std::string, Failure> install_release();
  void fail_install(const Version& version, const Failure& failure);
  void begin_trial(const std::string& slot);
  void start_trial();
  void confirm();
  void complete_trial();
  void roll_back();
  void fail_trial(std::string reason, bool transient);
  void restart(bool into_trial);
  [[nodiscard]] Checked decide_about(const Release& release) const;
  [[nodiscard]] std::optional<Consent> pending_start() const;
  void end_starts();
  void record(Outcome outcome, std::optional<Version> version, std::string reason);
  void show(Status::Phase phase);
  bool save();

  Settings settings_;
  Dependencies deps_;
  Rauc rauc_{deps_.commands};
  Mode mode_ = Mode::begin;
  State state_;
  Status status_;
  std::optional<Status> shown_;
  CameraState camera_;
  std::optional<Release> offer_;
  std::optional<HealthGate> gate_;
  std::chrono::nanoseconds unsaved_{};  ///< running time that is not in the state file
  Backoff pause_;                       ///< between two polls
  Backoff failed_poll_pause_;           ///< after a failed poll
  Backoff install_pause_;               ///< after a failed installation
  std::optional<Version> tried_;        ///< the version of `install_pause_`
  BootTime started_;                    ///< when this object was made
  BootTime counted_;                    ///< until here, running time is counted
  BootTime next_poll_, next_start_, next_install_;
  std::optional<BootTime> restarting_;
  std::uint64_t polled_number_ = 0;        ///< Consent::number of the start that caused the last poll
  std::optional<Version> polled_request_;  ///< CameraState::request that did
  bool begin_failed_ = false;              ///< logged
};

}  // namespace sealcam::update
