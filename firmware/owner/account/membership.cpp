// SPDX-License-Identifier: Apache-2.0
#include "owner/account/membership.hpp"

#include <algorithm>

#include "base/format.hpp"
#include "base/types.hpp"
#include "device/device_state.hpp"

namespace sealcam::owner {

namespace {

/// The record behind a const pointer into `records`, mutable.
template <class Record>
Record& mutable_record(std::vector<Record>& records, const Record& found) {
  return records[static_cast<std::size_t>(&found - records.data())];
}

template <class Record>
Outcome<const Record*> find(const std::vector<Record>& records, std::string_view text, std::string_view kind) {
  std::vector<NamedDevice> devices;
  devices.reserve(records.size());
  for (const auto& record : records) devices.push_back({record.id, record.name});
  const auto id = select_device(text, devices, IdLetters::beginning);
  if (id) return &*std::ranges::find(records, *id, &Record::id);
  if (id.error().code == Errc::conflict)
    return failure(EX_USAGE, sealcam::format("'{}' selects several {}s: {}; use one of these ids", printable(text, 64),
                                             kind, *id.error().place));
  return failure(EX_NOINPUT, sealcam::format("{} '{}' is not in this account; list them with 'sealcam {} list'", kind,
                                             printable(text, 64), kind));
}

Outcome<HubRecord*> hub_to_change(AccountFile& account, std::string_view text) {
  const auto found = find_hub(account, text);
  if (!found) return std::unexpected(found.error());
  const auto& hub = **found;
  const std::string_view kind = hub.phone ? "phone" : "hub";
  if (hub.unlinked)
    return failure(EX_USAGE, sealcam::format("{} '{}' is unlinked{}", kind, hub.name,
                                             hub.phone ? "" : "; link it again with 'sealcam hub link' first"));
  if (hub.unfinished)
    return failure(EX_USAGE,
                   sealcam::format("the link of phone '{}' was interrupted; run 'sealcam phone unlink' for it, "
                                   "and link the phone again",
                                   hub.name));
  return &mutable_record(account.hubs, **found);
}

}  // namespace

Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text) {
  return find(account.cameras, text, "camera");
}

Outcome<const HubRecord*> find_hub(const AccountFile& account, std::string_view text) {
  return find(account.hubs, text, "hub");
}

Outcome<const HubRecord*> find_phone(const AccountFile& account, std::string_view text) {
  const auto hub = find(account.hubs, text, "phone");
  if (!hub || (*hub)->phone) return hub;
  return failure(EX_USAGE, sealcam::format("'{}' is a hub and no phone; use 'sealcam hub unlink'", (*hub)->name));
}

Outcome<const IntegrationRecord*> find_integration(const AccountFile& account, std::string_view text) {
  const auto it = std::ranges::find(account.integrations, text, &IntegrationRecord::name);
  if (it != account.integrations.end()) return &*it;
  return failure(
      EX_NOINPUT,
      sealcam::format("integration '{}' is not in this account; list them with 'sealcam integration list'", text));
}

Outcome<> check_name(std::string_view name) {
  if (is_device_name(name)) return {};
  if (as_device_id(name))
    return failure(EX_USAGE,
                   sealcam::format("the name '{}' has the form of an id, so it would select another device; choose "
                                   "another name",
                                   name));
  return failure(EX_USAGE, sealcam::format("the name '{}' is not valid; use 1 to 64 bytes of UTF-8 without control "
                                           "characters and without invisible characters",
                                           printable(name, 64)));
}

protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued) {
  protocol::Roster roster;
  roster.version = camera.version;
  roster.camera_identity = camera.identity;
  roster.camera_hpke = camera.hpke;
  roster.issued = issued;
  for (const auto& hub : account.hubs)
    if (!camera.removed && hub.is_member() && !std::ranges::contains(hub.denied, camera.id))
      roster.hubs.push_back({hub.identity, hub.hpke, hub.integration, hub.may_switch_privacy});
  for (const auto& integration : account.integrations)
    if (integration.suspended) roster.suspended.push_back(integration.label);
  std::ranges::sort(roster.hubs, {}, [](const protocol::RosterHub& hub) { return hub.identity.id(); });
  std::ranges::sort(roster.suspended);
  return roster;
}

bool same_members(const protocol::Roster& a, const protocol::Roster& b) {
  const auto same_hub = [](const protocol::RosterHub& x, const protocol::RosterHub& y) {
    return x.identity == y.identity && x.hpke == y.hpke && x.integration == y.integration &&
           x.may_switch_privacy == y.may_switch_privacy;
  };
  return a.camera_identity == b.camera_identity && a.camera_hpke == b.camera_hpke && a.suspended == b.suspended &&
         std::ranges::equal(a.hubs, b.hubs, same_hub);
}

std::vector<DeviceId> cameras_of(const AccountFile& account, const DeviceId& hub) {
  std::vector<DeviceId> out;
  const bool owner = hub == DeviceId(account.account.bytes());
  for (const auto& camera : account.cameras) {
    const auto lists_hub = [&](const protocol::RosterHub& each) { return each.identity.id() == hub; };
    if (!camera.removed && (owner || std::ranges::any_of(roster_of(account, camera, {}).hubs, lists_hub)))
      out.push_back(camera.id);
  }
  std::ranges::sort(out);
  return out;
}

std::vector<DeviceId> watchers(const AccountFile& account, const CameraRecord& camera) {
  std::vector<DeviceId> out;
  const auto roster = roster_of(account, camera, {});
  for (const auto& hub : roster.hubs)
    if (roster.active(hub.identity.id()) != nullptr) out.push_back(hub.identity.id());
  return out;
}

Outcome<DeviceId> unlink_hub(AccountFile& account, std::string_view text) {
  if (const auto found = find_hub(account, text); found && (*found)->unfinished) {
    const auto id = (*found)->id;  // on no roster, so no camera must confirm
    std::erase_if(account.hubs, [&](const HubRecord& hub) { return hub.id == id; });
    return id;
  }
  const auto hub = hub_to_change(account, text);
  if (!hub) return std::unexpected(hub.error());
  if ((*hub)->this_machine)
    return failure(EX_USAGE,
                   sealcam::format("'{}' is the hub of this machine, which 'sealcam watch' and 'sealcam inspect' need; "
                                   "to deny it a camera, run 'sealcam hub deny'",
                                   (*hub)->name));
  (*hub)->unlinked = true;
  return (*hub)->id;
}

void free_name(AccountFile& account, std::string_view name) {
  for (auto& hub : account.hubs)
    if (hub.phone && hub.unlinked && hub.name == name)
      hub.name = sealcam::format("unlinked phone {}", hub.id.to_string().substr(0, 8));
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
    return failure(EX_USAGE, sealcam::format("the integration '{}' already exists; choose another name", name));
  if (account.integrations.size() >= protocol::Roster::max_suspended)
    return failure(EX_USAGE,
                   sealcam::format("this account already has {} integrations, which is the maximum; use one of them",
                                   protocol::Roster::max_suspended));
  auto next = account;
  std::array<std::byte, 8> random{};
  if (auto r = crypto::random(random); !r) return failure(r.error(), "cannot make the label of the integration");
  const protocol::Integration label(load_be<std::uint64_t>(random));
  for (const auto& text : hubs) {
    const auto hub = hub_to_change(next, text);
    if (!hub) return std::unexpected(hub.error());
    if ((*hub)->integration)
      return failure(EX_USAGE,
                     sealcam::format("hub '{}' is already in an integration; a hub can be in only one", (*hub)->name));
    (*hub)->integration = label;
  }
  next.integrations.push_back({label, std::string(name), false});
  account = std::move(next);
  return {};
}

Outcome<> set_suspended(AccountFile& account, std::string_view text, bool suspended) {
  const auto found = find_integration(account, text);
  if (!found) return std::unexpected(found.error());
  mutable_record(account.integrations, **found).suspended = suspended;
  return {};
}

Outcome<DeviceId> remove_camera(AccountFile& account, std::string_view text) {
  const auto found = find_camera(account, text);
  if (!found) return std::unexpected(found.error());
  mutable_record(account.cameras, **found).removed = true;
  return (*found)->id;
}

void forget_camera(AccountFile& account, const DeviceId& camera) {
  std::erase_if(account.cameras, [&](const CameraRecord& record) { return record.id == camera; });
  for (auto& hub : account.hubs) std::erase(hub.denied, camera);
}

void mark_gone(CameraRecord& camera) noexcept { camera.removed = camera.gone = true; }

void note_confirmed(AccountFile& account) {
  for (auto& camera : account.cameras)
    if (camera.removed && camera.confirmed == camera.version) mark_gone(camera);
  const bool all_confirmed = std::ranges::all_of(account.cameras, [](const CameraRecord& camera) {
    return camera.gone || (camera.version == camera.confirmed && !camera.out_of_sync);
  });
  if (all_confirmed) std::erase_if(account.hubs, [](const HubRecord& hub) { return hub.unlinked; });
}

}  // namespace sealcam::owner
