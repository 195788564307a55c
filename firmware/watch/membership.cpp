// SPDX-License-Identifier: Apache-2.0
#include "watch/membership.hpp"

#include <algorithm>

namespace sealcam::watch {

bool Membership::apply(const protocol::Roster& roster, const RosterMark& mark, const crypto::DeviceKeys& keys,
                       BootTime now) {
  const bool first = mark_.version == RosterVersion();
  mark_ = mark;
  conflict_ = false;
  if (ahead_ && ahead_->version == mark.version) contradicted_ = ahead_->content != mark.content;
  else contradicted_ = false;
  if (ahead_ && ahead_->version <= mark.version) ahead_.reset();

  // Both keys must match. Grants to an entry with another HPKE key do not open.
  const auto own = std::ranges::find_if(roster.hubs, [&](const protocol::RosterHub& hub) {
    return hub.identity == keys.identity.public_key() && hub.hpke == keys.hpke.public_key();
  });
  const bool listed = own != roster.hubs.end();
  const bool was_member = member_;
  if (listed) removed_.reset();
  else if (member_ || suspended_) removed_ = now;
  member_ = listed && roster.active(keys.identity.id()) != nullptr;
  suspended_ = listed && !member_;
  may_switch_privacy_ = member_ && own->may_switch_privacy;

  std::vector<Member> members;
  for (const auto& hub : roster.hubs) {
    const auto id = hub.identity.id();
    members.push_back({id, hub.integration, roster.active(id) == nullptr, hub.may_switch_privacy});
  }
  if (first || members != members_) changed_ = roster.issued;
  members_ = std::move(members);
  return was_member && !member_;
}

void Membership::note_applied(const RosterMark& mark, BootTime now) noexcept {
  if (mark.version == mark_.version) {
    contradicted_ = mark.content != mark_.content;
  } else if (mark.version > mark_.version && (!ahead_ || ahead_->version < mark.version)) {
    if (!ahead_) ahead_since_ = now;
    ahead_ = mark;
  }
}

bool Membership::unpublished(BootTime now) const noexcept {
  return contradicted_ || (ahead_ && now - ahead_since_ >= publish_timeout);
}

}  // namespace sealcam::watch
