// SPDX-License-Identifier: Apache-2.0
/// The owner's account on this machine.
///
///     keys/, tls.key, tls.csr, device.descriptor, enrollment.json   the owner as a device
///     hub/            the hub identity of this machine, with its own state folder
///     account.json    cameras, hubs and permissions
///     rosters/<id>    newest signed roster of each camera, as a whole message
///     indexes/<id>    newest signed list of cameras for each hub, and for the owner
///     wifi/<id>       Wi-Fi passphrase of a camera, until the camera applied it
///
/// account.json contains names and permissions, but no secret. A newer version of the program adds optional members
/// only, so it can read older files.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "device/device_state.hpp"
#include "owner/console.hpp"
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
  std::optional<protocol::CommandItem<Bytes>> wifi;  ///< SSID; the passphrase is in a separate file until it is applied
  /// The first command without the Wi-Fi network, because this machine lost the passphrase.
  std::optional<protocol::CommandSeq> wifi_lost;
  std::optional<protocol::CommandSeq> reset;
  /// `since` is 0 while the decision waits for a camera that can apply it.
  std::optional<protocol::CommandItem<protocol::UpdateConsent>> update;
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
  bool removed = false;  ///< its roster has no hubs
  /// It confirmed its removal, was reset, or does not exist any more. The record is deleted when the broker has its
  /// last roster, which tells hubs that were offline, and does not have its command any more.
  bool gone = false;
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
  bool phone = false;         ///< a hub in a browser, of 'sealcam phone link'
  /// A phone that may not have its enrollment, because 'sealcam phone link' was interrupted. It is on no roster.
  bool unfinished = false;
  std::optional<protocol::Integration> integration;
  std::vector<DeviceId> denied;     ///< cameras that this hub may not watch; it may watch all others
  bool may_switch_privacy = false;  ///< of the cameras that it may watch
  bool unlinked = false;            ///< on no roster; the record is deleted when all cameras confirmed that
  IndexRecord index{};

  /// Whether rosters may list the hub.
  [[nodiscard]] bool is_member() const noexcept { return !unlinked && !unfinished; }
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

/// Fails with the advice to create an account if the file does not exist. Reads the decisions about updates, too.
[[nodiscard]] Outcome<AccountFile> read_account(const std::filesystem::path& path);
/// Parses the text of account.json. Error messages begin with `source`.
[[nodiscard]] Outcome<AccountFile> parse_account(std::string_view text, std::string_view source);
[[nodiscard]] std::string account_text(const AccountFile& account);
/// Atomic and durable. Writes the decisions about updates first, too.
[[nodiscard]] Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account);

/// The decisions about updates are in a file beside account.json, so that programs from before updates can read
/// account.json. A backup has none.
inline constexpr const char* decisions_file = "updates.json";
[[nodiscard]] Outcome<> read_decisions(const std::filesystem::path& path, AccountFile& account);
/// Atomic and durable.
[[nodiscard]] Outcome<> write_decisions(const std::filesystem::path& path, const AccountFile& account);

/// SHA-256, in hexadecimal, of the content that a backup must contain: devices, names, integrations and permissions.
[[nodiscard]] std::string content_digest(const AccountFile& account);

struct AccountFiles {
  std::filesystem::path folder;  ///< absolute
  [[nodiscard]] std::filesystem::path account() const { return folder / "account.json"; }
  [[nodiscard]] std::filesystem::path rosters() const { return folder / "rosters"; }
  [[nodiscard]] std::filesystem::path roster(const DeviceId& camera) const { return rosters() / camera.to_string(); }
  [[nodiscard]] std::filesystem::path indexes() const { return folder / "indexes"; }
  [[nodiscard]] std::filesystem::path index(const DeviceId& hub) const { return indexes() / hub.to_string(); }
  /// The newest grants of a camera, which contain its software report.
  [[nodiscard]] std::filesystem::path grants() const { return folder / "grants"; }
  [[nodiscard]] std::filesystem::path grants(const DeviceId& camera) const { return grants() / camera.to_string(); }
  [[nodiscard]] device::StateFiles owner() const { return {folder}; }
  [[nodiscard]] device::StateFiles hub() const { return {folder / "hub"}; }
};

/// Calls `attempt` every 50 ms, for at most five seconds, while it fails with `conflict`. A script may start two
/// commands at once; the second one waits for the lock of the first.
template <class Attempt>
auto retry_while_locked(Attempt attempt) -> decltype(attempt()) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;;) {
    auto result = attempt();
    if (result || result.error().code != Errc::conflict || std::chrono::steady_clock::now() >= until) return result;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// Reads and checks the device descriptor in a state folder. Fails if there is none, or if its role is another one.
[[nodiscard]] Outcome<protocol::DeviceDescriptor> read_device_descriptor(const device::StateFiles& files,
                                                                         protocol::Role role);

/// Makes keys in a state folder that has none. A key store belongs to one process, so this program runs itself again
/// for it ('sealcam device-keys').
[[nodiscard]] Outcome<> ensure_device_keys(const device::StateFiles& files, protocol::Role role);

/// An open account. One process at a time has it open, and the working folder changes. Thread-bound. Move-only.
class Account {
 public:
  /// Makes the owner's keys, the TLS key, the hub identity of this machine and account.json. The owner's identity key
  /// is exportable, for backups. An interrupted call can be repeated. Fails if the folder already contains an account.
  [[nodiscard]] static Outcome<Account> create(const AccountFiles& files);
  /// Makes the folder with the identity, the TLS key (null: a new one) and the content of a backup. Every camera is out
  /// of sync, and this machine's hub replaces the hub of the lost machine. The caller writes account.json with store().
  [[nodiscard]] static Outcome<Account> restore(const AccountFiles& files, const Secret<32>& identity,
                                                const transport::TlsKey* tls, std::optional<AccountFile> content);
  [[nodiscard]] static Outcome<Account> open(const AccountFiles& files);

  [[nodiscard]] const AccountFiles& files() const noexcept { return files_; }
  [[nodiscard]] const AccountId& id() const noexcept { return file_.account; }
  [[nodiscard]] const crypto::SigningKey& key() const noexcept { return state_.keys().identity; }
  [[nodiscard]] const device::DeviceState& state() const noexcept { return state_; }

  [[nodiscard]] const AccountFile& file() const noexcept { return file_; }
  /// Writes the file, then replaces the result of file().
  [[nodiscard]] Outcome<> store(AccountFile file);

 private:
  Account(AccountFiles files, device::DeviceState state, AccountFile file)
      : files_(std::move(files)), state_(std::move(state)), file_(std::move(file)) {}
  AccountFiles files_;
  device::DeviceState state_;
  AccountFile file_;
};

}  // namespace sealcam::owner
