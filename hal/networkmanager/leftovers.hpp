// SPDX-License-Identifier: Apache-2.0
/// Networks of ours that were never proven and that no trial stands behind any more. Private to this folder.
///
/// A profile in memory is a file in /run/NetworkManager/system-connections: a NetworkManager that was restarted reads
/// it again, with its priority over all others, but knows nothing of the checkpoint that was to take it back.
#pragma once

#include <systemd/sd-bus.h>

#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "hal/networkmanager/bus.hpp"

namespace sealcam::hal::networkmanager {

/// Thread-bound.
class Leftovers {
 public:
  /// Whether there were any, or why they cannot be taken away.
  using Done = std::function<void(std::expected<bool, Refusal>)>;

  /// Deletes the profiles of ours that are not on the disk, of those that the bus's NetworkManager lists now. Only what
  /// it says of a profile counts; in doubt the profile stays. `bus` outlives the call, or this is not called again.
  void remove(Bus& bus, Done done);

 private:
  void look_at_next();
  void ask_whether_saved(const std::string& path);
  void drop(const std::string& path);

  Bus* bus_ = nullptr;
  Done done_;
  std::vector<std::string> todo_;
  bool found_ = false;
};

}  // namespace sealcam::hal::networkmanager
