// SPDX-License-Identifier: Apache-2.0
/// The identity of a camera, a hub or an owner's machine, kept in its state folder (state_folder.hpp).
#pragma once

#include <filesystem>
#include <string>

#include "base/file.hpp"
#include "base/result.hpp"
#include "crypto/key_store.hpp"
#include "device/state_folder.hpp"
#include "protocol/device_descriptor.hpp"

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
