// SPDX-License-Identifier: Apache-2.0
/// account.json: what the owner knows of the account. No secret is in it; names are, so it is private. What later
/// versions of the program added is optional: files of earlier ones are read.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "owner/failure.hpp"
#include "protocol/command.hpp"
#include "protocol/roster.hpp"

namespace sealcam::owner {

/// What the owner told one camera: every item with the command that first brought it (protocol/command.hpp).
struct CommandRecord {
  CommandSeq newest;     ///< stored before it is published; 0: the camera was never told anything
  CommandSeq published;  ///< newest that the broker acknowledged
  CommandSeq obeyed;     ///< newest that the camera's signed grants named
  std::optional<protocol::CommandItem<std::string>> name;
  std::optional<protocol::CommandItem<bool>> privacy;
  std::optional<protocol::CommandItem<protocol::CameraSettings>> settings;
  std::optional<protocol::CommandItem<Bytes>> wifi;  ///< SSID; the passphrase is a file of its own until it was obeyed
  /// The first command that goes without the network, because its passphrase was lost on this machine.
  std::optional<CommandSeq> wifi_lost;
  std::optional<CommandSeq> reset;
};

struct CameraRecord {
  DeviceId id;
  std::string name;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  RosterVersion version;      ///< newest roster that was signed; stored before it is published
  RosterVersion published;    ///< newest roster that the broker acknowledged
  RosterVersion confirmed;    ///< newest roster that the camera's signed grants named, with the right hash
  bool contradicted = false;  ///< the camera follows a roster that this account does not know
  bool unlearned = false;     ///< restored from a backup: the camera has not said yet which roster it follows
  /// Why the camera is not in the network that it was told last, by its own signed grants.
  std::optional<protocol::WifiTrouble> wifi_trouble;
  bool removed = false;  ///< its roster names no hub; the record goes once the camera confirmed that
  CommandRecord command;
};

struct HubRecord {
  DeviceId id;
  std::string name;  ///< for the owner's eyes; leaves this machine in no message
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  bool this_machine = false;  ///< the hub identity that `watch` and `inspect` use
  std::optional<protocol::Integration> integration;
  std::vector<DeviceId> denied;     ///< cameras this hub may not watch; every other it may
  bool may_switch_privacy = false;  ///< of the cameras that it may watch
  bool unlinked = false;            ///< on no roster any more; the record goes once every camera confirmed that
};

struct IntegrationRecord {
  protocol::Integration label;
  std::string name;
  bool suspended = false;
};

struct BackupRecord {
  CaptureTime made;
  std::string content;  ///< content_digest() of what was in it
};

struct AccountFile {
  AccountId account;
  std::vector<CameraRecord> cameras;
  std::vector<HubRecord> hubs;
  std::vector<IntegrationRecord> integrations;
  std::optional<BackupRecord> backup;  ///< the newest one
  std::string broker_folder;           ///< of the broker on this machine where devices were enrolled; empty: elsewhere
  bool learn = false;                  ///< restored from a backup: the broker was not asked yet which cameras there are

  /// Cameras or the whole account were not learned again since a restore: nothing may be changed yet.
  [[nodiscard]] bool unlearned() const noexcept;
};

/// `next_step` of a missing file: create the account.
[[nodiscard]] Outcome<AccountFile> read_account(const std::filesystem::path& path);
/// From the text itself; `where` is for the sentence of a failure.
[[nodiscard]] Outcome<AccountFile> parse_account(std::string_view text, std::string_view where);
[[nodiscard]] std::string account_text(const AccountFile& account);
/// Atomic and durable.
[[nodiscard]] Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account);

/// Who may watch a camera now, as its roster says it; version and time are the record's and `issued`.
[[nodiscard]] protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued);

/// Whether both let the same hubs watch the same camera, whatever their version and time.
[[nodiscard]] bool same_members(const protocol::Roster& a, const protocol::Roster& b);

/// By name, or by the beginning of the id where that is unambiguous. Fails with a sentence otherwise.
[[nodiscard]] Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text);

[[nodiscard]] Outcome<const HubRecord*> find_hub(const AccountFile& account, std::string_view text);
/// By name.
[[nodiscard]] Outcome<const IntegrationRecord*> find_integration(const AccountFile& account, std::string_view text);

/// SHA-256, in hexadecimal, over what a backup has to hold: devices, names, integrations and who may watch what.
[[nodiscard]] std::string content_digest(const AccountFile& account);

/// UTF-8 without control characters, 1 to 64 bytes.
[[nodiscard]] Outcome<> check_name(std::string_view name);

}  // namespace sealcam::owner
