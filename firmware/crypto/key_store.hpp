// SPDX-License-Identifier: Apache-2.0
/// The device's persistent keys in the file store of PSA. Debian's build of that store writes to the working folder of
/// the process, with one temporary name and without fsync. Therefore the store has its own folder, the process changes
/// to that folder, only one process may use it, and the store calls fsync after it creates a key.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/file.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto {

/// One per process. Opening is thread-bound, the keys are thread-safe. Move-only.
class KeyStore {
 public:
  enum class Exportable { no, yes };

  /// Locks `folder`, changes the working folder to it and starts PSA. Call it before init(). The caller must make
  /// relative paths absolute before. Errors: not_found (no such folder), permission, conflict (another process),
  /// crypto, io.
  [[nodiscard]] static Result<KeyStore> open(const std::filesystem::path& folder);

  /// True if both keys exist. Keys whose creation or deletion was interrupted do not exist, because no message used
  /// them. Errors: malformed (one key is missing or damaged; the store never replaces an identity silently).
  [[nodiscard]] Result<bool> has_device_keys() const;
  /// Creates both keys durably. Errors: exists, malformed (as above), crypto, io.
  [[nodiscard]] Result<DeviceKeys> make_device_keys(Exportable identity);
  /// Imports an exportable identity from a backup and creates the HPKE key.
  /// Errors: exists, malformed (the keys or the scalar), crypto, io.
  [[nodiscard]] Result<DeviceKeys> restore_device_keys(const Secret<32>& identity);
  /// Errors: not_found, malformed.
  [[nodiscard]] Result<DeviceKeys> device_keys() const;
  /// The private scalar of an exportable identity key. Errors: permission, not_found.
  [[nodiscard]] Result<Secret<32>> export_identity() const;
  /// Deletes both keys. Errors: io.
  [[nodiscard]] Result<> destroy_device_keys();

  // Prekeys: HPKE keys that are used for days. The caller numbers them, and keeps the list of numbers that are in use.
  static constexpr std::uint32_t max_prekey = 0x00ff'ffff;
  /// Creates the key with this number (1 to max_prekey) durably. Replaces a key that an interrupted call left.
  /// Errors: crypto, io.
  [[nodiscard]] Result<AgreementKey> make_prekey(std::uint32_t number) const;
  /// Errors: malformed (missing or damaged).
  [[nodiscard]] Result<AgreementKey> prekey(std::uint32_t number) const;
  /// Deletes the key and its file, also a damaged one. Success if there is none. Errors: io.
  [[nodiscard]] Result<> destroy_prekey(std::uint32_t number) const;
  /// The numbers of all prekeys that have a file, in ascending order. Errors: io.
  [[nodiscard]] Result<std::vector<std::uint32_t>> prekeys() const;

 private:
  explicit KeyStore(std::filesystem::path folder, UniqueFd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  [[nodiscard]] Result<DeviceKeys> make(Exportable exportable, const Secret<32>* identity);
  [[nodiscard]] Result<> remove_keys() const;
  std::filesystem::path folder_;
  UniqueFd lock_;
};

}  // namespace sealcam::crypto
