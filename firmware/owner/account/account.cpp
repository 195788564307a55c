// SPDX-License-Identifier: Apache-2.0
#include "owner/account/account.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file.hpp"
#include "base/format.hpp"

namespace sealcam::owner {

namespace fs = std::filesystem;
using protocol::Role;

namespace {

bool present(const fs::path& path) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(path, ec));
}

Outcome<device::DeviceState> open_state(const fs::path& folder) {
  auto state = retry_while_locked([&] { return device::DeviceState::open(folder, Role::owner); });
  if (!state) return failure(state.error(), sealcam::format("cannot open the account in {}", folder.string()));
  return std::move(*state);
}

Outcome<> check_free(const AccountFiles& files) {
  if (!present(files.account())) return {};
  return failure(EX_CANTCREAT, sealcam::format("{} already contains an account; choose another folder with --account",
                                               files.folder.string()));
}

Outcome<AccountFile> new_content(const AccountFiles& files, const device::DeviceState& state) {
  const auto hub = read_device_descriptor(files.hub(), Role::hub);
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

/// The account of the backup, with this machine's hub in front. The owner no longer controls the lost machine, so its
/// hub is unlinked.
AccountFile merge(AccountFile content, const AccountFile& created) {
  for (auto& hub : content.hubs) {
    if (!hub.this_machine) continue;
    hub.this_machine = false;
    hub.unlinked = true;
    hub.name = "the lost machine";
  }
  content.hubs.insert(content.hubs.begin(), created.hubs.begin(), created.hubs.end());
  for (auto& camera : content.cameras) camera.out_of_sync = true;
  return content;
}

/// Runs this program with `arguments` and waits for it. Its standard error passes through. If the program fails, the
/// failure has its exit code and no message.
Outcome<> run_self(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "sealcam");
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = -1;
  const int status = ::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0)
    return failure(EX_OSERR, sealcam::format("cannot start 'sealcam device-keys': {}", std::strerror(status)));

  int ended = 0;
  while (::waitpid(child, &ended, 0) < 0)
    if (errno != EINTR)
      return failure(EX_OSERR, sealcam::format("cannot wait for 'sealcam device-keys': {}", std::strerror(errno)));
  if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return {};
  return failure(WIFEXITED(ended) ? WEXITSTATUS(ended) : EX_SOFTWARE, "");
}

}  // namespace

Outcome<protocol::DeviceDescriptor> read_device_descriptor(const device::StateFiles& files, Role role) {
  const auto bytes = read(files.descriptor(), protocol::max_control_size,
                          sealcam::format("name the state folder of a {}", protocol::name(role)));
  if (!bytes) return std::unexpected(bytes.error());
  const auto descriptor = protocol::decode_device_descriptor(*bytes);
  if (!descriptor)
    return failure(descriptor.error(), sealcam::format("{} is damaged", files.descriptor().string()),
                   "restore the state folder from a copy");
  if (descriptor->role != role)
    return failure(EX_USAGE,
                   sealcam::format("{} is the state folder of a {}; name the state folder of a {}",
                                   files.folder.string(), protocol::name(descriptor->role), protocol::name(role)));
  return *descriptor;
}

Outcome<> ensure_device_keys(const device::StateFiles& files, Role role) {
  if (present(files.descriptor()) && !present(files.unfinished())) return {};
  return run_self({"device-keys", files.folder.string(), std::string(protocol::name(role))});
}

Outcome<Account> Account::create(const AccountFiles& files) {
  if (auto r = check_free(files); !r) return std::unexpected(r.error());
  if (present(files.rosters()) || present(files.owner().enrollment()))
    return failure(EX_CONFIG, sealcam::format("{} contains the files of an account, but no account.json; restore the "
                                              "folder from a copy",
                                              files.folder.string()));
  auto state = open_state(files.folder);
  if (!state) return std::unexpected(state.error());
  if (auto r = ensure_device_keys(files.hub(), Role::hub); !r) return std::unexpected(r.error());
  auto file = new_content(files, *state);
  if (!file) return std::unexpected(file.error());
  if (auto r = write_account(files.account(), *file); !r) return std::unexpected(r.error());
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<Account> Account::restore(const AccountFiles& files, const Secret<32>& identity, const transport::TlsKey* tls,
                                  std::optional<AccountFile> content) {
  if (auto r = check_free(files); !r) return std::unexpected(r.error());
  auto made = retry_while_locked([&] { return device::DeviceState::restore_owner(files.folder, identity, tls); });
  const bool interrupted = !made && made.error().code == Errc::exists;
  if (!made && !interrupted)
    return failure(made.error(), sealcam::format("cannot make an account in {}", files.folder.string()));
  auto state = interrupted ? open_state(files.folder) : Outcome<device::DeviceState>(std::move(*made));
  if (!state) return std::unexpected(state.error());
  const auto key = crypto::import_signing_key(identity);
  if (!key || key->second != state->keys().identity.public_key())
    return failure(EX_CANTCREAT,
                   sealcam::format("{} contains the keys of another account; choose another folder with --account",
                                   files.folder.string()));
  if (auto r = ensure_device_keys(files.hub(), Role::hub); !r) return std::unexpected(r.error());
  auto file = new_content(files, *state);
  if (!file) return std::unexpected(file.error());
  if (content) file = merge(std::move(*content), *file);
  file->resync_pending = true;
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<Account> Account::open(const AccountFiles& files) {
  // Opening the state would make keys in a folder without an account, so this check comes first.
  if (!present(files.account()))
    return failure(EX_NOINPUT, sealcam::format("{} contains no account; create one with 'sealcam account create "
                                               "--account {}'",
                                               files.folder.string(), files.folder.string()));
  auto state = open_state(files.folder);
  if (!state) return std::unexpected(state.error());
  auto file = read_account(files.account());  // under the lock
  if (!file) return std::unexpected(file.error());
  if (file->account != state->keys().identity.public_key().account())
    return failure(EX_CONFIG, sealcam::format("{} and the keys in the same folder are of different accounts; restore "
                                              "the folder from a copy",
                                              files.account().string()));
  return Account(files, std::move(*state), std::move(*file));
}

Outcome<> Account::store(AccountFile file) {
  if (auto r = write_account(files_.account(), file); !r) return r;
  file_ = std::move(file);
  return {};
}

}  // namespace sealcam::owner
