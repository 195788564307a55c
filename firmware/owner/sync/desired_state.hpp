// SPDX-License-Identifier: Apache-2.0
/// The desired state of cameras, as signed messages: a roster and a command for each camera. A version or number is
/// stored before a message with it is signed, so that no version ever has two contents.
///
/// The desire_*() functions give a value the number of the next command and change nothing else. The passphrase of a
/// Wi-Fi network is in a file of its own, because account.json contains no secret. Reentrant.
#pragma once

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

}  // namespace sealcam::owner
