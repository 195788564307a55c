// SPDX-License-Identifier: Apache-2.0
/// The base keys of recorded epochs, in the hub's state folder. Each one is wrapped with the hub's archive key.
///
///     recording-keys/archive             the archive key, 32 bytes
///     recording-keys/archive.sealed      the same, sealed to the account (protocol/archive_key.hpp)
///     recording-keys/folder              the marker of the folder of recordings, 16 bytes, and its path
///     recording-keys/<camera>/<epoch>    a wrapped base key with the camera's name; the epoch has 16 hexadecimal
///     digits
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "crypto/keys.hpp"
#include "crypto/sframe.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::recordings {

struct EpochKey {
  crypto::sframe::BaseKey base_key;
  std::string camera_name;  ///< at most 64 bytes, not made safe for people
};

/// Thread-safe. Move-only.
class KeyFolder {
 public:
  enum class Create : std::uint8_t { no, yes };
  /// Makes the archive key if there is none, also no sealed one, and `create` is yes. Errors: not_found (there is
  /// none), malformed (it has another size), permission, io, crypto.
  [[nodiscard]] static Result<KeyFolder> open(std::filesystem::path folder, Create create);

  /// Stores the archive key sealed to the account, unless there is such a file. `owner` is the account's identity key.
  /// Errors: malformed (the archive key), crypto, permission, io.
  [[nodiscard]] Result<> seal_to(const crypto::PublicKey& owner) const;
  /// Durable when it returns. Errors: crypto, permission, io.
  [[nodiscard]] Result<> store(const DeviceId& camera, protocol::Epoch epoch, const EpochKey& key) const;
  /// Errors: not_found, malformed or not_decryptable (the file is damaged, or belongs to another archive key, camera or
  /// epoch), permission, io, crypto.
  [[nodiscard]] Result<EpochKey> load(const DeviceId& camera, protocol::Epoch epoch) const;
  /// Durable when it returns. Success if there is none. Errors: permission, io.
  [[nodiscard]] Result<> remove(const DeviceId& camera, protocol::Epoch epoch) const;
  /// Whether there is a file. It may be damaged.
  [[nodiscard]] bool contains(const DeviceId& camera, protocol::Epoch epoch) const;

  static constexpr std::size_t marker_size = 16;
  /// The marker of the recordings in this folder, as the last store_marker() stored it. Nothing if there is none, or if
  /// it is of another folder.
  [[nodiscard]] std::optional<Bytes> marker_of(const std::filesystem::path& recordings) const;
  /// Errors: permission, io.
  [[nodiscard]] Result<> store_marker(const std::filesystem::path& recordings, ByteView marker) const;
  [[nodiscard]] std::filesystem::path marker_path() const { return folder_ / "folder"; }

 private:
  KeyFolder(std::filesystem::path folder, crypto::WrappingKey key) : folder_(std::move(folder)), key_(std::move(key)) {}
  [[nodiscard]] std::filesystem::path path(const DeviceId& camera, protocol::Epoch epoch) const;
  std::filesystem::path folder_;
  crypto::WrappingKey key_;
};

}  // namespace sealcam::recordings
