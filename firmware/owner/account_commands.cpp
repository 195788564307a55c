// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <format>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <print>

#include "core/folders.hpp"
#include "owner/backup.hpp"
#include "owner/commands.hpp"
#include "owner/enroll.hpp"
#include "owner/operator_options.hpp"
#include "owner/passphrase_input.hpp"
#include "owner/pending.hpp"

namespace sealcam::owner {

using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t largest_backup = 16U << 20;

struct AccountWords {
  std::string file, passphrase_file;
  OperatorOptions broker;
};

constexpr std::string_view how_to_back_up =
    "make a backup now: without it, this machine's disk is all there is: sealcam account backup FILE";

Outcome<> create_account(const Context& context, const AccountWords& words) {
  const auto file = words.file.empty() ? std::filesystem::path() : absolute(words.file);
  // Asked first: an account without the backup that was wanted is not made.
  std::optional<crypto::Passphrase> passphrase;
  if (!file.empty()) {
    auto answer = read_passphrase(words.passphrase_file, Asking::twice);
    if (!answer) return std::unexpected(answer.error());
    passphrase = std::move(*answer);
  }
  auto account = Account::create(context.account());
  if (!account) return std::unexpected(account.error());
  if (passphrase)
    if (auto r = make_backup(*account, file, *passphrase, context.clock); !r) return r;
  const auto hub = account->file().hubs.front().id.to_string();
  const auto folder = account->files().folder.string();
  if (context.json) {
    std::println(
        "{}", Json{{"account", account->id().to_string()}, {"folder", folder}, {"hub", hub}, {"backup", file.string()}}
                  .dump());
    return {};
  }
  std::println("account {}\nkept in {}", account->id().to_string(), folder);
  if (file.empty()) std::println("{}", how_to_back_up);
  else std::println("backup in {}; keep it elsewhere, and the passphrase apart from it", file.string());
  return {};
}

Outcome<> back_up(const Context& context, const AccountWords& words) {
  const auto file = absolute(words.file);
  const auto passphrase = read_passphrase(words.passphrase_file, Asking::twice);
  if (!passphrase) return std::unexpected(passphrase.error());
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = make_backup(*account, file, *passphrase, context.clock); !r) return r;
  if (context.json) std::println("{}", Json{{"account", account->id().to_string()}, {"backup", file.string()}}.dump());
  else std::println("backup in {}; keep it elsewhere, and the passphrase apart from it", file.string());
  return {};
}

Outcome<> restore(const Context& context, const AccountWords& words) {
  const auto file = absolute(words.file);
  const auto text = read(file, largest_backup);
  if (!text) return std::unexpected(text.error());
  const auto passphrase = read_passphrase(words.passphrase_file, Asking::once);
  if (!passphrase) return std::unexpected(passphrase.error());
  auto backup = read_backup(as_text(*text), *passphrase);
  if (!backup) return std::unexpected(backup.error());
  std::vector<DeviceId> lost;
  if (backup->account)
    for (const auto& hub : backup->account->hubs)
      if (hub.this_machine) lost.push_back(hub.id);
  const bool connected = backup->tls.has_value();
  const auto account = restore_account(context.account(), std::move(*backup));
  if (!account) return std::unexpected(account.error());
  if (context.json) {
    std::println("{}", Json{{"account", account->id().to_string()},
                            {"folder", account->files().folder.string()},
                            {"cameras", account->file().cameras.size()},
                            {"connected", connected},
                            {"lost_hubs", texts(lost)}}
                           .dump());
    return {};
  }
  std::println("account {} restored in {}: {} cameras, {} hubs", account->id().to_string(),
               account->files().folder.string(), account->file().cameras.size(), account->file().hubs.size());
  if (connected) std::println("now let the cameras say what they follow: sealcam sync");
  else std::println("it has no broker: sealcam account connect --broker DIR, then: sealcam sync");
  for (const auto& hub : lost)
    std::println(
        "the lost machine's hub leaves the rosters with the next sync; the operator expels it: sealcam broker "
        "expel DIR {}",
        hub.to_string());
  return {};
}

/// The owner's connection and this machine's hub.
Outcome<> connect(const Context& context, const AccountWords& words) {
  std::shared_ptr<const Operator> broker;
  if (auto r = words.broker.resolve(broker); !r) return r;
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  if (words.broker.asks()) {
    const auto requests = requests_of_this_machine(*account);
    if (!requests) return std::unexpected(requests.error());
    if (requests->empty()) return failure(EX_USAGE, "The account and this machine are admitted at a broker already");
    return send_requests(context, words.broker, *requests, std::nullopt);
  }
  if (auto r = connect_account(*account, *broker); !r) return r;
  if (auto r = remember_broker(*account, *broker); !r) return r;
  const auto address = broker->address();
  if (!address) return std::unexpected(address.error());
  if (context.json)
    std::println("{}", Json{{"account", account->id().to_string()},
                            {"broker", broker->folder().string()},
                            {"host", address->host},
                            {"port", address->port}}
                           .dump());
  else std::println("the account and this machine are admitted at the broker {} port {}", address->host, address->port);
  return {};
}

Outcome<> run_sync(const Context& context, const SyncOptions& options) {
  auto account = Account::open(context.account());
  if (!account) return std::unexpected(account.error());
  const auto report = sync(*account, options, context.clock);
  if (!report) return std::unexpected(report.error());
  if (context.json) {
    std::println("{}", report_json(*report));
  } else {
    const auto said = describe(*report, account->file());
    std::println("{}", said.empty() ? "nothing is pending" : said);
  }
  if (report->settled()) return {};
  if (!report->contradicted.empty() || !report->lost_wifi.left_out.empty()) return failure(EX_CONFIG, "");
  return failure(report->pending.empty() && report->reached ? EX_TEMPFAIL : EX_UNAVAILABLE, "");
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

void add_passphrase_option(CLI::App& command, const std::shared_ptr<AccountWords>& words) {
  command.add_option(
      "--passphrase-file", words->passphrase_file,
      "Take the passphrase from the first line of this file (/dev/fd/N: a descriptor), not from the terminal");
  command.fallthrough();
}

void add_backup_commands(CLI::App& account, Context& context) {
  auto words = std::make_shared<AccountWords>();
  auto* command = account.add_subcommand("backup", "Write the account into a file, sealed with a passphrase");
  command->add_option("FILE", words->file, "A new file")->required();
  add_passphrase_option(*command, words);
  command->callback([&context, words] { context.action = [&context, words] { return back_up(context, *words); }; });

  words = std::make_shared<AccountWords>();
  command = account.add_subcommand("restore", "Make the account anew from a backup");
  command->add_option("FILE", words->file, "The backup")->required();
  add_passphrase_option(*command, words);
  command->callback([&context, words] { context.action = [&context, words] { return restore(context, *words); }; });

  words = std::make_shared<AccountWords>();
  command = account.add_subcommand("connect", "Have the account and this machine admitted at a broker");
  add_operator_options(*command, words->broker);
  command->fallthrough();
  command->callback([&context, words] { context.action = [&context, words] { return connect(context, *words); }; });
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
  std::string out;
  const auto add = [&](const std::vector<DeviceId>& cameras, std::string_view format, std::string_view why = "") {
    if (cameras.empty()) return;
    const auto names = names_of(account, cameras);
    out += (out.empty() ? "" : "\n") + std::vformat(format, std::make_format_args(names, why));
  };
  add(report.confirmed, "confirmed by {}");
  add(report.gone, "gone: {}");
  add(report.waiting, "published, waiting for {} to confirm; see again with: sealcam sync");
  add(report.pending, "pending: {} ({})\nstart the broker and run: sealcam sync", report.why_pending);
  for (const auto& camera : report.lost_wifi.left_out)
    add({camera},
        "the passphrase of the Wi-Fi network for {0} is missing or damaged on this machine: the network was left "
        "out, all else goes on. Say it again: sealcam camera wifi {0} --ssid …");
  for (const auto& camera : report.lost_wifi.at_broker)
    add({camera},
        "the passphrase of the Wi-Fi network for {0} is missing or damaged on this machine; the broker still has the "
        "command with it. If it is not confirmed, say it again: sealcam camera wifi {0} --ssid …");
  add(report.contradicted,
      "{} follows a roster that this account does not know; another copy of the account is in use. To take over what "
      "it "
      "follows: sealcam sync --learn");
  add(report.unlearned,
      "{} was not heard since the restore: nothing may be changed until it said which roster it follows. Start it and "
      "run: "
      "sealcam sync");
  if (report.learning)
    out += std::format("{}the broker was not reached since the restore ({}). Run: sealcam sync",
                       out.empty() ? "" : "\n", report.why_pending);
  return out;
}

std::string report_json(const SyncReport& report) {
  return Json{{"reached", report.reached},
              {"published", texts(report.published)},
              {"pending", texts(report.pending)},
              {"waiting", texts(report.waiting)},
              {"confirmed", texts(report.confirmed)},
              {"contradicted", texts(report.contradicted)},
              {"unlearned", texts(report.unlearned)},
              {"gone", texts(report.gone)},
              {"wifi_left_out", texts(report.lost_wifi.left_out)},
              {"wifi_at_broker", texts(report.lost_wifi.at_broker)},
              {"settled", report.settled()},
              {"why_pending", report.why_pending}}
      .dump();
}

void add_account_commands(CLI::App& app, Context& context) {
  auto* account = app.add_subcommand("account", "The owner's account on this machine")->require_subcommand(1);
  account->fallthrough();
  auto* create = account->add_subcommand("create", "Make the owner's keys and this machine's own hub identity");
  create->add_option("--state", context.account_folder, "The same as --account");
  auto words = std::make_shared<AccountWords>();
  create->add_option("--backup", words->file, "Make a backup in this file in the same step");
  add_passphrase_option(*create, words);
  create->callback(
      [&context, words] { context.action = [&context, words] { return create_account(context, *words); }; });
  add_backup_commands(*account, context);

  auto options = std::make_shared<SyncOptions>();
  auto seconds = std::make_shared<double>(10);
  auto* publish = app.add_subcommand(
      "sync", "Publish what is pending, wait for the cameras to confirm it, and say what still is pending");
  publish->add_flag("--all", options->everything, "Also what was published before: the broker may have lost it");
  publish->add_flag("--learn", options->learn, "Take over what cameras follow that this account does not know");
  publish->add_option("--timeout", *seconds, "Seconds to wait for the broker, and as long for the cameras")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 3600.0));
  publish->fallthrough();
  publish->callback([&context, options, seconds] {
    context.action = [&context, options, seconds] {
      options->again = true;
      options->patience = options->listen = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
      return run_sync(context, *options);
    };
  });

  auto folder_and_role = std::make_shared<std::pair<std::string, std::string>>();
  auto* keys = app.add_subcommand("device-keys", "Make a device's keys")->group("");
  keys->add_option("folder", folder_and_role->first)->required();
  keys->add_option("role", folder_and_role->second)->required();
  keys->callback([&context, folder_and_role] {
    context.action = [folder_and_role] { return make_device(folder_and_role->first, folder_and_role->second); };
  });
}

}  // namespace sealcam::owner
