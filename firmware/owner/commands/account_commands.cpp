// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <optional>

#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/account/backup.hpp"
#include "owner/commands/change.hpp"
#include "owner/console.hpp"
#include "owner/enrollment/enrollment.hpp"
#include "protocol/archive_key.hpp"

namespace sealcam::owner {

namespace {

constexpr std::size_t max_account_backup = 16U << 20;

void print_backup(const std::string& file) {
  sealcam::println("backup in {}\nkeep it on another machine, and keep the passphrase in another place", file);
}

void print_restored(const Account& account, bool connected, const std::vector<DeviceId>& lost_hubs) {
  sealcam::println("account {} restored in {}: {} cameras, {} hubs", account.id().to_string(),
                   account.files().folder.string(), account.file().cameras.size(), account.file().hubs.size());
  sealcam::println("next step: {}",
                   connected ? "sealcam sync" : "sealcam account connect --broker DIR, then sealcam sync");
  for (const auto& hub : lost_hubs)
    sealcam::println(
        "the next sync removes the hub of the lost machine from all rosters; the broker's operator revokes "
        "it with: sealcam broker revoke DIR {}",
        hub.to_string());
}

}  // namespace

AccountFiles Dependencies::account() const {
  return {account_folder.empty() ? state_folder("account") : absolute(account_folder)};
}

std::filesystem::path absolute(const std::string& path) {
  auto full = std::filesystem::absolute(path).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

Outcome<> create_account(const Dependencies& deps, const AccountArguments& arguments) {
  // The passphrase is read first, so that a failed input leaves no account without a backup.
  std::optional<crypto::Passphrase> passphrase;
  if (!arguments.file.empty()) {
    auto input = read_passphrase(arguments.passphrase_file, PassphrasePrompt::twice);
    if (!input) return std::unexpected(input.error());
    passphrase = std::move(*input);
  }
  auto account = Account::create(deps.account());
  if (!account) return std::unexpected(account.error());
  if (passphrase)
    if (auto r = make_backup(*account, arguments.file, *passphrase, deps.clock); !r) return r;
  const auto folder = account->files().folder.string();
  if (deps.json) {
    print_json(JsonObject()
                   .add("account", account->id().to_string())
                   .add("folder", folder)
                   .add("hub", account->file().hubs.front().id.to_string())
                   .add("backup", arguments.file));
    return {};
  }
  sealcam::println("account {}\nfolder {}", account->id().to_string(), folder);
  if (passphrase) print_backup(arguments.file);
  else
    sealcam::println(
        "make a backup now with 'sealcam account backup FILE'; without a backup, the account is lost if the "
        "disk of this machine fails");
  return {};
}

Outcome<> back_up_account(const Dependencies& deps, const AccountArguments& arguments) {
  const auto passphrase = read_passphrase(arguments.passphrase_file, PassphrasePrompt::twice);
  if (!passphrase) return std::unexpected(passphrase.error());
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  if (auto r = make_backup(*account, arguments.file, *passphrase, deps.clock); !r) return r;
  if (deps.json) print_json(JsonObject().add("account", account->id().to_string()).add("backup", arguments.file));
  else print_backup(arguments.file);
  return {};
}

Outcome<> restore_from_backup(const Dependencies& deps, const AccountArguments& arguments) {
  const auto text = read(arguments.file, max_account_backup);
  if (!text) return std::unexpected(text.error());
  const auto passphrase = read_passphrase(arguments.passphrase_file, PassphrasePrompt::once);
  if (!passphrase) return std::unexpected(passphrase.error());
  auto backup = read_backup(as_text(*text), *passphrase);
  if (!backup) return std::unexpected(backup.error());
  std::vector<DeviceId> lost_hubs;
  if (backup->account)
    for (const auto& hub : backup->account->hubs)
      if (hub.this_machine) lost_hubs.push_back(hub.id);
  const bool connected = backup->tls.has_value();
  const bool key_only = !backup->account.has_value();
  // A copy that lost its end looks like a file with the key alone.
  if (key_only)
    sealcam::println(
        stderr,
        "sealcam: {} contains the account's key and no list of cameras and hubs; if you expected the list, "
        "use another copy of the backup in a new --state folder",
        arguments.file);
  const auto account = restore_account(deps.account(), std::move(*backup));
  if (!account) return std::unexpected(account.error());
  if (deps.json)
    print_json(JsonObject()
                   .add("account", account->id().to_string())
                   .add("folder", account->files().folder.string())
                   .add("cameras", account->file().cameras.size())
                   .add("connected", connected)
                   .add("key_only", key_only)
                   .add("lost_hubs", lost_hubs));
  else print_restored(*account, connected, lost_hubs);
  return {};
}

Outcome<> open_archive_key(const Dependencies& deps, const AccountArguments& arguments) {
  const auto sealed = read(arguments.file, protocol::sealed_archive_key_size);
  if (!sealed) return std::unexpected(sealed.error());
  const auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  const auto identity = account->state().store().export_identity();
  if (!identity) return failure(identity.error(), "cannot read the account's key");
  const auto key = protocol::open_archive_key(*sealed, *identity);
  if (!key)
    return failure(key.error(), sealcam::format("cannot open {}", arguments.file),
                   "choose the file recording-keys/archive.sealed of a hub of this account");
  return write_output(arguments.output, key->reveal());
}

Outcome<> connect_to_broker(const Dependencies& deps, const AccountArguments& arguments) {
  const auto broker = arguments.broker.resolve();
  if (!broker) return std::unexpected(broker.error());
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  if (arguments.broker.only_requests()) {
    const auto requests = requests_of_this_machine(*account);
    if (!requests) return std::unexpected(requests.error());
    if (requests->empty())
      return failure(EX_USAGE, "the account and this machine are already authorized at a broker; omit --request");
    return arguments.broker.write(deps, *requests, std::nullopt);
  }
  if (auto r = connect_account(*account, **broker); !r) return r;
  if (auto r = remember_broker(*account, **broker); !r) return r;
  const auto address = (*broker)->address(account->id());
  if (!address) return std::unexpected(address.error());
  if (deps.json)
    print_json(JsonObject()
                   .add("account", account->id().to_string())
                   .add("broker", (*broker)->folder().string())
                   .add("host", address->host)
                   .add("port", address->port));
  else
    sealcam::println("the account and this machine are authorized at the broker {} port {}", address->host,
                     address->port);
  return {};
}

Outcome<> sync_account(const Dependencies& deps, const SyncArguments& arguments) {
  auto options = arguments.options;
  options.again = true;
  options.check = !options.everything;
  options.timeout = options.listen = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.seconds * 1000));
  auto account = Account::open(deps.account());
  if (!account) return std::unexpected(account.error());
  const auto report = sync(*account, options, deps.clock);
  if (!report) return std::unexpected(report.error());
  if (deps.json) {
    print_json(report_json(*report));
  } else {
    const auto text = report_text(*report, account->file());
    sealcam::println("{}", text.empty() ? "all cameras confirmed their desired state" : text);
  }
  if (report->settled()) return {};
  if (!report->contradicted.empty() || !report->lost_wifi.left_out.empty()) return failure(EX_CONFIG, "");
  return failure(report->pending.empty() && report->reached ? EX_TEMPFAIL : EX_UNAVAILABLE, "");
}

Outcome<> make_device_keys(const Dependencies&, const KeysArguments& arguments) {
  for (const auto role : {protocol::Role::camera, protocol::Role::hub, protocol::Role::owner}) {
    if (arguments.role != protocol::name(role)) continue;
    const auto state = device::DeviceState::open(arguments.folder, role);
    if (!state) return failure(state.error(), sealcam::format("cannot make keys in {}", arguments.folder));
    sealcam::println("{}", state->keys().identity.id().to_string());
    return {};
  }
  return failure(EX_USAGE, sealcam::format("'{}' is not a role; use camera, hub or owner", arguments.role));
}

}  // namespace sealcam::owner
