// SPDX-License-Identifier: Apache-2.0
/// Signed rosters: one for each camera, renewed when its members change.
#pragma once

#include <vector>

#include "core/clock.hpp"
#include "owner/account.hpp"

namespace sealcam::owner {

/// Signs a new version for every camera whose newest roster does not say what the account says now. The version is
/// stored before anything is signed with it: no version is ever given to two contents.
/// Returns the cameras that got a new roster.
[[nodiscard]] Outcome<std::vector<DeviceId>> renew_rosters(Account& account, const Clock& clock);

/// The newest signed roster of a camera, as renew_rosters() left it.
[[nodiscard]] Outcome<Bytes> signed_roster(const Account& account, const CameraRecord& camera);

/// Gives a camera's state folder its roster, so that it works before the broker has one. A newer one that is there
/// already stays.
[[nodiscard]] Outcome<> install_roster(const Account& account, const CameraRecord& camera,
                                       const std::filesystem::path& state_folder);

}  // namespace sealcam::owner
