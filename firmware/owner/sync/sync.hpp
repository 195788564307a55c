// SPDX-License-Identifier: Apache-2.0
/// The desired state of cameras, as signed messages, and its publication.
///
/// Each camera has a roster and a command. A version or number is stored before a message with it is signed, so that no
/// version ever has two contents. The desire_*() functions give a value the number of the next command and change
/// nothing else. The passphrase of a Wi-Fi network is in a separate file, because account.json contains no secret.
///
/// sync() publishes the messages until the broker acknowledged them and the cameras' own signatures confirm them, and
/// reports the progress to the owner. "Pending" means that the broker does not have a message. "Waiting" means that the
/// broker has it and the camera has not confirmed it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "owner/account/account.hpp"
#include "protocol/command.hpp"

namespace sealcam::owner {

void desire_name(CameraRecord& camera, std::string name);
void desire_privacy(CameraRecord& camera, bool on);
/// Settings that are absent keep their desired value.
void desire_settings(CameraRecord& camera, const protocol::CameraSettings& settings);
void desire_wifi(CameraRecord& camera, Bytes ssid);
void desire_reset(CameraRecord& camera);
void desire_update(CameraRecord& camera, protocol::UpdateConsent consent);

/// Whether the camera has not applied the newest command.
[[nodiscard]] bool command_unconfirmed(const CameraRecord& camera) noexcept;
/// Whether the camera has not confirmed the newest roster.
[[nodiscard]] bool roster_unconfirmed(const CameraRecord& camera) noexcept;
/// The newest command, signed and sealed to the camera.
[[nodiscard]] Outcome<Bytes> signed_command(const Account& account, const CameraRecord& camera);
/// Records the command number in a camera's grants. The passphrase of an applied network is not needed any more. If the
/// camera applied a command without its lost network, the network stays desired.
void note_applied(CameraRecord& camera, protocol::CommandSeq applied);

/// The file with a camera's Wi-Fi passphrase, until it is applied. Its mode is 0600, in a private folder.
[[nodiscard]] std::filesystem::path wifi_file(const AccountFiles& files, const DeviceId& camera);
/// Writes that file. Call it before Account::store().
[[nodiscard]] Outcome<> store_wifi(const AccountFiles& files, const DeviceId& camera,
                                   const protocol::Passphrase& passphrase);
/// Deletes the passphrases that no unapplied command needs.
[[nodiscard]] Outcome<> delete_applied_wifi(const AccountFiles& files, const AccountFile& account);

/// Cameras whose Wi-Fi passphrase is missing or damaged on this machine.
struct LostWifi {
  /// Their commands are published without the network. Cameras that are being removed or reset are not listed.
  std::vector<DeviceId> left_out;
  /// The broker acknowledged the command with the passphrase, so no other command may replace it.
  std::vector<DeviceId> at_broker;
};
/// Finds lost passphrases before anything is published, so that they delay no other message. A command without the
/// network gets a new number. A camera ignores a missing network in a command. `everything`: the broker may have lost
/// its retained messages, so acknowledgements do not count.
[[nodiscard]] Outcome<LostWifi> find_lost_wifi(Account& account, bool everything);

/// Signs a new roster for each camera whose newest roster differs from the account's content. Returns these cameras.
[[nodiscard]] Outcome<std::vector<DeviceId>> renew_rosters(Account& account, const Clock& clock);
/// Signs a new list of cameras for each hub, and for the owner, whose newest list differs from the account's content.
/// Does nothing before the account has a broker. Call this after renew_rosters().
[[nodiscard]] Outcome<> renew_indexes(Account& account, const Clock& clock);
/// The newest signed list of cameras for a hub or for the owner.
[[nodiscard]] Outcome<Bytes> signed_index(const Account& account, const DeviceId& hub);

/// The newest signed roster of a camera.
[[nodiscard]] Outcome<Bytes> signed_roster(const Account& account, const CameraRecord& camera);
/// Writes the roster into a camera's state folder, so that the camera works before the broker has the roster. Keeps a
/// newer roster.
[[nodiscard]] Outcome<> install_roster(const Account& account, const CameraRecord& camera,
                                       const std::filesystem::path& state_folder);

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

/// The reason why a camera is not confirmed; empty for a confirmed camera.
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
