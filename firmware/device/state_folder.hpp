// SPDX-License-Identifier: Apache-2.0
/// The files of a state folder, and the reset that empties it.
///
///     keys/              PSA key store: identity key and HPKE key
///     tls.key            private key for TLS, PEM
///     tls.csr            certificate request for tls.key, PEM; the common name is the device's id
///     device.descriptor  self-signed description of the device (protocol/device_descriptor.hpp)
///     board              serial number of the board; missing if the board has none
///     enrollment.json    owner, broker, certificates and name; missing while the device is unpaired
///     unfinished         exists while the first start creates the files above
///     resetting          exists while a reset deletes the files
///
/// The programs add the files of stores.hpp, settings.json and wifi.json.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "base/types.hpp"
#include "protocol/device_descriptor.hpp"

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
  /// The rosters of one account: those of an earlier owner do not count.
  [[nodiscard]] std::filesystem::path rosters(const AccountId& account) const {
    return folder / "rosters" / account.to_string();
  }
  [[nodiscard]] std::filesystem::path max_epochs() const { return folder / "epochs"; }
  [[nodiscard]] std::filesystem::path prekeys() const { return folder / "prekeys"; }
  [[nodiscard]] std::filesystem::path epoch() const { return folder / "epoch"; }
  [[nodiscard]] std::filesystem::path command() const { return folder / "command-seq"; }
  [[nodiscard]] std::filesystem::path privacy() const { return folder / "privacy"; }
  [[nodiscard]] std::filesystem::path own_prekeys() const { return folder / "own-prekeys"; }
  /// Exists after a hub named a later epoch than the camera's own: the state was restored from an old copy.
  [[nodiscard]] std::filesystem::path fault() const { return folder / "fault"; }
  [[nodiscard]] std::filesystem::path rolled_back() const { return folder / "rolled-back"; }
  [[nodiscard]] std::filesystem::path request_seq() const { return folder / "request-seq"; }
  [[nodiscard]] std::filesystem::path pairing_tries() const { return folder / "pairing-tries"; }
};

/// Deletes the keys first, then everything else except the lock, configuration (camera.json, hub.json), logs and hidden
/// files. The next start creates a new, unpaired device. An interrupted reset has either not begun, or
/// DeviceState::open() finishes it. Blocks of a flash chip that the system no longer sees are not erased.
/// Errors: not_found (the folder holds no device's state), wrong_key (the device has another role), conflict (a process
/// uses the folder), permission, io.
[[nodiscard]] Result<> reset_state(const std::filesystem::path& folder, protocol::Role role);

/// Deletes the files and makes that durable; the resetting file goes last. The caller holds the lock.
/// Errors: permission, io; the resetting file is then still there.
[[nodiscard]] Result<> finish_reset(const StateFiles& files);

/// Whether the name exists in any form, a dangling link included.
[[nodiscard]] bool is_present(const std::filesystem::path& path);

/// Whether a file may lie in the folder before a device's state is created there. A reset leaves such files: the lock,
/// configuration, logs and hidden files.
[[nodiscard]] bool is_unrelated(const std::filesystem::path& name);

/// Whether the folder holds a device's state or remains of one. The programs empty or take over no other folder.
[[nodiscard]] bool is_state(const StateFiles& files);

/// Makes removed and renamed entries of the folder durable. Errors: io.
[[nodiscard]] Result<> sync_entries(const std::filesystem::path& folder);

}  // namespace sealcam::device
