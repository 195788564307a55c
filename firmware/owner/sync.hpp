// SPDX-License-Identifier: Apache-2.0
/// Publishing what the owner signed, until the broker has acknowledged it and the cameras' own signatures confirm it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "owner/account.hpp"
#include "owner/wanted.hpp"

namespace sealcam::owner {

struct SyncOptions {
  bool everything = false;  ///< also what the broker acknowledged before: its storage may be gone
  bool again = false;       ///< also what it acknowledged and the camera did not confirm
  bool once = false;        ///< give up at the first sign that there is no broker
  bool learn = false;       ///< learn cameras again that follow a roster which this account does not know
  bool publish = true;      ///< false: only listen
  std::chrono::milliseconds patience{10'000};  ///< for the broker
  std::chrono::milliseconds listen{0};         ///< for the cameras, once the broker has everything
};

struct SyncReport {
  bool reached = false;                ///< the broker
  std::vector<DeviceId> published;     ///< now
  std::vector<DeviceId> pending;       ///< the broker has not everything
  std::vector<DeviceId> waiting;       ///< it has; the camera did not confirm everything
  std::vector<DeviceId> confirmed;     ///< the camera did, now
  std::vector<DeviceId> contradicted;  ///< the camera follows a roster that this account does not know
  std::vector<DeviceId> unlearned;     ///< restored, and the camera did not say yet what it follows
  LostWifi lost_wifi;                  ///< everything else of these cameras is published like any other's
  bool learning = false;               ///< restored, and the broker could not be asked yet
  std::vector<DeviceId> gone;          ///< removed or reset, and now forgotten
  std::string why_pending;             ///< for people; empty when nothing is pending

  /// Whether every camera is known to follow what the owner wants.
  [[nodiscard]] bool settled() const noexcept {
    return !learning && pending.empty() && waiting.empty() && contradicted.empty() && unlearned.empty() &&
           lost_wifi.left_out.empty() && lost_wifi.at_broker.empty();
  }
};

/// Learns what a restore left open, renews rosters, publishes what the broker does not have (QoS 1, retained), listens
/// to the cameras' grants and records each acknowledgement and confirmation. A broker that cannot be reached is no
/// failure: the report says what is pending.
[[nodiscard]] Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock);

}  // namespace sealcam::owner
