// SPDX-License-Identifier: Apache-2.0
/// account.json: the owner's record of the account. It contains names and permissions, but no secret. A newer version
/// of the program adds optional members only, so it can read older files.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "owner/failure.hpp"
#include "protocol/command.hpp"
#include "protocol/roster.hpp"

namespace sealcam::owner {

/// The desired state of one camera. Each item has the number of the command that first carried it
/// (protocol/command.hpp).
struct CommandRecord {
  protocol::CommandSeq newest;     ///< stored before it is published; 0: no command yet
  protocol::CommandSeq published;  ///< newest command that the broker acknowledged
  protocol::CommandSeq applied;    ///< newest command that the camera's signed grants name
  std::optional<protocol::CommandItem<std::string>> name;
  std::optional<protocol::CommandItem<bool>> privacy;
  std::optional<protocol::CommandItem<protocol::CameraSettings>> settings;
  std::optional<protocol::CommandItem<Bytes>>
      wifi;  ///< SSID; the passphrase is in a file of its own until it is applied
  /// The first command without the Wi-Fi network, because this machine lost the passphrase.
  std::optional<protocol::CommandSeq> wifi_lost;
  std::optional<protocol::CommandSeq> reset;
};

struct CameraRecord {
  DeviceId id;
  std::string name;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  protocol::RosterVersion version;    ///< newest signed roster; stored before the roster is published
  protocol::RosterVersion published;  ///< newest roster that the broker acknowledged
  protocol::RosterVersion confirmed;  ///< newest roster that the camera's signed grants name, with the right hash
  bool contradicted = false;          ///< the camera uses a roster that this account did not sign
  bool not_stored = false;            ///< the camera follows a roster, command or privacy that it could not store
  bool out_of_sync = false;           ///< restored from a backup, and the camera has not reported its roster yet
  /// Why the camera is not in its desired Wi-Fi network, by its signed grants.
  std::optional<protocol::WifiFault> wifi_fault;
  bool removed = false;  ///< its roster has no hubs; the record is deleted when the camera confirms that
  CommandRecord command;
};

/// The list of cameras for one hub (protocol/roster.hpp).
struct IndexRecord {
  protocol::IndexVersion version;    ///< newest signed list; stored before the list is published
  protocol::IndexVersion published;  ///< newest list that the broker acknowledged
};

struct HubRecord {
  DeviceId id;
  std::string name;  ///< for the owner only; no message contains it
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  bool this_machine = false;  ///< the hub identity of 'sealcam watch' and 'sealcam inspect'
  std::optional<protocol::Integration> integration;
  std::vector<DeviceId> denied;     ///< cameras that this hub may not watch; it may watch all others
  bool may_switch_privacy = false;  ///< of the cameras that it may watch
  bool unlinked = false;            ///< on no roster; the record is deleted when all cameras confirmed that
  IndexRecord index{};
};

struct IntegrationRecord {
  protocol::Integration label;
  std::string name;
  bool suspended = false;
};

struct BackupRecord {
  CaptureTime made;
  std::string content;  ///< content_digest() of the account in the backup
};

struct AccountFile {
  AccountId account;
  std::vector<CameraRecord> cameras;
  std::vector<HubRecord> hubs;
  std::vector<IntegrationRecord> integrations;
  std::optional<BackupRecord> backup;  ///< the newest backup
  /// The list of all cameras, with the id of the owner in place of the hub's. A restored account without names finds
  /// the cameras with it.
  IndexRecord index{};
  std::string broker_folder;    ///< the broker's folder on this machine; empty: the broker is on another machine
  bool resync_pending = false;  ///< restored from a backup, and the cameras at the broker were not read yet

  /// Whether a restore is not finished: the account or a camera is out of sync. Nothing may be changed until then.
  [[nodiscard]] bool out_of_sync() const noexcept;
};

/// Fails with the advice to create an account if the file does not exist.
[[nodiscard]] Outcome<AccountFile> read_account(const std::filesystem::path& path);
/// Parses the text of account.json. Error messages begin with `source`.
[[nodiscard]] Outcome<AccountFile> parse_account(std::string_view text, std::string_view source);
[[nodiscard]] std::string account_text(const AccountFile& account);
/// Atomic and durable.
[[nodiscard]] Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account);

/// SHA-256, in hexadecimal, of the content that a backup must contain: devices, names, integrations and permissions.
[[nodiscard]] std::string content_digest(const AccountFile& account);

}  // namespace sealcam::owner
