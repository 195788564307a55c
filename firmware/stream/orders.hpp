// SPDX-License-Identifier: Apache-2.0
/// What the owner, and hubs that may, told the camera to be.
#pragma once

#include <optional>

#include "core/log.hpp"
#include "stream/backoff.hpp"
#include "stream/command_actions.hpp"
#include "stream/command_keeper.hpp"
#include "stream/epochs.hpp"
#include "stream/privacy.hpp"
#include "stream/window.hpp"

namespace sealcam::stream {

/// Obeys commands, item by item; what cannot be done (a full disk) is tried again, with pauses of 1 s up to 60 s.
/// Thread-bound.
class Orders {
 public:
  /// Everything outlives this.
  struct Parts {
    const Clock& clock;
    Log& log;
    CommandKeeper& commands;
    CommandActions& actions;
    Privacy& privacy;
    Epochs& epochs;
  };
  /// What has changed, for the publisher to follow.
  struct Change {
    bool obeyed = false;   ///< a command, whole: a new epoch says so
    bool privacy = false;  ///< was switched
    bool reset = false;    ///< the camera is to end, forget everything, and begin anew
    std::optional<Quality> best;
  };

  explicit Orders(const Parts& parts) : parts_(parts), backoff_(std::chrono::seconds(1), std::chrono::seconds(60)) {}

  /// Takes up what is stored, and does what a power cut left undone. Privacy must be loaded.
  /// Errors: as CommandKeeper::load().
  [[nodiscard]] Result<Change> load();
  /// A message from the command's topic. What is refused is counted and logged.
  [[nodiscard]] Change command(ByteView message);
  /// Tries what is left, when it is time.
  [[nodiscard]] Change tick();
  /// A hub that may says so.
  [[nodiscard]] Change switch_privacy(bool on);

  [[nodiscard]] bool privacy() const noexcept { return parts_.privacy.on(); }
  [[nodiscard]] std::optional<CommandSeq> obeyed() const noexcept { return parts_.commands.obeyed(); }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  [[nodiscard]] Change obey();
  [[nodiscard]] Result<> obey_items(protocol::Command& command, Change& change);

  Parts parts_;
  Backoff backoff_;
  Window<4> window_;
  RateLimit log_{std::chrono::seconds(10)};
  std::uint64_t refused_ = 0;
  bool failing_ = false;
};

}  // namespace sealcam::stream
