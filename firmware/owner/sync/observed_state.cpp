// SPDX-License-Identifier: Apache-2.0
#include "owner/sync/observed_state.hpp"

#include <algorithm>
#include <tuple>

#include "base/format.hpp"
#include "owner/sync/sync.hpp"
#include "protocol/envelope.hpp"
#include "protocol/roster.hpp"
#include "protocol/status.hpp"

namespace sealcam::owner {

using protocol::Leaf;

namespace {

std::string generated_name(std::string_view kind, const DeviceId& id) {
  return sealcam::format("{} {}", kind, id.to_string().substr(0, 8));
}

void deny(HubRecord& hub, const DeviceId& camera) {
  if (!std::ranges::contains(hub.denied, camera)) hub.denied.push_back(camera);
}

IntegrationRecord& integration_of(AccountFile& account, protocol::Integration label) {
  const auto it = std::ranges::find(account.integrations, label, &IntegrationRecord::label);
  if (it != account.integrations.end()) return *it;
  account.integrations.push_back({label, sealcam::format("integration {}", account.integrations.size() + 1), false});
  return account.integrations.back();
}

/// Adds a hub that is on a roster but not in the backup. It may watch only the camera of that roster.
void add_hub(AccountFile& account, const protocol::RosterHub& named, const DeviceId& camera) {
  HubRecord hub;
  hub.id = named.identity.id();
  hub.name = generated_name("hub", hub.id);
  hub.identity = named.identity;
  hub.hpke = named.hpke;
  hub.integration = named.integration;
  hub.may_switch_privacy = named.may_switch_privacy;
  for (const auto& other : account.cameras)
    if (other.id != camera) hub.denied.push_back(other.id);
  account.hubs.push_back(std::move(hub));
}

/// Takes the members of a roster that is newer than the roster in the backup.
void take_members(AccountFile& account, const protocol::Roster& roster, const DeviceId& camera) {
  for (auto& hub : account.hubs) {
    // The hub of the restored machine is on no roster yet. An unlinked hub stays unlinked.
    if (hub.this_machine || hub.unlinked) continue;
    const auto named = std::ranges::find(roster.hubs, hub.id, [](const auto& h) { return h.identity.id(); });
    if (named == roster.hubs.end()) {
      if (!hub.unfinished) deny(hub, camera);
      continue;
    }
    hub.unfinished = false;  // its link succeeded after the backup
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

/// The roster that the camera uses is not at the broker. A hub without a grant of this camera is denied.
void deny_ungranted(AccountFile& account, const protocol::Grants& grants, const DeviceId& camera) {
  for (auto& hub : account.hubs)
    if (!hub.this_machine && !std::ranges::contains(grants.grants, hub.id, &protocol::Grant::hub)) deny(hub, camera);
}

void add_unknown_cameras(AccountFile& account, const ObservedState& state) {
  for (const auto& [id, observed] : state.all()) {
    // A roster without hubs is that of a removed camera.
    if (!observed.roster || observed.roster->hubs.empty() || observed.deregistered) continue;
    if (std::ranges::contains(account.cameras, id, &CameraRecord::id)) continue;
    CameraRecord camera;
    camera.id = id;
    camera.name = generated_name("camera", id);
    camera.identity = observed.roster->camera_identity;
    camera.hpke = observed.roster->camera_hpke;
    camera.out_of_sync = true;
    // The owner may have denied the camera to any hub. resync_account() allows the hubs of its roster.
    for (auto& hub : account.hubs)
      if (!hub.this_machine) deny(hub, id);
    account.cameras.push_back(std::move(camera));
  }
}

bool numbers_are_valid(const Observed& observed) {
  return observed.grants->roster_version <= protocol::RosterVersion(max_number) &&
         observed.applied.value_or(protocol::CommandSeq()) <= protocol::CommandSeq(max_number);
}

}  // namespace

Result<ObservedState> ObservedState::open(const AccountFile& account, const crypto::PublicKey& owner) {
  auto own = crypto::Verifier::open(owner);
  if (!own) return std::unexpected(own.error());
  ObservedState state(account.account, std::move(*own));
  for (const auto& camera : account.cameras) {
    auto verifier = crypto::Verifier::open(camera.identity);
    if (!verifier) return std::unexpected(verifier.error());
    state.cameras_.emplace(camera.id, std::move(*verifier));
  }
  return state;
}

const Observed& ObservedState::of(const DeviceId& camera) const {
  static const Observed nothing;
  const auto it = observed_.find(camera);
  return it == observed_.end() ? nothing : it->second;
}

protocol::IndexVersion ObservedState::index_of(const DeviceId& hub) const {
  const auto it = indexes_.find(hub);
  return it == indexes_.end() ? protocol::IndexVersion() : it->second;
}

Observed* ObservedState::entry(const DeviceId& camera) {
  if (!observed_.contains(camera) && observed_.size() >= max_cameras) return nullptr;
  return &observed_[camera];
}

void ObservedState::observe(const transport::Message& message) {
  const auto topic = protocol::parse_topic(message.topic);
  if (!topic || topic->route.account != account_) return;
  if (topic->leaf == Leaf::index) return observe_index(topic->hub, message.payload);
  if (topic->leaf == Leaf::roster) return observe_roster(topic->route, message.payload);
  if (topic->leaf == Leaf::grants) return observe_grants(topic->route, message.payload);
  if (topic->leaf == Leaf::command) {
    const auto seq = protocol::command_seq(message.payload, topic->route, owner_);
    auto* observed = seq ? entry(topic->route.camera) : nullptr;
    if (observed != nullptr) observed->command = std::max(observed->command.value_or(protocol::CommandSeq()), *seq);
    return;
  }
  const auto camera = cameras_.find(topic->route.camera);
  if (topic->leaf != Leaf::status || camera == cameras_.end()) return;
  const auto status = protocol::decode_status(message.payload, topic->route, camera->second);
  auto* observed = status && status->reset ? entry(topic->route.camera) : nullptr;
  if (observed != nullptr) observed->deregistered = true;
}

void ObservedState::observe_index(const DeviceId& hub, ByteView message) {
  const auto index = protocol::decode_index(message, account_, hub, owner_);
  if (!index) return;
  auto& newest = indexes_[hub];
  newest = std::max(newest, index->version);
  for (const auto& camera : index->cameras)
    if (listed_.size() < max_cameras) listed_.insert(camera);
}

void ObservedState::observe_roster(const protocol::Route& route, ByteView message) {
  auto roster = protocol::decode_roster(message, route, owner_);
  if (!roster) return;
  auto* observed = entry(route.camera);
  if (observed == nullptr || (observed->roster && observed->roster->version >= roster->version)) return;
  if (!cameras_.contains(route.camera)) {
    auto verifier = crypto::Verifier::open(roster->camera_identity);
    if (!verifier) return;
    cameras_.emplace(route.camera, std::move(*verifier));
  }
  observed->roster = std::move(*roster);
  if (const auto early = early_grants_.extract(route.camera)) observe_grants(route, early.mapped());
}

void ObservedState::observe_grants(const protocol::Route& route, ByteView message) {
  const auto camera = cameras_.find(route.camera);
  if (camera == cameras_.end()) {
    if (message.size() <= protocol::max_control_size &&
        (early_grants_.contains(route.camera) || early_grants_.size() < max_cameras))
      early_grants_[route.camera] = Bytes(message.begin(), message.end());
    return;
  }
  auto grants = protocol::decode_grants(message, route, camera->second);
  auto* observed = grants ? entry(route.camera) : nullptr;
  if (observed == nullptr) return;
  if (grants->command)
    observed->applied = std::max(observed->applied.value_or(protocol::CommandSeq()), *grants->command);
  // A camera never returns to an older roster, so grants with an older version are a replay.
  if (observed->grants && observed->grants->roster_version > grants->roster_version) return;
  if (observed->grants && observed->grants->roster_version == grants->roster_version &&
      observed->grants->roster_hash != grants->roster_hash)
    observed->contradiction = true;
  observed->grants = std::move(*grants);
  observed->grants_message.assign(message.begin(), message.end());
}

bool note_observed(CameraRecord& camera, const Observed& observed, const std::optional<crypto::Digest>& roster_hash) {
  const auto record = [&camera] {
    return std::tuple(camera.confirmed, camera.contradicted, camera.not_stored, camera.command.applied,
                      camera.wifi_fault);
  };
  const auto before = record();
  if (observed.grants) camera.wifi_fault = observed.grants->wifi;
  if (observed.applied) note_applied(camera, *observed.applied);
  if (observed.grants && !camera.out_of_sync) {
    const auto& grants = *observed.grants;
    camera.not_stored = grants.not_stored && grants.roster_version == camera.version;
    if (grants.roster_version > camera.version) camera.contradicted = true;
    if (grants.roster_version == camera.version && camera.version != protocol::RosterVersion()) {
      const bool same = roster_hash && grants.roster_hash == *roster_hash && !observed.contradiction;
      camera.contradicted = !same;
      // A restart would bring the old roster back, so this one is not confirmed yet.
      if (same && !grants.not_stored) camera.confirmed = camera.version;
    }
  }
  return before != record();
}

std::vector<DeviceId> resync_account(AccountFile& account, const ObservedState& state) {
  add_unknown_cameras(account, state);
  const auto leap = [](IndexRecord& index) {
    if (index.version == protocol::IndexVersion()) return;
    index = {protocol::IndexVersion(index.version.value() + restore_leap), {}};
  };
  for (auto& hub : account.hubs) leap(hub.index);
  leap(account.index);
  std::vector<DeviceId> synced;
  for (std::size_t i = 0; i < account.cameras.size(); ++i) {
    const auto id = account.cameras[i].id;
    const auto& observed = state.of(id);
    if (!account.cameras[i].out_of_sync || !observed.grants || !numbers_are_valid(observed)) continue;
    const auto known = account.cameras[i].version;
    const auto shown = observed.roster ? observed.roster->version : protocol::RosterVersion();
    if (shown > known) take_members(account, *observed.roster, id);
    if (observed.grants->roster_version > std::max(known, shown)) deny_ungranted(account, *observed.grants, id);
    auto& camera = account.cameras[i];
    const auto version = std::max({known, shown, observed.grants->roster_version});
    camera.version = protocol::RosterVersion(version.value() + restore_leap);
    camera.published = camera.confirmed = protocol::RosterVersion();
    camera.contradicted = camera.not_stored = camera.out_of_sync = false;
    const auto seq = std::max({camera.command.newest, observed.command.value_or(protocol::CommandSeq()),
                               observed.applied.value_or(protocol::CommandSeq())});
    // Items that the camera has not applied are dropped, because the owner may have changed them after the backup. Only
    // the numbers continue.
    camera.command = {};
    if (seq != protocol::CommandSeq()) {
      camera.command.newest = protocol::CommandSeq(seq.value() + restore_leap);
      camera.command.published = camera.command.applied = camera.command.newest;
    }
    synced.push_back(id);
  }
  return synced;
}

}  // namespace sealcam::owner
