// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <vector>

#include "pairing/device_state.hpp"
#include "pairing/state_folder.hpp"

namespace sealcam::pairing {

namespace fs = std::filesystem;

namespace {

Result<> remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "removing state", ec.value());
  return {};
}

/// What a reset takes away beside the keys.
Result<std::vector<fs::path>> rest_of(const StateFiles& files) {
  std::vector<fs::path> rest;
  std::error_code ec;
  for (fs::directory_iterator it(files.folder, ec), end; !ec && it != end; it.increment(ec)) {
    const auto& path = it->path();
    if (path != files.resetting() && !is_foreign_file(path.filename())) rest.push_back(path);
  }
  if (ec) return fail(Errc::io, "listing the state folder", ec.value());
  return rest;
}

Result<> check_role(const StateFiles& files, protocol::Role role) {
  const auto bytes = read_file(files.card(), 4096);
  if (!bytes) return {};  // a damaged state is what a reset is for
  if (auto r = crypto::init(); !r) return r;
  const auto card = protocol::decode_card(*bytes);
  if (card && card->role != role) return fail(Errc::wrong_key, "this state folder belongs to a device of another kind");
  return {};
}

}  // namespace

Result<> finish_reset(const StateFiles& files) {
  // The keys first: from then on nothing that is left opens or signs anything.
  if (auto r = remove_tree(files.keys()); !r) return r;
  if (auto r = remove_tree(files.tls_key()); !r) return r;
  if (auto r = sync_entries(files.folder); !r) return r;
  const auto rest = rest_of(files);
  if (!rest) return std::unexpected(rest.error());
  for (const auto& path : *rest)
    if (auto r = remove_tree(path); !r) return r;
  if (auto r = sync_entries(files.folder); !r) return r;
  if (::unlink(files.resetting().c_str()) != 0 && errno != ENOENT)
    return fail(Errc::io, "finishing the reset of the state folder", errno);
  return sync_entries(files.folder);
}

Result<> DeviceState::reset(const fs::path& folder, protocol::Role role) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "finding the state folder", ec.value());
  if (!is_present(files.resetting())) {
    if (!is_state(files)) return fail(Errc::not_found, "there is no device's state to reset in this folder");
    if (auto r = check_role(files, role); !r) return r;
  }
  const auto lock = lock_folder(files.folder);
  if (!lock) return std::unexpected(lock.error());
  static constexpr std::string_view note = "This device is being reset; the next start goes on with it.\n";
  if (auto r = write_file_durably(files.resetting(), as_bytes(note)); !r) return r;
  return finish_reset(files);
}

}  // namespace sealcam::pairing
