// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/change.hpp"
#include "owner/membership.hpp"
#include "owner/pending.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

struct HubWords {
  std::string hub, other;
  std::shared_ptr<ChangeOptions> change = std::make_shared<ChangeOptions>();
};

Outcome<> unlink(const Context& context, const HubWords& words) {
  std::string note;
  const auto change = [&](const Account&, AccountFile& next) -> Outcome<> {
    if (auto r = may_change(next); !r) return r;
    const auto id = unlink_hub(next, words.hub);
    if (!id) return std::unexpected(id.error());
    // At once, whatever the cameras say: what it does not receive it cannot open.
    auto expelled = expel_where_known(next, *words.change, *id);
    if (!expelled) return std::unexpected(expelled.error());
    note = std::move(*expelled);
    return {};
  };
  return make_change(context, *words.change, change,
                     [&](Account&, const SyncReport&) -> Outcome<std::string> { return note; });
}

Outcome<> allow(const Context& context, const HubWords& words, bool allowed) {
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    if (auto r = may_change(next); !r) return r;
    return set_allowed(next, words.hub, words.other, allowed);
  });
}

Outcome<> allow_privacy(const Context& context, const HubWords& words) {
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    if (auto r = may_change(next); !r) return r;
    return set_may_switch_privacy(next, words.hub, words.other == "on");
  });
}

std::string integration_name(const AccountFile& account, const HubRecord& hub) {
  for (const auto& integration : account.integrations)
    if (hub.integration == integration.label) return integration.name;
  return "";
}

Outcome<> list_hubs(const Context& context) {
  const auto account = read_account(context.account().account());
  if (!account) return std::unexpected(account.error());
  auto json = Json::array();
  for (const auto& hub : account->hubs) {
    std::vector<DeviceId> cameras;
    for (const auto& camera : account->cameras)
      if (std::ranges::contains(watchers(*account, camera), hub.id)) cameras.push_back(camera.id);
    const auto sentence = pending_sentence(*account, hub);
    if (context.json)
      json.push_back({{"id", hub.id.to_string()},
                      {"name", hub.name},
                      {"this_machine", hub.this_machine},
                      {"unlinked", hub.unlinked},
                      {"integration", integration_name(*account, hub)},
                      {"may_switch_privacy", hub.may_switch_privacy},
                      {"why_pending", sentence},
                      {"cameras", texts(cameras)}});
    else
      std::println("{} '{}', may watch {} of {} cameras{}{}{}", hub.id.to_string(), hub.name, cameras.size(),
                   account->cameras.size(), hub.may_switch_privacy ? ", may switch privacy" : "",
                   sentence.empty() ? "" : "; ", sentence);
  }
  if (context.json) std::println("{}", json.dump());
  return {};
}

using Run = std::function<Outcome<>(const Context&, const HubWords&)>;

CLI::App* add(CLI::App& parent, Context& context, const char* name, const char* what,
              const std::shared_ptr<HubWords>& words, Run run) {
  auto* command = parent.add_subcommand(name, what);
  command->add_option("HUB", words->hub, "Its name, or the beginning of its id")->required();
  command->callback([&context, words, run = std::move(run)] {
    context.action = [&context, words, run] { return run(context, *words); };
  });
  return command;
}

}  // namespace

void add_hub_commands(CLI::App& app, Context& context) {
  auto* hub = app.get_subcommand("hub");
  auto words = std::make_shared<HubWords>();
  auto* command = add(*hub, context, "unlink", "Take a hub from every roster and from the broker", words, unlink);
  add_expel_options(*command, words->change);

  for (const bool allowed : {true, false}) {
    words = std::make_shared<HubWords>();
    command = add(*hub, context, allowed ? "allow" : "deny",
                  allowed ? "Let a hub watch a camera" : "Keep a hub from watching a camera", words,
                  [allowed](const Context& c, const HubWords& w) { return allow(c, w, allowed); });
    command->add_option("CAMERA", words->other, "Its name, or the beginning of its id")->required();
    add_wait_option(*command, words->change);
  }

  words = std::make_shared<HubWords>();
  command = add(*hub, context, "allow-privacy", "Let a hub close and open the sensors of the cameras it may watch",
                words, allow_privacy);
  command->add_option("STATE", words->other, "on or off")->required()->check(CLI::IsMember({"on", "off"}));
  add_wait_option(*command, words->change);

  auto* list = hub->add_subcommand("list", "Hubs, which cameras they may watch, and what is not confirmed yet");
  list->fallthrough();
  list->callback([&context] { context.action = [&context] { return list_hubs(context); }; });
}

}  // namespace sealcam::owner
