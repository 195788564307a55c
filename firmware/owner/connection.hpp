// SPDX-License-Identifier: Apache-2.0
/// The owner's and this machine's own way to the broker.
#pragma once

#include <mutex>
#include <string>

#include "core/log.hpp"
#include "owner/failure.hpp"
#include "pairing/device_state.hpp"
#include "transport/mqtt5_client.hpp"

namespace sealcam::owner {

/// What a client needs to connect as the device whose state folder this is; its identity keys are not touched. Fails
/// with the next step when it is not enrolled.
[[nodiscard]] Outcome<transport::MqttConfig> broker_connection(const pairing::StateFiles& files);

/// Keeps the newest warning, for the sentence that explains why something did not work. Thread-safe.
class LastWarning final : public Log {
 public:
  [[nodiscard]] std::string text() const {
    const std::scoped_lock lock(mutex_);
    return text_;
  }

 private:
  void write(LogLevel level, std::string_view line) override {
    if (level > LogLevel::warning) return;
    const std::scoped_lock lock(mutex_);
    text_ = line;
  }
  mutable std::mutex mutex_;
  std::string text_;
};

}  // namespace sealcam::owner
