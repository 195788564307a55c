// SPDX-License-Identifier: Apache-2.0
#include "owner/account.hpp"

#include <cstdlib>
#include <format>

#include "core/file.hpp"
#include "owner/patience.hpp"
#include "owner/process.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;
using protocol::Role;

namespace {

bool present(const fs::path& path) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(path, ec));
}

Outcome<pairing::DeviceState> open_state(const fs::path& folder) {
  auto state = patiently([&] { return pairing::DeviceState::open(folder, Role::owner); });
  if (!state) return failure(state.error(), folder.string());
  return std::move(*state);
}

Outcome<> not_taken(const AccountFiles& files) {
  if (!present(files.account())) return {};
  return failure(EX_CANTCREAT, std::format("{} holds an account already. Choose another folder with --account",
                                           files.folder.string()));
}

Outcome<AccountFile> first_content(const AccountFiles& files, const pairing::DeviceState& state) {
  const auto hub = read_card(files.hub(), Role::hub);
  if (!hub) return std::unexpected(hub.error());
  AccountFile file;
  file.account = state.keys().identity.public_key().account();
  file.hubs.push_back({.id = hub->identity.id(),
                       .name = "this machine",
                       .identity = hub->identity,
                       .hpke = hub->hpke,
                       .this_machine = true,
                       .integration = std::nullopt,
                       .denied = {}});
  return file;
}

}  // namespace

Outcome<protocol::Card> read_card(const pairing::StateFiles& files, Role role) {
  const auto bytes = read(files.card(), protocol::max_control_size, "The folder is not a device's state");
  if (!bytes) return std::unexpected(bytes.error());
  const auto card = protocol::decode_card(*bytes);
  if (!card) return failure(card.error(), files.card().string(), "Restore the state folder from a copy");
  if (card->role != role)
    return failure(EX_USAGE, std::format("{} is the state of a {}, not of a {}", files.folder.string(),
                                         protocol::name(card->role), protocol::name(role)));
  return *card;
}

Outcome<> ensure_device_keys(const pairing::StateFiles& files, Role role) {
  if (present(files.card()) && !present(files.unfinished())) return {};
  return run_self({"device-keys", files.folder.string(), std::string(protocol::name(role))});
}

Outcome<Account> Account::create(const AccountFiles& files) {
  if (auto r = not_taken(files); !r) return std::unexpected(r.error());
  if (present(files.rosters()) || present(files.owner().enrolment()))
    return failure(EX_CONFIG,
                   std::format("{} lost account.json. Restore the folder from a copy", files.folder.string()));
  auto state = open_state(files.folder);
  if (!state) return std::unexpected(state.error());
  if (auto r = ensure_device_keys(files.hub(), Role::hub); !r) return std::unexpected(r.error());
  auto file = first_content(files, *state);
  if (!file) return std::unexpected(file.error());
  if (auto r = write_account(files.account(), *file); !r) return std::unexpected(r.error());
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<Account> Account::restore(const AccountFiles& files, const Secret<32>& identity,
                                  std::optional<AccountFile> content) {
  if (auto r = not_taken(files); !r) return std::unexpected(r.error());
  auto made = patiently([&] { return pairing::DeviceState::restore_owner(files.folder, identity); });
  const bool there = !made && made.error().code == Errc::exists;
  if (!made && !there) return failure(made.error(), files.folder.string());
  auto state = there ? open_state(files.folder) : Outcome<pairing::DeviceState>(std::move(*made));
  if (!state) return std::unexpected(state.error());
  const auto key = crypto::import_signing_key(identity);
  if (!key || key->second != state->keys().identity.public_key())
    return failure(EX_CANTCREAT, std::format("{} belongs to somebody else. Choose another folder with --account",
                                             files.folder.string()));
  if (auto r = ensure_device_keys(files.hub(), Role::hub); !r) return std::unexpected(r.error());
  auto file = first_content(files, *state);
  if (!file) return std::unexpected(file.error());
  if (content) {
    // The machine that had the account is out of the owner's hands: its hub leaves the rosters.
    for (auto& hub : content->hubs) {
      if (!hub.this_machine) continue;
      hub.this_machine = false;
      hub.unlinked = true;
      hub.name = "the lost machine";
    }
    content->hubs.insert(content->hubs.begin(), file->hubs.begin(), file->hubs.end());
    for (auto& camera : content->cameras) camera.unlearned = true;
    file = std::move(*content);
  }
  file->learn = true;
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<Account> Account::open(const AccountFiles& files) {
  // First: a folder without an account must not get keys of its own. Its content is read under the lock.
  if (!present(files.account()))
    return failure(EX_NOINPUT, std::format("{} holds no account. Create one: sealcam account create --account {}",
                                           files.folder.string(), files.folder.string()));
  auto state = open_state(files.folder);
  if (!state) return std::unexpected(state.error());
  auto file = read_account(files.account());
  if (!file) return std::unexpected(file.error());
  if (file->account != state->keys().identity.public_key().account())
    return failure(EX_CONFIG,
                   std::format("{} belongs to another account than the keys beside it. Restore the folder from a copy",
                               files.account().string()));
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<> Account::store(AccountFile file) {
  if (auto r = write_account(files_.account(), file); !r) return r;
  file_ = std::move(file);
  return {};
}

}  // namespace sealcam::owner
