// SPDX-License-Identifier: Apache-2.0
#include "stream/publish/prekeys.hpp"

namespace sealcam::stream {

using protocol::Prekey;
using protocol::PrekeyNumber;

Prekeys::Prekeys(device::HubKeyStore& store, const Clock& clock, Log& log)
    : store_(store), clock_(clock), log_(log), retry_(clock, log, "the hubs' prekeys") {}

void Prekeys::load() {
  auto stored = store_.load();
  if (!stored) {
    log_.warning("cannot read the hubs' prekeys, using their keys in the roster: {}", to_string(stored.error()));
    return;
  }
  for (auto& [hub, prekey] : *stored) hubs_[hub].prekey = prekey;
}

void Prekeys::set_roster(const protocol::Roster& roster) {
  const auto removed = std::erase_if(hubs_, [&](const auto& entry) {
    return std::ranges::none_of(roster.hubs, [&](const auto& hub) { return hub.identity.id() == entry.first; });
  });
  if (removed == 0) return;
  stored_ = false;
  store();
}

bool Prekeys::take(const DeviceId& hub, const protocol::ViewRequest& request) {
  Hub& known = hubs_[hub];
  const MonotonicTime now = clock_.monotonic();
  const bool renew = request.cannot_open && may_renew(known);
  const auto number = known.prekey ? known.prekey->number : PrekeyNumber();
  const bool newer = request.prekey && request.prekey->number > number;
  // A hub that lost its keys starts again with small numbers, or with none. Its request is fresh, because it names the
  // current epoch and a new sequence number.
  if (renew ? request.prekey != known.prekey : newer && (!known.taken || now - *known.taken >= prekey_interval)) {
    known.prekey = request.prekey;
    known.taken = now;
    stored_ = false;
    store();
  }
  return renew;
}

bool Prekeys::may_renew(Hub& hub) {
  const MonotonicTime now = clock_.monotonic();
  if (renewed_ && now - *renewed_ < total_interval) return false;
  if (hub.renewed && now - *hub.renewed < hub_interval) return false;
  hub.renewed = renewed_ = now;
  return true;
}

void Prekeys::tick() {
  if (!stored_ && retry_.due()) store();
}

void Prekeys::store() {
  std::vector<device::HubKey> all;
  for (const auto& [hub, known] : hubs_)
    if (known.prekey) all.push_back({hub, *known.prekey});
  stored_ = retry_.attempted(store_.store(all));
}

std::optional<Prekey> Prekeys::of(const DeviceId& hub) const {
  const auto found = hubs_.find(hub);
  return found == hubs_.end() ? std::nullopt : found->second.prekey;
}

}  // namespace sealcam::stream
