// SPDX-License-Identifier: Apache-2.0
/// Whether the sensor is to stay closed.
#pragma once

#include "stream/capture_control.hpp"
#include "stream/stores.hpp"

namespace sealcam::stream {

/// Remembers it over a power cut and tells the capture thread. Whatever fails, the sensor is closed rather than open.
/// Thread-bound.
class Privacy {
 public:
  Privacy(PrivacyStore& store, CaptureControl& control) : store_(store), control_(control) {}

  /// Before the sensor is opened for the first time. Errors: those of the store; the sensor then stays closed.
  [[nodiscard]] Result<> load() {
    control_.set_closed(true);
    const auto stored = store_.load();
    if (!stored) return std::unexpected(stored.error());
    on_ = *stored;
    control_.set_closed(on_);
    return {};
  }
  /// Durable when it returns. Errors: those of the store; the sensor then is closed when it was to be closed, but a
  /// restart may open it, and stays closed when it was to be opened.
  [[nodiscard]] Result<> set(bool on) {
    if (on) {
      on_ = true;
      control_.set_closed(true);
    }
    if (auto r = store_.store(on); !r) return r;
    on_ = on;
    control_.set_closed(on);
    return {};
  }
  [[nodiscard]] bool on() const noexcept { return on_; }

 private:
  PrivacyStore& store_;
  CaptureControl& control_;
  bool on_ = false;
};

}  // namespace sealcam::stream
