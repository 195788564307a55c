// SPDX-License-Identifier: Apache-2.0
/// The owner's account on this machine.
///
///     keys/, tls.key, tls.csr, device.card, enrolment.json   the owner as a device (pairing/device_state.hpp)
///     hub/            the hub identity of this machine, a state folder of its own
///     account.json    cameras, hubs, who may watch what
///     rosters/<id>    newest signed roster of each camera, the whole message
///     wifi/<id>       passphrase that a camera was told and did not obey yet
#pragma once

#include <filesystem>

#include "owner/account_file.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::owner {

struct AccountFiles {
  std::filesystem::path folder;  ///< absolute
  [[nodiscard]] std::filesystem::path account() const { return folder / "account.json"; }
  [[nodiscard]] std::filesystem::path rosters() const { return folder / "rosters"; }
  [[nodiscard]] std::filesystem::path roster(const DeviceId& camera) const { return rosters() / camera.to_string(); }
  [[nodiscard]] pairing::StateFiles owner() const { return {folder}; }
  [[nodiscard]] pairing::StateFiles hub() const { return {folder / "hub"}; }
};

/// A device's public introduction, checked. Fails when the folder has none, or has one of another role.
[[nodiscard]] Outcome<protocol::Card> read_card(const pairing::StateFiles& files, protocol::Role role);

/// Makes keys in a state folder that has none, in a process of their own; does nothing when there are keys.
[[nodiscard]] Outcome<> ensure_device_keys(const pairing::StateFiles& files, protocol::Role role);

/// One process has it open at a time; the working folder changes. Thread-bound. Move-only.
class Account {
 public:
  /// Owner's keys (the identity exportable, for a backup), TLS key, this machine's hub identity and
  /// account.json. Going on after an interruption is allowed, replacing an account is not.
  [[nodiscard]] static Outcome<Account> create(const AccountFiles& files);
  /// The same with the identity of a backup and its content, if it had one; account.json is not written yet: store()
  /// does it. Cameras are unlearned, this machine's hub takes the lost machine's place.
  [[nodiscard]] static Outcome<Account> restore(const AccountFiles& files, const Secret<32>& identity,
                                                std::optional<AccountFile> content);
  [[nodiscard]] static Outcome<Account> open(const AccountFiles& files);

  [[nodiscard]] const AccountFiles& files() const noexcept { return files_; }
  [[nodiscard]] const AccountId& id() const noexcept { return file_.account; }
  [[nodiscard]] const crypto::SigningKey& key() const noexcept { return state_.keys().identity; }
  [[nodiscard]] const pairing::DeviceState& state() const noexcept { return state_; }

  [[nodiscard]] const AccountFile& file() const noexcept { return file_; }
  /// Writes first, then replaces what file() returns.
  [[nodiscard]] Outcome<> store(AccountFile file);

 private:
  Account(AccountFiles files, pairing::DeviceState state, AccountFile file)
      : files_(std::move(files)), state_(std::move(state)), file_(std::move(file)) {}
  AccountFiles files_;
  pairing::DeviceState state_;
  AccountFile file_;
};

}  // namespace sealcam::owner
