// SPDX-License-Identifier: Apache-2.0
/// What the owner wants of a camera, kept until the camera obeyed: each function gives the value the number of the
/// next command and changes nothing else. The passphrase of a network is kept apart (wifi_file()), so that
/// account.json holds no secret. Reentrant.
#pragma once

#include <string>
#include <vector>

#include "owner/account.hpp"
#include "protocol/command.hpp"

namespace sealcam::owner {

void want_name(CameraRecord& camera, std::string name);
void want_privacy(CameraRecord& camera, bool on);
/// What `settings` leaves out stays as it was wanted before.
void want_settings(CameraRecord& camera, const protocol::CameraSettings& settings);
void want_wifi(CameraRecord& camera, Bytes ssid);
void want_reset(CameraRecord& camera);

/// Whether the camera did not obey the newest command yet.
[[nodiscard]] bool command_waits(const CameraRecord& camera) noexcept;

/// Of a camera's Wi-Fi passphrase, until it was obeyed; 0600 in a private folder.
[[nodiscard]] std::filesystem::path wifi_file(const AccountFiles& files, const DeviceId& camera);

/// Keeps the passphrase, before the account that wants it is stored.
[[nodiscard]] Outcome<> keep_wifi(const AccountFiles& files, const DeviceId& camera,
                                  const protocol::Passphrase& passphrase);

/// The newest command as it goes to the camera, signed and sealed.
[[nodiscard]] Outcome<Bytes> signed_command(const Account& account, const CameraRecord& camera);

/// The camera's grants named this command. A passphrase that was obeyed is never sent again. A network that was lost
/// stays wanted when the camera obeyed a command without it: what became of it nobody knows.
void note_obeyed(CameraRecord& camera, CommandSeq obeyed);

/// Cameras whose network's passphrase is missing or damaged on this machine.
struct LostWifi {
  /// Their commands go without the network until it is said again. Without those on their way out of the account, to
  /// which nobody says a network.
  std::vector<DeviceId> left_out;
  /// The broker acknowledged the command that carries it: nothing may replace that one.
  std::vector<DeviceId> at_broker;
};

/// Looks before anything is published, so that no camera's lost passphrase holds up another message. A command that
/// goes without the network has a number of its own, stored first: no number is ever given to two contents. A camera
/// takes a command without a network as no word about its network. `everything`: what the broker has counts as gone.
[[nodiscard]] Outcome<LostWifi> look_for_lost_wifi(Account& account, bool everything);

/// Deletes the passphrases that no camera waits for any more.
[[nodiscard]] Outcome<> forget_wifi(const AccountFiles& files, const AccountFile& account);

}  // namespace sealcam::owner
