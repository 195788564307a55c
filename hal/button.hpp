// SPDX-License-Identifier: Apache-2.0
/// The seam to the board's button, and what a long press is.
#pragma once

#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace sealcam::hal {

/// One button of the board. Thread-bound.
class Button {
 public:
  virtual ~Button() = default;
  /// Whether it is held down now; never waits. Errors: permission, device_lost, io.
  [[nodiscard]] Result<bool> pressed() { return do_pressed(); }
  /// One line for logs: where it is.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<bool> do_pressed() = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
};

/// Finds a long press in what is read ten times a second or so: held for five seconds without a break. A button that is
/// held from the start counts only once it was let go: one that is stuck must not reset the board at every start.
/// Logic only. Thread-bound.
class LongPress {
 public:
  static constexpr std::chrono::seconds duration{5};

  /// True once for each long press, while it is still held.
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
