// SPDX-License-Identifier: Apache-2.0
#include "owner/membership.hpp"

#include <algorithm>
#include <format>

namespace sealcam::owner {

namespace {

/// The same record, to be changed.
template <class Record>
Record& in(std::vector<Record>& records, const Record& found) {
  return records[static_cast<std::size_t>(&found - records.data())];
}

Outcome<HubRecord*> hub_to_change(AccountFile& account, std::string_view text) {
  const auto found = find_hub(account, text);
  if (!found) return std::unexpected(found.error());
  if ((*found)->unlinked)
    return failure(EX_USAGE, std::format("Hub '{}' is unlinked. Link it again first", (*found)->name));
  return &in(account.hubs, **found);
}

}  // namespace

Outcome<DeviceId> unlink_hub(AccountFile& account, std::string_view text) {
  const auto hub = hub_to_change(account, text);
  if (!hub) return std::unexpected(hub.error());
  if ((*hub)->this_machine)
    return failure(EX_USAGE, std::format("'{}' is this machine, which 'watch' and 'inspect' need. To keep it from a "
                                         "camera: sealcam hub deny",
                                         (*hub)->name));
  (*hub)->unlinked = true;
  return (*hub)->id;
}

Outcome<> set_allowed(AccountFile& account, std::string_view hub_text, std::string_view camera_text, bool allowed) {
  const auto hub = hub_to_change(account, hub_text);
  if (!hub) return std::unexpected(hub.error());
  const auto camera = find_camera(account, camera_text);
  if (!camera) return std::unexpected(camera.error());
  auto& denied = (*hub)->denied;
  std::erase(denied, (*camera)->id);
  if (!allowed) denied.push_back((*camera)->id);
  return {};
}

Outcome<> set_may_switch_privacy(AccountFile& account, std::string_view text, bool may) {
  const auto hub = hub_to_change(account, text);
  if (!hub) return std::unexpected(hub.error());
  (*hub)->may_switch_privacy = may;
  return {};
}

Outcome<> add_integration(AccountFile& account, std::string_view name, const std::vector<std::string>& hubs) {
  if (auto r = check_name(name); !r) return r;
  if (find_integration(account, name))
    return failure(EX_USAGE, std::format("There is an integration '{}' already. Choose another name", name));
  if (account.integrations.size() >= protocol::Roster::max_suspended)
    return failure(EX_USAGE, std::format("An account has at most {} integrations", protocol::Roster::max_suspended));
  auto next = account;
  std::array<std::byte, 8> random{};
  if (auto r = crypto::random(random); !r) return failure(r.error(), "Making the integration's label");
  const protocol::Integration label(load_be<std::uint64_t>(random));
  for (const auto& text : hubs) {
    const auto hub = hub_to_change(next, text);
    if (!hub) return std::unexpected(hub.error());
    if ((*hub)->integration)
      return failure(EX_USAGE, std::format("Hub '{}' belongs to an integration already", (*hub)->name));
    (*hub)->integration = label;
  }
  next.integrations.push_back({label, std::string(name), false});
  account = std::move(next);
  return {};
}

Outcome<> set_suspended(AccountFile& account, std::string_view text, bool suspended) {
  const auto found = find_integration(account, text);
  if (!found) return std::unexpected(found.error());
  in(account.integrations, **found).suspended = suspended;
  return {};
}

Outcome<DeviceId> remove_camera(AccountFile& account, std::string_view text) {
  const auto found = find_camera(account, text);
  if (!found) return std::unexpected(found.error());
  in(account.cameras, **found).removed = true;
  return (*found)->id;
}

void forget_camera(AccountFile& account, const DeviceId& camera) {
  std::erase_if(account.cameras, [&](const CameraRecord& record) { return record.id == camera; });
  for (auto& hub : account.hubs) std::erase(hub.denied, camera);
}

std::vector<DeviceId> drop_finished(AccountFile& account) {
  std::vector<DeviceId> gone;
  for (const auto& camera : account.cameras)
    if (camera.removed && camera.confirmed == camera.version) gone.push_back(camera.id);
  for (const auto& camera : gone) forget_camera(account, camera);
  const bool all = std::ranges::all_of(account.cameras, [](const CameraRecord& camera) {
    return camera.version == camera.confirmed && !camera.unlearned;
  });
  if (all) std::erase_if(account.hubs, [](const HubRecord& hub) { return hub.unlinked; });
  return gone;
}

std::vector<DeviceId> watchers(const AccountFile& account, const CameraRecord& camera) {
  std::vector<DeviceId> out;
  const auto roster = roster_of(account, camera, {});
  for (const auto& hub : roster.hubs)
    if (roster.active(hub.identity.id()) != nullptr) out.push_back(hub.identity.id());
  return out;
}

}  // namespace sealcam::owner
