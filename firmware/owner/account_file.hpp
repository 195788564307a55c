// SPDX-License-Identifier: Apache-2.0
/// account.json: what the owner knows of the account. No secret is in it; names are, so it is private.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "owner/failure.hpp"
#include "protocol/roster.hpp"

namespace sealcam::owner {

struct CameraRecord {
  DeviceId id;
  std::string name;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  RosterVersion version;    ///< newest roster that was signed; stored before it is published
  RosterVersion published;  ///< newest roster that the broker acknowledged
};

struct HubRecord {
  DeviceId id;
  std::string name;  ///< for the owner's eyes; leaves this machine in no message
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  bool this_machine = false;  ///< the hub identity that `watch` and `inspect` use
  std::optional<protocol::Integration> integration;
  std::vector<DeviceId> denied;  ///< cameras this hub may not watch; every other it may
};

struct IntegrationRecord {
  protocol::Integration label;
  std::string name;
  bool suspended = false;
};

struct AccountFile {
  AccountId account;
  std::vector<CameraRecord> cameras;
  std::vector<HubRecord> hubs;
  std::vector<IntegrationRecord> integrations;
};

/// `next_step` of a missing file: create the account.
[[nodiscard]] Outcome<AccountFile> read_account(const std::filesystem::path& path);
/// Atomic and durable.
[[nodiscard]] Outcome<> write_account(const std::filesystem::path& path, const AccountFile& account);

/// Who may watch a camera now, as its roster says it; version and time are the record's and `issued`.
[[nodiscard]] protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued);

/// Whether both let the same hubs watch the same camera, whatever their version and time.
[[nodiscard]] bool same_members(const protocol::Roster& a, const protocol::Roster& b);

/// By name, or by the beginning of the id where that is unambiguous. Fails with a sentence otherwise.
[[nodiscard]] Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text);

/// UTF-8 without control characters, 1 to 64 bytes.
[[nodiscard]] Outcome<> check_name(std::string_view name);

}  // namespace sealcam::owner
