// SPDX-License-Identifier: Apache-2.0
// Commands for hubs and for integrations, which are groups of hubs.
#include <algorithm>

#include "base/format.hpp"
#include "owner/account/membership.hpp"
#include "owner/commands/change.hpp"

namespace sealcam::owner {

namespace {

/// Changes permissions. Fails if the account is out of sync.
Outcome<> change_members(const Dependencies& deps, const ChangeOptions& options,
                         const std::function<Outcome<>(AccountFile&)>& change, const Afterwards& afterwards = {}) {
  return make_change(
      deps, options,
      [&](const Account&, AccountFile& next) -> Outcome<> {
        if (auto r = check_in_sync(next); !r) return r;
        return change(next);
      },
      afterwards);
}

std::string integration_name(const AccountFile& account, const HubRecord& hub) {
  for (const auto& integration : account.integrations)
    if (hub.integration == integration.label) return integration.name;
  return "";
}

std::vector<DeviceId> cameras_of(const AccountFile& account, const HubRecord& hub) {
  std::vector<DeviceId> out;
  for (const auto& camera : account.cameras)
    if (std::ranges::contains(watchers(account, camera), hub.id)) out.push_back(camera.id);
  return out;
}

std::vector<DeviceId> hubs_of(const AccountFile& account, const IntegrationRecord& integration) {
  std::vector<DeviceId> out;
  for (const auto& hub : account.hubs)
    if (hub.integration == integration.label && !hub.unlinked) out.push_back(hub.id);
  return out;
}

JsonObject to_json(const AccountFile& account, const HubRecord& hub) {
  JsonObject json;
  json.add("id", hub.id.to_string())
      .add("name", hub.name)
      .add("this_machine", hub.this_machine)
      .add("unlinked", hub.unlinked)
      .add("integration", integration_name(account, hub))
      .add("may_switch_privacy", hub.may_switch_privacy)
      .add("why_pending", pending_text(account, hub))
      .add("cameras", cameras_of(account, hub));
  return json;
}

}  // namespace

Outcome<> take_hub_out(const Dependencies& deps, const HubArguments& arguments) {
  std::string note;
  const auto change = [&](AccountFile& next) -> Outcome<> {
    const auto id = unlink_hub(next, arguments.hub);
    if (!id) return std::unexpected(id.error());
    // The broker revokes the hub before the cameras confirm, so that the hub receives no more messages.
    auto text = revoke_at_broker(next, arguments.change, *id);
    if (!text) return std::unexpected(text.error());
    note = std::move(*text);
    return {};
  };
  return change_members(deps, arguments.change, change,
                        [&](Account&, const SyncReport&) -> Outcome<std::string> { return note; });
}

Outcome<> allow_hub(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_allowed(next, arguments.hub, arguments.camera, true); });
}

Outcome<> deny_hub(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_allowed(next, arguments.hub, arguments.camera, false); });
}

Outcome<> allow_privacy(const Dependencies& deps, const HubArguments& arguments) {
  return change_members(deps, arguments.change, [&](AccountFile& next) {
    return set_may_switch_privacy(next, arguments.hub, arguments.privacy == "on");
  });
}

Outcome<> list_hubs(const Dependencies& deps, const HubArguments&) {
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  JsonArray json;
  for (const auto& hub : account->hubs) {
    if (deps.json) {
      json.add(to_json(*account, hub));
      continue;
    }
    const auto why = pending_text(*account, hub);
    sealcam::println("{} '{}', may watch {} of {} cameras{}{}{}", hub.id.to_string(), hub.name,
                     cameras_of(*account, hub).size(), account->cameras.size(),
                     hub.may_switch_privacy ? ", may switch privacy" : "", why.empty() ? "" : "; ", why);
  }
  if (deps.json) print_json(json);
  return {};
}

Outcome<> create_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return add_integration(next, arguments.name, arguments.hubs); });
}

Outcome<> suspend_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_suspended(next, arguments.name, true); });
}

Outcome<> resume_integration(const Dependencies& deps, const IntegrationArguments& arguments) {
  return change_members(deps, arguments.change,
                        [&](AccountFile& next) { return set_suspended(next, arguments.name, false); });
}

Outcome<> list_integrations(const Dependencies& deps, const IntegrationArguments&) {
  const auto account = read_account(deps.account().account());
  if (!account) return std::unexpected(account.error());
  JsonArray json;
  for (const auto& integration : account->integrations) {
    const auto hubs = hubs_of(*account, integration);
    if (deps.json)
      json.add(JsonObject().add("name", integration.name).add("suspended", integration.suspended).add("hubs", hubs));
    else
      sealcam::println("'{}', {} hubs{}", integration.name, hubs.size(),
                       integration.suspended ? ", suspended: its hubs get no pictures" : "");
  }
  if (deps.json) print_json(json);
  else if (account->integrations.empty())
    sealcam::println("no integrations; add one with 'sealcam integration add NAME --hub HUB'");
  return {};
}

}  // namespace sealcam::owner
