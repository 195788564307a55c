// SPDX-License-Identifier: Apache-2.0
/// The state folder of a camera, a hub or an owner's machine: its keys, and what it learned when it
/// became somebody's.
///
///     keys/           PSA key store: identity and HPKE key
///     tls.key         TLS private key, PEM (a key of its own: DESIGN, "Identities and trust")
///     tls.csr         certificate request for it, PEM, CN = device id
///     device.card     self-signed introduction (protocol/card.hpp)
///     board           serial number of the board, where it has one: a copied card is refused
///     enrolment.json  owner's key, broker, certificates, name; there once the device is somebody's
///
/// `unfinished` is there while the first start makes these; a start that finds it begins again, since
/// nobody outside has seen the keys yet. `resetting` is there from the first to the last step of a reset, and a start
/// that finds it goes on with that. Further files belong to the programs: roster, epoch, ask-seq, command-seq, privacy,
/// settings.json, wifi.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/file.hpp"
#include "core/result.hpp"
#include "crypto/key_store.hpp"
#include "protocol/card.hpp"

namespace sealcam::pairing {

/// Bytes of a camera's name (UTF-8).
inline constexpr std::size_t largest_name = 64;

/// What makes a device somebody's. Nothing in it is secret.
struct Enrolment {
  protocol::Role role = protocol::Role::camera;
  crypto::PublicKey owner;  ///< its thumbprint is the account
  std::string broker_host;
  std::uint16_t broker_port = 8883;
  std::string ca_pem;           ///< the operator's CA
  std::string certificate_pem;  ///< of tls.key, CN = device id
  std::string name;             ///< UTF-8, at most 64 bytes; cameras only
};

/// Names of the files, for those who write or read them from outside.
struct StateFiles {
  std::filesystem::path folder;
  [[nodiscard]] std::filesystem::path keys() const { return folder / "keys"; }
  [[nodiscard]] std::filesystem::path tls_key() const { return folder / "tls.key"; }
  [[nodiscard]] std::filesystem::path tls_request() const { return folder / "tls.csr"; }
  [[nodiscard]] std::filesystem::path card() const { return folder / "device.card"; }
  [[nodiscard]] std::filesystem::path enrolment() const { return folder / "enrolment.json"; }
  [[nodiscard]] std::filesystem::path board() const { return folder / "board"; }
  [[nodiscard]] std::filesystem::path settings() const { return folder / "settings.json"; }
  [[nodiscard]] std::filesystem::path wifi() const { return folder / "wifi.json"; }
  [[nodiscard]] std::filesystem::path resetting() const { return folder / "resetting"; }
  [[nodiscard]] std::filesystem::path unfinished() const { return folder / "unfinished"; }
};

/// Errors: not_found, permission, crypto, malformed (the file is damaged; `why` gets a sentence that names the place).
[[nodiscard]] Result<Enrolment> read_enrolment(const StateFiles& files, std::string* why = nullptr);
/// Atomic and durable. Errors: permission, io, invalid_argument (name too long or not UTF-8).
[[nodiscard]] Result<> write_enrolment(const StateFiles& files, const Enrolment& enrolment);

/// The board that this runs on.
struct Board {
  std::string serial;  ///< empty: it has none
};

/// Opens a device's own state: takes the lock, starts PSA on its keys. One per process; the working
/// folder of the process changes. Thread-bound. Move-only.
class DeviceState {
 public:
  /// Makes the folder, the keys, the TLS key with its request and the card when the folder is new, and
  /// only then: a folder that lost a part is an error (malformed), never a new identity. The error's
  /// words name the part and the next step. A reset that was interrupted is finished before anything else.
  /// `board`: its serial number is recorded with the keys, or at the first start that knows it, and compared from then
  /// on; null: not looked at.
  /// Errors: permission, io, conflict (another process has it), malformed, wrong_key (the state of a
  /// device with another role, or of another board), crypto.
  [[nodiscard]] static Result<DeviceState> open(const std::filesystem::path& folder, protocol::Role role,
                                                const Board* board = nullptr);

  /// Makes the folder that of a device which never was anybody's: keys first, then everything else but the lock,
  /// configuration (camera.json, hub.json), logs and hidden files. Whatever interrupts it, it is either not begun or
  /// finished by the next open(). What a flash chip keeps in blocks that it no longer shows is not erased.
  /// Errors: not_found (no device's state there), wrong_key (a device of another kind), conflict (a process uses it),
  /// permission, io.
  [[nodiscard]] static Result<> reset(const std::filesystem::path& folder, protocol::Role role);

  /// An owner's state in a new folder, with the identity of a backup; everything else is made anew. Goes on after
  /// an interruption. Errors: as open(), exists (the folder holds a device already).
  [[nodiscard]] static Result<DeviceState> restore_owner(const std::filesystem::path& folder,
                                                         const Secret<32>& identity);

  [[nodiscard]] const StateFiles& files() const noexcept { return files_; }
  [[nodiscard]] const crypto::DeviceKeys& keys() const noexcept { return keys_; }
  [[nodiscard]] const crypto::KeyStore& store() const noexcept { return store_; }
  /// PEM of the TLS private key; the caller wipes it. Errors: not_found, malformed.
  [[nodiscard]] Result<std::string> tls_key_pem() const;

 private:
  [[nodiscard]] static Result<DeviceState> make(const StateFiles& files, UniqueFd lock, protocol::Role role,
                                                const Board* board, const Secret<32>* identity = nullptr);
  [[nodiscard]] static Result<DeviceState> reopen(const StateFiles& files, UniqueFd lock, protocol::Role role,
                                                  const Board* board);
  DeviceState(StateFiles files, UniqueFd lock, crypto::KeyStore store, crypto::DeviceKeys keys)
      : files_(std::move(files)), lock_(std::move(lock)), store_(std::move(store)), keys_(std::move(keys)) {}
  StateFiles files_;
  UniqueFd lock_;
  crypto::KeyStore store_;
  crypto::DeviceKeys keys_;
};

}  // namespace sealcam::pairing
