// SPDX-License-Identifier: Apache-2.0
/// Who belongs to the account and who may watch what: each function changes an account's content and nothing else, or
/// fails with a sentence and changes nothing. Rosters follow from it (rosters.hpp). Reentrant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "owner/account_file.hpp"

namespace sealcam::owner {

/// Takes a hub from every roster. Its record stays until every camera confirmed that. Not this machine's own.
[[nodiscard]] Outcome<DeviceId> unlink_hub(AccountFile& account, std::string_view hub);

/// Lets a hub watch a camera, or not.
[[nodiscard]] Outcome<> set_allowed(AccountFile& account, std::string_view hub, std::string_view camera, bool allowed);

/// Lets a hub close and open the sensors of the cameras that it may watch, or not.
[[nodiscard]] Outcome<> set_may_switch_privacy(AccountFile& account, std::string_view hub, bool may);

/// A new integration under a random label, with these hubs; a hub belongs to one at most.
[[nodiscard]] Outcome<> add_integration(AccountFile& account, std::string_view name,
                                        const std::vector<std::string>& hubs);
/// Suspended: its hubs are on the rosters, and no camera grants them anything.
[[nodiscard]] Outcome<> set_suspended(AccountFile& account, std::string_view integration, bool suspended);

/// Its roster will name no hub; the record stays until the camera confirmed that.
[[nodiscard]] Outcome<DeviceId> remove_camera(AccountFile& account, std::string_view camera);

/// The record goes at once, and every mention of the camera. Nothing when there is none.
void forget_camera(AccountFile& account, const DeviceId& camera);

/// Drops what was waited for: removed cameras that confirmed it, unlinked hubs when every camera did.
/// Returns the cameras that went.
[[nodiscard]] std::vector<DeviceId> drop_finished(AccountFile& account);

/// Hubs that may watch a camera now, as its newest roster says it.
[[nodiscard]] std::vector<DeviceId> watchers(const AccountFile& account, const CameraRecord& camera);

}  // namespace sealcam::owner
