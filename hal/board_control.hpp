// SPDX-License-Identifier: Apache-2.0
/// The seam to what a board shows to people in the room.
#pragma once

#include <mutex>
#include <string>

#include "core/result.hpp"

namespace sealcam::hal {

/// The activity light, or what stands for it. Thread-safe: the capture thread says when the sensor streams, others
/// ask which of several boards this is.
class BoardControl {
 public:
  BoardControl() = default;
  BoardControl(const BoardControl&) = delete;
  BoardControl& operator=(const BoardControl&) = delete;
  /// The light is given back as it was found.
  virtual ~BoardControl() = default;

  /// On before the first picture is fetched from the sensor until the sensor has stopped. Idempotent.
  /// Errors: permission, device_lost, io; the light may then be wrong, and the caller says so.
  [[nodiscard]] Result<> set_activity(bool on) {
    const std::scoped_lock lock(mutex_);
    return do_set_activity(on);
  }
  /// While on, the light blinks so that a person finds this board; afterwards it shows the activity again.
  /// Errors: unsupported (the light cannot blink), and those above.
  [[nodiscard]] Result<> set_identify(bool on) {
    const std::scoped_lock lock(mutex_);
    return do_set_identify(on);
  }
  /// One line for logs: what the light is.
  [[nodiscard]] std::string describe() const { return do_describe(); }

 private:
  virtual Result<> do_set_activity(bool on) = 0;
  virtual Result<> do_set_identify(bool on) = 0;
  [[nodiscard]] virtual std::string do_describe() const = 0;
  std::mutex mutex_;
};

}  // namespace sealcam::hal
