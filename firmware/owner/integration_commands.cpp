// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "owner/change.hpp"
#include "owner/membership.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

struct IntegrationWords {
  std::string name;
  std::vector<std::string> hubs;
  std::shared_ptr<ChangeOptions> change = std::make_shared<ChangeOptions>();
};

Outcome<> add(const Context& context, const IntegrationWords& words) {
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    if (auto r = may_change(next); !r) return r;
    return add_integration(next, words.name, words.hubs);
  });
}

Outcome<> suspend(const Context& context, const IntegrationWords& words, bool suspended) {
  return make_change(context, *words.change, [&](const Account&, AccountFile& next) -> Outcome<> {
    if (auto r = may_change(next); !r) return r;
    return set_suspended(next, words.name, suspended);
  });
}

Outcome<> list(const Context& context) {
  const auto account = read_account(context.account().account());
  if (!account) return std::unexpected(account.error());
  auto json = Json::array();
  for (const auto& integration : account->integrations) {
    std::vector<DeviceId> hubs;
    for (const auto& hub : account->hubs)
      if (hub.integration == integration.label && !hub.unlinked) hubs.push_back(hub.id);
    if (context.json)
      json.push_back({{"name", integration.name}, {"suspended", integration.suspended}, {"hubs", texts(hubs)}});
    else
      std::println("'{}', {} hubs{}", integration.name, hubs.size(),
                   integration.suspended ? ", suspended: they get no pictures" : "");
  }
  if (context.json) std::println("{}", json.dump());
  else if (account->integrations.empty())
    std::println("no integrations; add one: sealcam integration add NAME --hub HUB");
  return {};
}

}  // namespace

void add_integration_commands(CLI::App& app, Context& context) {
  auto* integration =
      app.add_subcommand("integration", "Groups of hubs that are suspended as one")->require_subcommand(1);
  integration->fallthrough();
  auto words = std::make_shared<IntegrationWords>();
  auto* command = integration->add_subcommand("add", "A new group");
  command->add_option("NAME", words->name, "What it is called here; it leaves this machine in no message")->required();
  command->add_option("--hub", words->hubs, "A hub that belongs to it; may be repeated");
  add_wait_option(*command, words->change);
  command->callback([&context, words] { context.action = [&context, words] { return add(context, *words); }; });

  for (const bool suspended : {true, false}) {
    words = std::make_shared<IntegrationWords>();
    command = integration->add_subcommand(suspended ? "suspend" : "resume",
                                          suspended ? "Its hubs get no pictures" : "Its hubs get pictures again");
    command->add_option("NAME", words->name, "The integration")->required();
    add_wait_option(*command, words->change);
    command->callback([&context, words, suspended] {
      context.action = [&context, words, suspended] { return suspend(context, *words, suspended); };
    });
  }

  auto* all = integration->add_subcommand("list", "Integrations and their hubs");
  all->fallthrough();
  all->callback([&context] { context.action = [&context] { return list(context); }; });
}

}  // namespace sealcam::owner
