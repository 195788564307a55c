// SPDX-License-Identifier: Apache-2.0
/// What was said and is not known to be obeyed, in plain sentences.
#pragma once

#include <string>
#include <vector>

#include "owner/account_file.hpp"

namespace sealcam::owner {

/// Whether the camera is not known to follow everything the owner wants of it.
[[nodiscard]] bool waits(const CameraRecord& camera) noexcept;

/// Empty when it does not.
[[nodiscard]] std::string pending_sentence(const CameraRecord& camera);
/// Why the camera is not in the network that it was told last; empty where nothing says so.
[[nodiscard]] std::string wifi_sentence(const CameraRecord& camera);
/// For a hub: where it may still watch although it should not, or not watch yet although it may.
[[nodiscard]] std::string pending_sentence(const AccountFile& account, const HubRecord& hub);

/// "'Front door', 'Yard'"; ids where there is no name.
[[nodiscard]] std::string names_of(const AccountFile& account, const std::vector<DeviceId>& cameras);

}  // namespace sealcam::owner
