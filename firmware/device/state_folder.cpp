// SPDX-License-Identifier: Apache-2.0
#include "device/state_folder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <vector>

#include "base/file.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_descriptor = 4096;

Result<> remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "delete a file of the state folder",
                ec.value());
  return {};
}

/// All files that a reset deletes after the keys.
Result<std::vector<fs::path>> files_to_delete(const StateFiles& files) {
  std::vector<fs::path> all;
  std::error_code ec;
  for (fs::directory_iterator it(files.folder, ec), end; !ec && it != end; it.increment(ec)) {
    const auto& path = it->path();
    if (path != files.resetting() && !is_unrelated(path.filename())) all.push_back(path);
  }
  if (ec) return fail(Errc::io, "list the state folder", ec.value());
  return all;
}

Result<> check_role(const StateFiles& files, protocol::Role role) {
  const auto bytes = read_file(files.descriptor(), max_descriptor);
  if (!bytes) return {};  // a reset also repairs a damaged state
  if (auto r = crypto::init(); !r) return r;
  const auto descriptor = protocol::decode_device_descriptor(*bytes);
  if (descriptor && descriptor->role != role)
    return fail(Errc::wrong_key, "the state folder belongs to a device of another kind: check --state");
  return {};
}

/// A full disk must not prevent a reset, which is what frees it. A new name for an existing file needs no space.
Result<> mark_reset(const StateFiles& files) {
  static constexpr std::string_view note = "A reset deletes this device's state. The next start completes it.\n";
  const auto written = write_file_durably(files.resetting(), as_bytes(note));
  if (written) return {};
  for (const auto& file : {files.command(), files.epoch(), files.privacy()})
    if (::rename(ReservedFile::spare_of(file).c_str(), files.resetting().c_str()) == 0)
      return sync_entries(files.folder);
  return written;
}

}  // namespace

bool is_present(const fs::path& path) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(path, ec));
}

bool is_unrelated(const fs::path& name) {
  static constexpr std::array<std::string_view, 4> names = {"lock", "lost+found", "camera.json", "hub.json"};
  const auto text = name.string();
  return text.starts_with('.') || text.ends_with(".log") || std::ranges::contains(names, text);
}

bool is_state(const StateFiles& files) {
  for (const auto& path : {files.keys(), files.tls_key(), files.tls_request(), files.descriptor(), files.enrollment(),
                           files.unfinished(), files.resetting()})
    if (is_present(path)) return true;
  return false;
}

Result<> sync_entries(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(Errc::io, "fsync of the state folder", errno);
  return {};
}

Result<> finish_reset(const StateFiles& files) {
  // The keys first: without them, no remaining file opens or signs anything.
  if (auto r = remove_tree(files.keys()); !r) return r;
  if (auto r = remove_tree(files.tls_key()); !r) return r;
  if (auto r = sync_entries(files.folder); !r) return r;
  const auto rest = files_to_delete(files);
  if (!rest) return std::unexpected(rest.error());
  for (const auto& path : *rest)
    if (auto r = remove_tree(path); !r) return r;
  if (auto r = sync_entries(files.folder); !r) return r;
  if (::unlink(files.resetting().c_str()) != 0 && errno != ENOENT)
    return fail(Errc::io, "delete the file 'resetting'", errno);
  return sync_entries(files.folder);
}

Result<> reset_state(const fs::path& folder, protocol::Role role) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "find the state folder", ec.value());
  if (!is_present(files.resetting())) {
    if (!is_state(files)) return fail(Errc::not_found, "the folder holds no device's state: check --state");
    if (auto r = check_role(files, role); !r) return r;
  }
  const auto lock = lock_folder(files.folder);
  if (!lock) return std::unexpected(lock.error());
  if (auto r = mark_reset(files); !r) return r;
  return finish_reset(files);
}

}  // namespace sealcam::device
