// SPDX-License-Identifier: Apache-2.0
// What follows from an account's content; reading and writing it is account_file.cpp.
#include <algorithm>
#include <format>

#include "core/printable.hpp"
#include "crypto/sha256.hpp"
#include "owner/account_file.hpp"
#include "pairing/device_state.hpp"

namespace sealcam::owner {

protocol::Roster roster_of(const AccountFile& account, const CameraRecord& camera, CaptureTime issued) {
  protocol::Roster roster;
  roster.version = camera.version;
  roster.camera_identity = camera.identity;
  roster.camera_hpke = camera.hpke;
  roster.issued = issued;
  for (const auto& hub : account.hubs)
    if (!camera.removed && !hub.unlinked && !std::ranges::contains(hub.denied, camera.id))
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

namespace {

/// By name, or by the beginning of the id where that is unambiguous.
template <class Record>
Outcome<const Record*> find(const std::vector<Record>& records, std::string_view text, std::string_view kind) {
  const auto by_name = std::ranges::find(records, text, &Record::name);
  if (by_name != records.end()) return &*by_name;
  const Record* found = nullptr;
  for (const auto& record : records) {
    if (text.empty() || !record.id.to_string().starts_with(text)) continue;
    if (found != nullptr) return failure(EX_USAGE, std::format("More than one {}'s id begins with '{}'", kind, text));
    found = &record;
  }
  if (found == nullptr)
    return failure(EX_NOINPUT, std::format("This account has no {} '{}'. See them: sealcam {} list", kind, text, kind));
  return found;
}

}  // namespace

Outcome<const CameraRecord*> find_camera(const AccountFile& account, std::string_view text) {
  return find(account.cameras, text, "camera");
}

Outcome<const HubRecord*> find_hub(const AccountFile& account, std::string_view text) {
  return find(account.hubs, text, "hub");
}

Outcome<const IntegrationRecord*> find_integration(const AccountFile& account, std::string_view text) {
  const auto it = std::ranges::find(account.integrations, text, &IntegrationRecord::name);
  if (it != account.integrations.end()) return &*it;
  return failure(EX_NOINPUT,
                 std::format("This account has no integration '{}'. See them: sealcam integration list", text));
}

bool AccountFile::unlearned() const noexcept {
  return learn || std::ranges::contains(cameras, true, &CameraRecord::unlearned);
}

std::string content_digest(const AccountFile& account) {
  // What a later program would write of the same content has to differ only where the content does: versions, sequence
  // numbers and what was confirmed are not in it.
  AccountFile plain = account;
  plain.backup.reset();
  plain.broker_folder.clear();
  plain.learn = false;
  for (auto& camera : plain.cameras) {
    camera.version = camera.published = camera.confirmed = RosterVersion();
    camera.contradicted = camera.unlearned = false;
    camera.command = {};
  }
  const auto digest = crypto::sha256(as_bytes(account_text(plain)));
  return digest ? to_hex(*digest) : std::string();
}

Outcome<> check_name(std::string_view name) {
  if (name.empty() || name.size() > pairing::largest_name || printable(name, name.size()) != name)
    return failure(EX_USAGE, "A name has 1 to 64 bytes, in UTF-8 and without control characters");
  return {};
}

}  // namespace sealcam::owner
