// SPDX-License-Identifier: Apache-2.0
#include "owner/confirm.hpp"

#include <algorithm>
#include <format>

#include "owner/wanted.hpp"

namespace sealcam::owner {

namespace {

std::string name_of_unknown(std::string_view kind, const DeviceId& id) {
  return std::format("{} {}", kind, id.to_string().substr(0, 8));
}

void deny(HubRecord& hub, const DeviceId& camera) {
  if (!std::ranges::contains(hub.denied, camera)) hub.denied.push_back(camera);
}

IntegrationRecord& integration_of(AccountFile& account, protocol::Integration label) {
  const auto it = std::ranges::find(account.integrations, label, &IntegrationRecord::label);
  if (it != account.integrations.end()) return *it;
  account.integrations.push_back({label, std::format("integration {}", account.integrations.size() + 1), false});
  return account.integrations.back();
}

/// A hub that some roster names and the backup does not know: it may watch that camera, no other.
void add_hub(AccountFile& account, const protocol::RosterHub& named, const DeviceId& camera) {
  HubRecord hub;
  hub.id = named.identity.id();
  hub.name = name_of_unknown("hub", hub.id);
  hub.identity = named.identity;
  hub.hpke = named.hpke;
  hub.integration = named.integration;
  hub.may_switch_privacy = named.may_switch_privacy;
  for (const auto& other : account.cameras)
    if (other.id != camera) hub.denied.push_back(other.id);
  account.hubs.push_back(std::move(hub));
}

/// Members as a roster has them that is newer than the backup's.
void take_members(AccountFile& account, const protocol::Roster& roster, const DeviceId& camera) {
  for (auto& hub : account.hubs) {
    // Made by the restore, on no roster yet; or on its way out, whatever a roster says.
    if (hub.this_machine || hub.unlinked) continue;
    const auto named = std::ranges::find(roster.hubs, hub.id, [](const auto& h) { return h.identity.id(); });
    if (named == roster.hubs.end()) {
      deny(hub, camera);
      continue;
    }
    std::erase(hub.denied, camera);
    hub.integration = named->integration;
    hub.may_switch_privacy = named->may_switch_privacy;
  }
  for (const auto& named : roster.hubs) {
    if (!std::ranges::contains(account.hubs, named.identity.id(), &HubRecord::id)) add_hub(account, named, camera);
    if (named.integration) (void)integration_of(account, *named.integration);
  }
  for (const auto label : roster.suspended) integration_of(account, label).suspended = true;
}

/// The camera follows a roster that nobody can show: whom it grants nothing gets nothing.
void deny_ungranted(AccountFile& account, const protocol::Grants& grants, const DeviceId& camera) {
  for (auto& hub : account.hubs)
    if (!hub.this_machine && !std::ranges::contains(grants.grants, hub.id, &protocol::Grant::hub)) deny(hub, camera);
}

void add_unknown_cameras(AccountFile& account, const Hearing& hearing) {
  for (const auto& [id, heard] : hearing.all()) {
    if (!heard.roster || heard.roster->hubs.empty() || heard.left) continue;  // without hubs: it was removed
    if (std::ranges::contains(account.cameras, id, &CameraRecord::id)) continue;
    CameraRecord camera;
    camera.id = id;
    camera.name = name_of_unknown("camera", id);
    camera.identity = heard.roster->camera_identity;
    camera.hpke = heard.roster->camera_hpke;
    camera.unlearned = true;
    // Hubs that are known may have been denied it: only its own roster says who may watch.
    for (auto& hub : account.hubs)
      if (!hub.this_machine) deny(hub, id);
    account.cameras.push_back(std::move(camera));
  }
}

bool counts_in_reason(const Heard& heard) {
  return heard.grants->roster_version <= RosterVersion(highest_number) &&
         heard.obeyed.value_or(CommandSeq()) <= CommandSeq(highest_number);
}

}  // namespace

bool note_heard(CameraRecord& camera, const Heard& heard, const std::optional<crypto::Digest>& ours) {
  const auto before = std::tuple(camera.confirmed, camera.contradicted, camera.command.obeyed, camera.wifi_trouble);
  if (heard.grants) camera.wifi_trouble = heard.grants->wifi;
  if (heard.obeyed) note_obeyed(camera, *heard.obeyed);
  if (heard.grants && !camera.unlearned) {
    const auto& grants = *heard.grants;
    if (grants.roster_version > camera.version) camera.contradicted = true;
    if (grants.roster_version == camera.version && camera.version != RosterVersion()) {
      const bool same = ours && grants.roster_hash == *ours && !heard.contradiction;
      camera.contradicted = !same;
      if (same) camera.confirmed = camera.version;
    }
  }
  return before != std::tuple(camera.confirmed, camera.contradicted, camera.command.obeyed, camera.wifi_trouble);
}

std::vector<DeviceId> learn(AccountFile& account, const Hearing& hearing) {
  add_unknown_cameras(account, hearing);
  std::vector<DeviceId> learned;
  for (std::size_t i = 0; i < account.cameras.size(); ++i) {
    const auto id = account.cameras[i].id;
    const auto& heard = hearing.of(id);
    if (!account.cameras[i].unlearned || !heard.grants || !counts_in_reason(heard)) continue;
    const auto known = account.cameras[i].version;
    const auto shown = heard.roster ? heard.roster->version : RosterVersion();
    if (shown > known) take_members(account, *heard.roster, id);
    if (heard.grants->roster_version > std::max(known, shown)) deny_ungranted(account, *heard.grants, id);
    auto& camera = account.cameras[i];
    const auto version = std::max({known, shown, heard.grants->roster_version});
    camera.version = RosterVersion(version.value() + restore_leap);
    camera.published = camera.confirmed = RosterVersion();
    camera.contradicted = camera.unlearned = false;
    const auto seq =
        std::max({camera.command.newest, heard.command.value_or(CommandSeq()), heard.obeyed.value_or(CommandSeq())});
    // What the backup wanted and the camera did not obey is not wanted any more: it may have been said differently
    // since. Only the numbers go on.
    camera.command = {};
    if (seq != CommandSeq()) {
      camera.command.newest = CommandSeq(seq.value() + restore_leap);
      camera.command.published = camera.command.obeyed = camera.command.newest;
    }
    learned.push_back(id);
  }
  return learned;
}

}  // namespace sealcam::owner
