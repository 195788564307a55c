// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <print>

#include "core/folders.hpp"
#include "owner/commands.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

Outcome<> create_account(const Context& context) {
  const auto account = Account::create(context.account());
  if (!account) return std::unexpected(account.error());
  const auto hub = account->file().hubs.front().id.to_string();
  const auto folder = account->files().folder.string();
  if (context.json) {
    std::println("{}", Json{{"account", account->id().to_string()}, {"folder", folder}, {"hub", hub}}.dump());
    return {};
  }
  std::println("account {}\nkept in {}", account->id().to_string(), folder);
  return {};
}

Outcome<> run_sync(const Context& context, const SyncOptions& options) {
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  const auto report = sync(*account, options, context.clock);
  if (!report) return std::unexpected(report.error());
  if (context.json) {
    std::println("{}", Json{{"published", texts(report->published)},
                            {"pending", texts(report->pending)},
                            {"why_pending", report->why_pending}}
                           .dump());
  } else {
    const auto words = describe(*report, account->file());
    std::println("{}", words.empty() ? "nothing is pending" : words);
  }
  if (report->pending.empty()) return {};
  return failure(EX_UNAVAILABLE, "");
}

Outcome<> make_device(const std::string& folder, const std::string& role_text) {
  for (const auto role : {protocol::Role::camera, protocol::Role::hub, protocol::Role::owner}) {
    if (role_text != protocol::name(role)) continue;
    const auto state = pairing::DeviceState::open(absolute(folder), role);
    if (!state) return failure(state.error(), folder);
    std::println("{}", state->keys().identity.id().to_string());
    return {};
  }
  return failure(EX_USAGE, "The role is camera, hub or owner");
}

}  // namespace

AccountFiles Context::account() const {
  return {account_folder.empty() ? state_folder("account") : absolute(account_folder)};
}

std::filesystem::path absolute(const std::string& path) {
  auto full = std::filesystem::absolute(path).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

std::vector<std::string> texts(const std::vector<DeviceId>& ids) {
  std::vector<std::string> out;
  for (const auto& id : ids) out.push_back(id.to_string());
  return out;
}

std::string describe(const SyncReport& report, const AccountFile& account) {
  const auto names = [&](const std::vector<DeviceId>& ids) {
    std::string out;
    for (const auto& camera : account.cameras)
      if (std::ranges::contains(ids, camera.id)) out += std::format("{}'{}'", out.empty() ? "" : ", ", camera.name);
    return out;
  };
  std::string out;
  if (!report.published.empty()) out = "roster published: " + names(report.published);
  if (report.pending.empty()) return out;
  if (!out.empty()) out += '\n';
  return out + std::format("pending: {} ({})\nstart the broker and run: sealcam sync", names(report.pending),
                           report.why_pending);
}

void add_account_commands(CLI::App& app, Context& context) {
  auto* account = app.add_subcommand("account", "The owner's account on this machine")->require_subcommand(1);
  account->fallthrough();
  auto* create = account->add_subcommand("create", "Make the owner's keys and this machine's own hub identity");
  create->add_option("--state", context.account_folder, "The same as --account");
  create->fallthrough();
  create->callback([&context] { context.action = [&context] { return create_account(context); }; });

  auto options = std::make_shared<SyncOptions>();
  auto seconds = std::make_shared<double>(10);
  auto* publish = app.add_subcommand("sync", "Publish what is pending and say what still is");
  publish->add_flag("--all", options->everything, "Also what was published before: the broker may have lost it");
  publish->add_option("--timeout", *seconds, "Seconds to wait for the broker")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  publish->fallthrough();
  publish->callback([&context, options, seconds] {
    context.action = [&context, options, seconds] {
      options->patience = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
      return run_sync(context, *options);
    };
  });

  auto words = std::make_shared<std::pair<std::string, std::string>>();
  auto* keys = app.add_subcommand("device-keys", "Make a device's keys")->group("");
  keys->add_option("folder", words->first)->required();
  keys->add_option("role", words->second)->required();
  keys->callback([&context, words] { context.action = [words] { return make_device(words->first, words->second); }; });
}

}  // namespace sealcam::owner
