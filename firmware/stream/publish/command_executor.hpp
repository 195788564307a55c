// SPDX-License-Identifier: Apache-2.0
/// Applies the owner's commands, and privacy requests of hubs.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "device/stores.hpp"
#include "protocol/command.hpp"
#include "stream/capture/capture_control.hpp"
#include "stream/publish/owner_validators.hpp"
#include "stream/publish/request_validator.hpp"
#include "stream/publish/sealing.hpp"

namespace sealcam::stream {

/// Changes of a command beyond the stream. Each call is durable when it returns, and idempotent. Thread-bound.
class CommandActions {
 public:
  virtual ~CommandActions() = default;
  /// Errors: permission, io.
  [[nodiscard]] Result<> rename(std::string_view name) { return do_rename(name); }
  /// Replaces all earlier settings. Returns the upper bound of the quality from now on. Skips settings that the camera
  /// does not support, and logs them. Errors: permission, io.
  [[nodiscard]] Result<Quality> change(const protocol::CameraSettings& settings) { return do_change(settings); }
  /// Errors: permission, io.
  [[nodiscard]] Result<> join(const protocol::Wifi& wifi) { return do_join(wifi); }
  /// Replaces the earlier decision about updates. Errors: permission, io.
  [[nodiscard]] Result<> decide_update(const protocol::CommandItem<protocol::UpdateConsent>& consent) {
    return do_decide_update(consent);
  }

 private:
  virtual Result<> do_rename(std::string_view name) = 0;
  virtual Result<Quality> do_change(const protocol::CameraSettings& settings) = 0;
  virtual Result<> do_join(const protocol::Wifi& wifi) = 0;
  virtual Result<> do_decide_update(const protocol::CommandItem<protocol::UpdateConsent>& consent) = 0;
};

/// Keeps the sensor closed, also after a power cut. After a failure the sensor is closed rather than open.
/// Thread-bound.
class Privacy {
 public:
  Privacy(device::PrivacyStore& store, CaptureControl& control) : store_(store), control_(control) {}

  /// Call this before the sensor is opened for the first time. Errors: those of the store; the sensor then stays
  /// closed.
  [[nodiscard]] Result<> load();
  /// Durable when it returns. Errors: those of the store. After an error with `on`, the sensor is closed, but a restart
  /// may open it. After an error without `on`, the sensor stays closed.
  [[nodiscard]] Result<> set(bool on);
  /// Stores that privacy is on, if set() could not. Errors: those of the store.
  [[nodiscard]] Result<> store();
  [[nodiscard]] bool on() const noexcept { return on_; }
  /// The capture thread has closed the sensor. Status, reports and grants have privacy from this moment on. Until then,
  /// hubs repeat their requests.
  [[nodiscard]] bool in_effect() const noexcept { return on_ && !control_.source_open(); }
  /// If false, a restart opens the sensor.
  [[nodiscard]] bool stored() const noexcept { return stored_; }

 private:
  device::PrivacyStore& store_;
  CaptureControl& control_;
  bool on_ = false;
  bool stored_ = true;
};

/// Applies commands, one item after the other. If an item fails, for example because the disk is full, the executor
/// tries again with pauses of 1 s up to 60 s. Privacy-on never waits for the disk. Every other item waits until the
/// command is stored, also a reset: after it published its deregistration notice, a camera must not return. A command
/// with privacy is applied when the sensor is closed.
/// Thread-bound.
class CommandExecutor {
 public:
  /// All references must outlive the executor.
  struct Dependencies {
    const Clock& clock;
    Log& log;
    CommandValidator& commands;
    CommandActions& actions;
    Privacy& privacy;
    Epochs& epochs;
  };
  /// Changes that the publisher must follow.
  struct Change {
    bool applied = false;  ///< a whole command; a new epoch reports it
    bool privacy = false;  ///< privacy was switched
    bool reset = false;    ///< the camera must stop, delete its state and start unpaired
    std::optional<Quality> best;
  };

  explicit CommandExecutor(const Dependencies& deps)
      : deps_(deps),
        backoff_(std::chrono::seconds(1), std::chrono::seconds(60)),
        command_retry_(deps.clock, deps.log, "the command"),
        privacy_retry_(deps.clock, deps.log, "privacy on") {}

  /// Loads the stored command, and applies the items that a power cut interrupted. Call Privacy::load() before.
  /// Errors: those of CommandValidator::load().
  [[nodiscard]] Result<Change> load();
  /// Handles a message from the command topic. Counts and logs a rejected message.
  [[nodiscard]] Change command(ByteView message);
  /// Tries failed items and failed stores again after their pause.
  [[nodiscard]] Change tick();
  /// Applies the privacy request of a hub that is permitted to send it.
  [[nodiscard]] Change switch_privacy(bool on);

  [[nodiscard]] bool privacy() const noexcept { return deps_.privacy.on(); }
  [[nodiscard]] bool privacy_in_effect() const noexcept { return deps_.privacy.in_effect(); }
  [[nodiscard]] std::optional<CommandSeq> applied() const noexcept { return deps_.commands.applied(); }
  /// If false, a restart would bring an older command back, or open the sensor.
  [[nodiscard]] bool stored() const noexcept { return deps_.commands.stored() && deps_.privacy.stored(); }
  [[nodiscard]] std::uint64_t rejected() const noexcept { return rejected_; }

 private:
  [[nodiscard]] Change apply();
  [[nodiscard]] Change close_sensor(protocol::Command& command);
  [[nodiscard]] Result<> apply_items(protocol::Command& command, Change& change);

  Dependencies deps_;
  Backoff backoff_;
  device::StoreRetry command_retry_, privacy_retry_;
  RateWindow<4> window_;
  RateLimit log_limit_{std::chrono::seconds(10)};
  std::uint64_t rejected_ = 0;
  bool failing_ = false;
};

}  // namespace sealcam::stream
