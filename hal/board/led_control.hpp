// SPDX-License-Identifier: Apache-2.0
/// A light of Linux's LED class as the activity light.
#pragma once

#include <filesystem>
#include <memory>

#include "hal/board_control.hpp"

namespace sealcam::hal::board {

/// Takes the light from its trigger (often card activity or a heartbeat), drives it by hand, and gives it back with
/// the trigger and brightness it had. A process that is killed gives nothing back: the light then stays as it was
/// last, and the next start takes it as off. Thread-safe.
class LedControl final : public BoardControl {
 public:
  /// `folder`: of the LED class, with `brightness`, `max_brightness` and `trigger`. The light is off afterwards.
  /// Errors: not_found, permission, malformed (its files say nothing understandable), io.
  [[nodiscard]] static Result<std::unique_ptr<LedControl>> open(const std::filesystem::path& folder);
  ~LedControl() override;

 private:
  LedControl(std::filesystem::path folder, std::string trigger, std::string before, std::string brightest)
      : folder_(std::move(folder)),
        trigger_(std::move(trigger)),
        before_(std::move(before)),
        brightest_(std::move(brightest)) {}
  Result<> do_set_activity(bool on) override;
  Result<> do_set_identify(bool on) override;
  [[nodiscard]] std::string do_describe() const override;
  Result<> show();

  std::filesystem::path folder_;
  std::string trigger_, before_;  // as found
  std::string brightest_;
  bool active_ = false;
  bool identifying_ = false;
};

}  // namespace sealcam::hal::board
