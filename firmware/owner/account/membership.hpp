// SPDX-License-Identifier: Apache-2.0
/// The members of an account: cameras, hubs, integrations, and the permissions of hubs. The functions that change an
/// AccountFile change it completely, or fail with a message and change nothing. Rosters follow from the content
/// (owner/sync/sync.hpp). Reentrant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "owner/account/account.hpp"

namespace sealcam::owner {

/// Finds a record with select_device(): by its id, its name or the beginning of its id.
[[nodiscard]] Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text);
[[nodiscard]] Outcome<const HubRecord*> find_hub(const AccountFile& account, std::string_view text);
/// Fails for a hub that is no phone.
[[nodiscard]] Outcome<const HubRecord*> find_phone(const AccountFile& account, std::string_view text);
/// Finds an integration by its name.
[[nodiscard]] Outcome<const IntegrationRecord*> find_integration(const AccountFile& account, std::string_view text);

/// See is_device_name().
[[nodiscard]] Outcome<> check_name(std::string_view name);

/// The roster of a camera: the hubs that may watch it. The version is that of the record.
[[nodiscard]] protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued);
/// Whether two rosters have the same camera, hubs and suspensions. Version and time may differ.
[[nodiscard]] bool same_members(const protocol::Roster& a, const protocol::Roster& b);
/// The cameras whose rosters list this hub, by ascending id. For the owner's own id: all cameras.
[[nodiscard]] std::vector<DeviceId> cameras_of(const AccountFile& account, const DeviceId& hub);
/// Hubs that may watch a camera by its roster. Hubs of a suspended integration are not included.
[[nodiscard]] std::vector<DeviceId> watchers(const AccountFile& account, const CameraRecord& camera);

/// Removes a hub or a phone from every roster. The record stays until all cameras confirmed that. That of a phone whose
/// link is unfinished is deleted at once. Fails for this machine's hub.
[[nodiscard]] Outcome<DeviceId> unlink_hub(AccountFile& account, std::string_view hub);
/// Gives an unlinked phone with this name another one, because its record may stay for long: until all cameras
/// confirmed.
void free_name(AccountFile& account, std::string_view name);
/// Allows or denies a hub to watch a camera.
[[nodiscard]] Outcome<> set_allowed(AccountFile& account, std::string_view hub, std::string_view camera, bool allowed);
/// Allows or denies a hub to switch the privacy of the cameras that it may watch.
[[nodiscard]] Outcome<> set_may_switch_privacy(AccountFile& account, std::string_view hub, bool may);

/// Adds an integration with a random label and these hubs. A hub is in one integration at most.
[[nodiscard]] Outcome<> add_integration(AccountFile& account, std::string_view name,
                                        const std::vector<std::string>& hubs);
/// The hubs of a suspended integration stay on the rosters, but cameras grant them nothing.
[[nodiscard]] Outcome<> set_suspended(AccountFile& account, std::string_view integration, bool suspended);

/// Removes all hubs from the camera's roster. The record stays until the camera confirmed that.
[[nodiscard]] Outcome<DeviceId> remove_camera(AccountFile& account, std::string_view camera);
/// Deletes the record and every reference to the camera, if there is one.
void forget_camera(AccountFile& account, const DeviceId& camera);
/// The camera is no part of the account any more: its last roster has no hubs.
void mark_gone(CameraRecord& camera) noexcept;
/// Marks removed cameras that confirmed it as gone. Deletes unlinked hubs if all cameras that remain confirmed it.
void note_confirmed(AccountFile& account);

}  // namespace sealcam::owner
