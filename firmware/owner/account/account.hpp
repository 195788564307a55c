// SPDX-License-Identifier: Apache-2.0
/// The owner's account on this machine.
///
///     keys/, tls.key, tls.csr, device.descriptor, enrollment.json   the owner as a device
///     hub/            the hub identity of this machine, with its own state folder
///     account.json    cameras, hubs and permissions
///     rosters/<id>    newest signed roster of each camera, as a whole message
///     indexes/<id>    newest signed list of cameras for each hub, and for the owner
///     wifi/<id>       Wi-Fi passphrase of a camera, until the camera applied it
#pragma once

#include <chrono>
#include <filesystem>
#include <thread>

#include "device/device_state.hpp"
#include "owner/account/account_file.hpp"

namespace sealcam::owner {

struct AccountFiles {
  std::filesystem::path folder;  ///< absolute
  [[nodiscard]] std::filesystem::path account() const { return folder / "account.json"; }
  [[nodiscard]] std::filesystem::path rosters() const { return folder / "rosters"; }
  [[nodiscard]] std::filesystem::path roster(const DeviceId& camera) const { return rosters() / camera.to_string(); }
  [[nodiscard]] std::filesystem::path indexes() const { return folder / "indexes"; }
  [[nodiscard]] std::filesystem::path index(const DeviceId& hub) const { return indexes() / hub.to_string(); }
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
