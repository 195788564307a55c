// SPDX-License-Identifier: Apache-2.0
/// Publishes the owner's signed messages until the broker acknowledged them and the cameras' own signatures confirm
/// them, and reports the progress to the owner.
///
/// "Pending" means that the broker does not have a message. "Waiting" means that the broker has it and the camera has
/// not confirmed it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "owner/account/account.hpp"
#include "owner/sync/desired_state.hpp"

namespace sealcam::owner {

struct SyncOptions {
  bool everything = false;  ///< publish all messages again, because the broker may have lost them
  bool again = false;       ///< publish acknowledged messages again if the camera did not confirm them
  bool once = false;        ///< give up after the first failed connection
  bool resync = false;      ///< take over the rosters of cameras that use a roster of another copy of the account
  bool check = false;       ///< find messages that the broker acknowledged and lost; they are pending again
  bool publish = true;      ///< false: receive only
  std::chrono::milliseconds timeout{10'000};  ///< for the broker
  std::chrono::milliseconds listen{0};        ///< for the cameras, after the broker has all messages
};

struct SyncReport {
  bool reached = false;                ///< the broker was reached
  std::vector<DeviceId> lost;          ///< the broker lost a roster or command of the camera
  bool lost_index = false;             ///< the broker lost the list of cameras of a hub or of the owner
  std::vector<DeviceId> published;     ///< the broker acknowledged a message now
  std::vector<DeviceId> pending;       ///< the broker does not have all messages
  std::vector<DeviceId> waiting;       ///< the camera has not confirmed all messages
  std::vector<DeviceId> confirmed;     ///< the camera confirmed all messages now
  std::vector<DeviceId> contradicted;  ///< the camera uses a roster that this account did not sign
  std::vector<DeviceId> not_stored;    ///< the camera could not store the newest roster or command that it follows
  std::vector<DeviceId> out_of_sync;   ///< restored, and the camera has not reported its roster
  LostWifi lost_wifi;                  ///< all other messages of these cameras are published
  bool resync_pending = false;         ///< restored, and the broker was not reached
  std::vector<DeviceId> gone;          ///< removed or reset, and deleted from the account now
  std::string why_pending;             ///< empty if nothing is pending

  /// Whether every camera confirmed its desired state.
  [[nodiscard]] bool settled() const noexcept {
    return !resync_pending && (reached || why_pending.empty()) && pending.empty() && waiting.empty() &&
           contradicted.empty() && not_stored.empty() && out_of_sync.empty() && lost_wifi.left_out.empty() &&
           lost_wifi.at_broker.empty();
  }
};

/// Resynchronizes a restored account, renews rosters, publishes missing messages (QoS 1, retained), receives the
/// cameras' grants, and stores each acknowledgement and confirmation. An unreachable broker is not a failure: see the
/// report.
[[nodiscard]] Outcome<SyncReport> sync(Account& account, const SyncOptions& options, const Clock& clock);

/// Whether the camera has not confirmed its desired state.
[[nodiscard]] bool is_unconfirmed(const CameraRecord& camera) noexcept;

/// Explains why a camera is unconfirmed; empty if it is not.
[[nodiscard]] std::string pending_text(const CameraRecord& camera);
/// Explains why a camera is not in its desired Wi-Fi network; empty if there is no fault.
[[nodiscard]] std::string wifi_text(const CameraRecord& camera);
/// Names the cameras that have not confirmed the permissions of a hub; empty if there are none.
[[nodiscard]] std::string pending_text(const AccountFile& account, const HubRecord& hub);
/// Explains a report; empty if there is nothing to report.
[[nodiscard]] std::string report_text(const SyncReport& report, const AccountFile& account);
/// "'Front door', 'Yard'". A camera that is not in the account appears by its id.
[[nodiscard]] std::string names_of(const AccountFile& account, const std::vector<DeviceId>& cameras);

}  // namespace sealcam::owner
