// SPDX-License-Identifier: Apache-2.0
/// The broker's access list in Mosquitto's own words (mosquitto.conf(5), acl_file): one block per
/// device, and what no block allows is refused.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "protocol/card.hpp"

namespace sealcam::owner {

/// Who was admitted, and as what.
struct Admitted {
  protocol::Role role = protocol::Role::camera;
  DeviceId device;
  AccountId account;
  friend bool operator==(const Admitted&, const Admitted&) = default;
};

/// A camera writes its own grants, video, still and status and reads its own roster, command and
/// asks; a hub reads the cameras of its account and writes its own ask; an owner writes rosters and
/// commands and reads all of the account.
[[nodiscard]] std::string access_block(const Admitted& who);

/// Whom a block made by access_block() is about. Errors: malformed (anything that differs from what
/// access_block() writes: a changed block is not passed on).
[[nodiscard]] Result<Admitted> parse_access_block(std::string_view block);

/// The whole file: blocks in ascending order of device, whatever order they come in.
[[nodiscard]] std::string access_list(std::vector<Admitted> everybody);

}  // namespace sealcam::owner
