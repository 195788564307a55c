// SPDX-License-Identifier: Apache-2.0
/// The identity of a camera, a hub or an owner's machine, kept in its state folder (device_state.hpp).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/types.hpp"
#include "crypto/key_store.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::device {

/// Paths of the files in a state folder.
struct StateFiles {
  std::filesystem::path folder;
  [[nodiscard]] std::filesystem::path keys() const { return folder / "keys"; }
  [[nodiscard]] std::filesystem::path tls_key() const { return folder / "tls.key"; }
  [[nodiscard]] std::filesystem::path tls_request() const { return folder / "tls.csr"; }
  [[nodiscard]] std::filesystem::path descriptor() const { return folder / "device.descriptor"; }
  [[nodiscard]] std::filesystem::path board() const { return folder / "board"; }
  [[nodiscard]] std::filesystem::path enrollment() const { return folder / "enrollment.json"; }
  [[nodiscard]] std::filesystem::path unfinished() const { return folder / "unfinished"; }
  [[nodiscard]] std::filesystem::path resetting() const { return folder / "resetting"; }
  [[nodiscard]] std::filesystem::path settings() const { return folder / "settings.json"; }
  [[nodiscard]] std::filesystem::path wifi() const { return folder / "wifi.json"; }
  /// The owner's decision about updates, for the updater of a card image.
  [[nodiscard]] std::filesystem::path update_consent() const { return folder / "update-consent.json"; }
  /// The rosters of one account: those of an earlier owner do not count.
  [[nodiscard]] std::filesystem::path rosters(const AccountId& account) const {
    return folder / "rosters" / account.to_string();
  }
  [[nodiscard]] std::filesystem::path max_epochs() const { return folder / "epochs"; }
  [[nodiscard]] std::filesystem::path prekeys() const { return folder / "prekeys"; }
  [[nodiscard]] std::filesystem::path epoch() const { return folder / "epoch"; }
  [[nodiscard]] std::filesystem::path command() const { return folder / "command-seq"; }
  [[nodiscard]] std::filesystem::path privacy() const { return folder / "privacy"; }
  [[nodiscard]] std::filesystem::path past() const { return folder / "past"; }
  [[nodiscard]] std::filesystem::path own_prekeys() const { return folder / "own-prekeys"; }
  [[nodiscard]] std::filesystem::path fault() const { return folder / "fault"; }
  /// Exists after a hub named a later epoch than the camera's own: the state was restored from an old copy.
  [[nodiscard]] std::filesystem::path rolled_back() const { return folder / "rolled-back"; }
  [[nodiscard]] std::filesystem::path request_seq() const { return folder / "request-seq"; }
  [[nodiscard]] std::filesystem::path pairing_tries() const { return folder / "pairing-tries"; }
};

/// Deletes the keys first, then everything else except the lock, configuration (camera.json, hub.json), logs and hidden
/// files. The next start creates a new, unpaired device. An interrupted reset has either not begun, or
/// DeviceState::open() finishes it. Blocks of a flash chip that the system can no longer address are not erased.
/// Errors: not_found (the folder holds no device's state), wrong_key (the device has another role), conflict (a process
/// uses the folder), permission, io.
[[nodiscard]] Result<> reset_state(const std::filesystem::path& folder, protocol::Role role);

/// Deletes the files and makes that durable. Deletes the file 'resetting' last. The caller holds the lock.
/// Errors: permission, io; the resetting file is then still there.
[[nodiscard]] Result<> finish_reset(const StateFiles& files);

/// Whether the name exists in any form, a dangling link included.
[[nodiscard]] bool is_present(const std::filesystem::path& path);

/// Whether a file may exist in the folder before a device's state is created there. A reset leaves such files: the
/// lock, configuration, logs and hidden files.
[[nodiscard]] bool is_unrelated(const std::filesystem::path& name);

/// Whether the folder holds a device's state or remains of one. The programs empty or take over no other folder.
[[nodiscard]] bool is_state(const StateFiles& files);

/// Makes removed and renamed entries of the folder durable. Errors: io.
[[nodiscard]] Result<> sync_entries(const std::filesystem::path& folder);

/// The first file of a state folder that is empty, although its program never writes an empty one. Includes folders
/// below, such as the rosters and the hub of an account. A folder that cannot be read counts as complete.
[[nodiscard]] std::optional<std::filesystem::path> find_empty_file(const std::filesystem::path& folder);

}  // namespace sealcam::device

namespace sealcam::transport {
class TlsKey;
}

namespace sealcam::device {

/// The board that the program runs on.
struct Board {
  std::string serial;  ///< empty: the board has no serial number
};

/// An open state folder: holds its lock and its keys. Opening starts PSA and changes the process's working folder, so a
/// process opens one only. Thread-bound. Move-only.
class DeviceState {
 public:
  /// Creates the folder with new keys if the folder is empty. Reopens it otherwise: a missing or damaged part is an
  /// error and never leads to a new identity. Continues an interrupted first start or reset before anything else.
  /// `board`: its serial number is stored with the keys, or at the first start that knows it. Later starts compare it,
  /// so a copy of the folder does not run on another board. Null: no check.
  /// Errors: permission, io, conflict (another process uses the folder), malformed, wrong_key (the state belongs to
  /// another role or board), crypto. The text names the part and the next step.
  [[nodiscard]] static Result<DeviceState> open(const std::filesystem::path& folder, protocol::Role role,
                                                const Board* board = nullptr);

  /// Creates an owner's state with the identity key of a backup, and with its TLS key, if there is one. Other keys are
  /// new. Continues after an interruption. Errors: as open(), exists (the folder already holds a device).
  [[nodiscard]] static Result<DeviceState> restore_owner(const std::filesystem::path& folder,
                                                         const Secret<32>& identity, const transport::TlsKey* tls);

  [[nodiscard]] const StateFiles& files() const noexcept { return files_; }
  [[nodiscard]] const crypto::DeviceKeys& keys() const noexcept { return keys_; }
  [[nodiscard]] const crypto::KeyStore& store() const noexcept { return store_; }

 private:
  [[nodiscard]] static Result<DeviceState> make(const StateFiles& files, UniqueFd lock, protocol::Role role,
                                                const Board* board, const Secret<32>* identity = nullptr,
                                                const transport::TlsKey* tls = nullptr);
  [[nodiscard]] static Result<DeviceState> reopen(const StateFiles& files, UniqueFd lock, protocol::Role role,
                                                  const Board* board);
  DeviceState(StateFiles files, UniqueFd lock, crypto::KeyStore store, crypto::DeviceKeys keys)
      : files_(std::move(files)), lock_(std::move(lock)), store_(std::move(store)), keys_(std::move(keys)) {}
  StateFiles files_;
  UniqueFd lock_;
  crypto::KeyStore store_;
  crypto::DeviceKeys keys_;
};

/// The device's private key for TLS. Errors: malformed (the file is missing or damaged), permission, io; each names the
/// file.
[[nodiscard]] Result<transport::TlsKey> read_tls_key(const StateFiles& files);

}  // namespace sealcam::device
