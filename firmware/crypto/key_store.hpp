// SPDX-License-Identifier: Apache-2.0
/// The device's persistent keys in PSA's file store. Debian's build of that store writes into the
/// process's working folder, with one temporary name and without fsync; so the store has a folder of
/// its own, the process changes into it, one process at a time, and files are fsynced after a key is made.
#pragma once

#include <filesystem>

#include "core/file.hpp"
#include "crypto/keys.hpp"

namespace sealcam::crypto {

/// One per process. Thread-bound while it is opened, its keys are thread-safe. Move-only.
class KeyStore {
 public:
  enum class Exportable { no, yes };

  /// Locks `folder`, changes the working folder to it and starts PSA. Call before init(), and make
  /// every path of the configuration absolute first.
  /// Errors: not_found (no such folder), permission, conflict (another process), crypto, io.
  [[nodiscard]] static Result<KeyStore> open(const std::filesystem::path& folder);

  /// True when both keys are there. Errors: malformed (one without the other, or damaged: nothing is
  /// ever replaced by a new identity silently).
  /// A making or destroying that was cut short counts as no keys: nobody was ever told of these.
  [[nodiscard]] Result<bool> has_device_keys() const;
  /// Makes identity and HPKE key, durably. Errors: exists, malformed (as above), crypto, io.
  [[nodiscard]] Result<DeviceKeys> make_device_keys(Exportable identity);
  /// The same with an identity from a backup, exportable again; the HPKE key is new.
  /// Errors: exists, malformed (also the scalar), crypto, io.
  [[nodiscard]] Result<DeviceKeys> restore_device_keys(const Secret<32>& identity);
  /// Errors: not_found, malformed.
  [[nodiscard]] Result<DeviceKeys> device_keys() const;
  /// Private scalar of the identity key, where it was made exportable. Errors: permission, not_found.
  [[nodiscard]] Result<Secret<32>> export_identity() const;
  /// Deletes both keys. Errors: io.
  [[nodiscard]] Result<> destroy_device_keys();

 private:
  explicit KeyStore(std::filesystem::path folder, UniqueFd lock) : folder_(std::move(folder)), lock_(std::move(lock)) {}
  [[nodiscard]] Result<DeviceKeys> make(Exportable exportable, const Secret<32>* identity);
  [[nodiscard]] Result<> remove_keys() const;
  std::filesystem::path folder_;
  UniqueFd lock_;
};

}  // namespace sealcam::crypto
