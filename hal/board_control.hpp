// SPDX-License-Identifier: Apache-2.0
/// The interfaces of a board's activity light and button.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace sealcam::hal {

/// Shows people in the room that the sensor is on. Thread-safe.
class BoardControl {
 public:
  BoardControl() = default;
  BoardControl(const BoardControl&) = delete;
  BoardControl& operator=(const BoardControl&) = delete;
  /// Restores the light's earlier state.
  virtual ~BoardControl() = default;

  /// Switch it on before the sensor starts, and off after the sensor has stopped. Idempotent.
  /// Errors: permission, device_lost, io. The light may then be wrong, so log the error.
  [[nodiscard]] Result<> set_activity(bool on) {
    const std::scoped_lock lock(mutex_);
    return do_set_activity(on);
  }
  /// One line for logs.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<> do_set_activity(bool on) = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  std::mutex mutex_;
};

/// One button of the board. Thread-bound.
class Button {
 public:
  virtual ~Button() = default;
  /// Reads whether the button is down now. Does not wait. Errors: permission, device_lost, io.
  [[nodiscard]] Result<bool> pressed() { return do_pressed(); }
  /// One line for logs.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<bool> do_pressed() = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
};

/// Detects a press of five seconds without a break. Feed it about ten times a second. A button that is down at the
/// start counts only after a release, so that a stuck button does not reset the board at each start. Thread-bound.
class LongPress {
 public:
  static constexpr std::chrono::seconds duration{5};

  /// Returns true once for each long press, while the button is still down.
  [[nodiscard]] bool feed(bool pressed, MonotonicTime now) noexcept {
    if (!pressed) {
      armed_ = true;
      since_.reset();
      return false;
    }
    if (!armed_) return false;
    if (!since_) since_ = now;
    if (now - *since_ < duration) return false;
    armed_ = false;
    return true;
  }

 private:
  bool armed_ = false;
  std::optional<MonotonicTime> since_;
};

}  // namespace sealcam::hal
