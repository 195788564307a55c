// SPDX-License-Identifier: Apache-2.0
#include "device/device_state.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/file.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

namespace {

/// Locks, marks, temporary files, spare files, and files of other programs.
bool may_be_empty(const fs::path& path) {
  static constexpr std::array<std::string_view, 5> endings = {"lock", ".new", ".spare", "unfinished", "resetting"};
  const auto name = path.filename().string();
  return name.starts_with('.') || std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
}

}  // namespace

std::optional<fs::path> find_empty_file(const fs::path& folder) {
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored) && it->file_size(ignored) == 0 && !may_be_empty(it->path())) return it->path();
  }
  return std::nullopt;
}

namespace {

constexpr std::size_t max_descriptor = 4096;

Result<> remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "deleting a file of the state folder",
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
  if (ec) return fail(Errc::io, "listing the state folder", ec.value());
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

/// A full disk must not prevent a reset, because a reset frees space. A new name for an existing file needs no space.
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
    return fail(Errc::io, "deleting the file 'resetting'", errno);
  return sync_entries(files.folder);
}

Result<> reset_state(const fs::path& folder, protocol::Role role) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "finding the state folder", ec.value());
  if (!is_present(files.resetting())) {
    if (!is_state(files)) return fail(Errc::not_found, "the folder holds no device's state: check --state");
    if (auto r = check_role(files, role); !r) return r;
  }
  const auto lock = lock_folder(files.folder);
  if (!lock) return std::unexpected(lock.error());
  if (auto r = mark_reset(files); !r) return r;
  return finish_reset(files);
}

namespace {

constexpr std::size_t max_pem = 16U << 10;
constexpr std::size_t max_serial = 256;

constexpr const char* lost_keys =
    "the keys in the state folder are missing: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_tls_key =
    "tls.key in the state folder is missing: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_request =
    "tls.csr in the state folder is missing: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_descriptor =
    "device.descriptor in the state folder is missing: restore the folder from a copy, or reset it to start as a new "
    "device";
constexpr const char* other_board =
    "the state folder belongs to another board, whose serial number is in the file 'board': put the SD card back into "
    "that board, or reset the folder to start as a new device";
constexpr const char* damaged_board =
    "the file 'board' is damaged: restore the state folder from a copy, or reset it to start as a new device";
constexpr const char* unknown_folder =
    "the state folder holds other files but no keys: restore the folder from a copy, or choose an empty one";

/// Makes the folder's entry in its parent durable. Impossible if this user may not read the parent.
void sync_entry_of(const fs::path& folder) {
  UniqueFd fd(::open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) (void)::fsync(fd.get());
}

/// Files that a new folder may hold: unrelated ones, and markers of an interrupted start or reset.
bool harmless(const fs::path& name) {
  static constexpr std::array<std::string_view, 3> marks = {"unfinished", "unfinished.new", "resetting.new"};
  return is_unrelated(name) || std::ranges::contains(marks, name.string());
}

Result<bool> is_new(const StateFiles& files) {
  std::error_code ec;
  for (fs::directory_iterator it(files.folder, ec), end; !ec && it != end; it.increment(ec))
    if (!harmless(it->path().filename())) return false;
  if (ec)
    return fail(ec == std::errc::permission_denied ? Errc::permission : Errc::io, "listing the state folder",
                ec.value());
  return true;
}

/// Makes the folder private and locks it. A folder with other files keeps its mode and content: an operator who passes
/// --state /etc as root made a mistake.
Result<UniqueFd> take_folder(const StateFiles& files) {
  if (is_present(files.folder) && !is_state(files)) {
    const auto is_empty = is_new(files);
    if (!is_empty) return std::unexpected(is_empty.error());
    if (!*is_empty) return fail(Errc::malformed, unknown_folder);
  }
  if (auto r = make_private_folder(files.folder); !r) return std::unexpected(r.error());
  return lock_folder(files.folder);
}

Result<> remove_unfinished(const StateFiles& files) {
  if (is_present(files.enrollment())) return fail(Errc::malformed, unknown_folder);
  for (const auto& path : {files.keys(), files.tls_key(), files.tls_request(), files.descriptor(), files.board()}) {
    std::error_code ec;
    fs::remove_all(path, ec);
    if (ec) return fail(Errc::io, "deleting the files of an interrupted first start", ec.value());
  }
  return {};
}

/// Uses a new TLS key if `given` is null.
Result<> write_public_parts(const StateFiles& files, protocol::Role role, const crypto::DeviceKeys& keys,
                            const transport::TlsKey* given) {
  const auto tls = given != nullptr ? Result<transport::TlsKey>(given->duplicate()) : transport::TlsKey::generate();
  if (!tls) return std::unexpected(tls.error());
  if (auto r = write_file_durably(files.tls_key(), tls->reveal_pem()); !r) return r;
  const auto request = transport::make_request(*tls, keys.identity.id().to_string());
  if (!request) return std::unexpected(request.error());
  if (auto r = write_file_durably(files.tls_request(), as_bytes(*request)); !r) return r;
  const auto point = transport::requested_key(*request);
  if (!point) return std::unexpected(point.error());
  const auto tls_public = crypto::PublicKey::parse(*point);
  if (!tls_public) return std::unexpected(tls_public.error());
  const auto descriptor = protocol::encode_device_descriptor(role, keys, *tls_public);
  if (!descriptor) return std::unexpected(descriptor.error());
  return write_file_durably(files.descriptor(), *descriptor);
}

Result<> write_board(const StateFiles& files, const std::string& serial) {
  return write_file_durably(files.board(), as_bytes(serial + "\n"));
}

Result<> finish_making(const StateFiles& files) {
  if (auto r = sync_folder(files.keys()); !r) return r;
  if (auto r = sync_folder(files.folder); !r) return r;
  sync_entry_of(files.folder);
  if (::unlink(files.unfinished().c_str()) != 0) return fail(Errc::io, "deleting the file 'unfinished'", errno);
  return sync_folder(files.folder);
}

/// Reports a missing file as malformed with the text `lost`.
Result<Bytes> read_part(const fs::path& path, const char* lost) {
  auto content = read_file(path, max_pem);
  if (!content && content.error().code == Errc::not_found) return fail(Errc::malformed, lost);
  return content;
}

Result<> check_parts(const StateFiles& files, protocol::Role role, const crypto::DeviceKeys& keys) {
  if (const auto key = read_tls_key(files); !key) return std::unexpected(key.error());

  const auto request = read_part(files.tls_request(), lost_request);
  if (!request) return std::unexpected(request.error());
  const auto name = transport::requested_name(as_text(*request));
  if (!name || *name != keys.identity.id().to_string())
    return fail(Errc::malformed, "tls.csr is damaged: restore the state folder from a copy");

  const auto bytes = read_part(files.descriptor(), lost_descriptor);
  if (!bytes) return std::unexpected(bytes.error());
  const auto descriptor = protocol::decode_device_descriptor(*bytes);
  if (!descriptor)
    return fail(Errc::malformed, "device.descriptor is damaged: restore the state folder from a copy",
                descriptor.error().native);
  if (descriptor->identity != keys.identity.public_key() || descriptor->hpke != keys.hpke.public_key())
    return fail(Errc::malformed,
                "device.descriptor and the keys belong to different devices: restore the state folder from a copy");
  const auto key = transport::requested_key(as_text(*request));
  if (!key || !descriptor->tls || !equal(*key, descriptor->tls->bytes()))
    return fail(Errc::malformed,
                "device.descriptor and tls.csr have different TLS keys: restore the state folder from a copy");
  if (descriptor->role != role)
    return fail(Errc::wrong_key, "the state folder belongs to a device of another kind: check --state");
  return {};
}

/// Compares the board's serial number with the stored one, or stores it if the folder has none yet.
Result<> check_board(const StateFiles& files, const std::string& serial) {
  const auto recorded = read_file(files.board(), max_serial);
  if (!recorded && recorded.error().code == Errc::exhausted) return fail(Errc::malformed, damaged_board);
  if (!recorded && recorded.error().code != Errc::not_found) return std::unexpected(recorded.error());
  if (!recorded) return serial.empty() ? Result<>() : write_board(files, serial);
  if (recorded->empty() || recorded->back() != std::byte{'\n'}) return fail(Errc::malformed, damaged_board);
  if (as_text(*recorded) != serial + "\n") return fail(Errc::wrong_key, other_board);
  return {};
}

}  // namespace

Result<DeviceState> DeviceState::open(const fs::path& folder, protocol::Role role, const Board* board) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "finding the state folder", ec.value());
  auto lock = take_folder(files);
  if (!lock) return std::unexpected(lock.error());

  const PrivateUmask files_are_private;
  if (is_present(files.resetting()))
    if (auto r = finish_reset(files); !r) return std::unexpected(r.error());
  const bool unfinished = is_present(files.unfinished());
  const auto is_empty = is_new(files);
  if (!is_empty) return std::unexpected(is_empty.error());
  return unfinished || *is_empty ? make(files, std::move(*lock), role, board)
                                 : reopen(files, std::move(*lock), role, board);
}

Result<DeviceState> DeviceState::restore_owner(const fs::path& folder, const Secret<32>& identity,
                                               const transport::TlsKey* tls) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "finding the state folder", ec.value());
  auto lock = take_folder(files);
  if (!lock) return std::unexpected(lock.error());
  const PrivateUmask files_are_private;
  const auto is_empty = is_new(files);
  if (!is_empty) return std::unexpected(is_empty.error());
  if (!*is_empty && !is_present(files.unfinished()))
    return fail(Errc::exists, "the folder already holds a device: choose an empty one");
  return make(files, std::move(*lock), protocol::Role::owner, nullptr, &identity, tls);
}

Result<DeviceState> DeviceState::make(const StateFiles& files, UniqueFd lock, protocol::Role role, const Board* board,
                                      const Secret<32>* identity, const transport::TlsKey* tls) {
  static constexpr std::string_view note = "The keys of this folder are incomplete. The next start creates new ones.\n";
  if (auto r = write_file_durably(files.unfinished(), as_bytes(note)); !r) return std::unexpected(r.error());
  if (auto r = remove_unfinished(files); !r) return std::unexpected(r.error());
  if (auto r = make_private_folder(files.keys()); !r) return std::unexpected(r.error());
  auto store = crypto::KeyStore::open(files.keys());
  if (!store) return std::unexpected(store.error());
  using Exportable = crypto::KeyStore::Exportable;
  auto keys = identity != nullptr
                  ? store->restore_device_keys(*identity)
                  : store->make_device_keys(role == protocol::Role::owner ? Exportable::yes : Exportable::no);
  if (!keys) return std::unexpected(keys.error());
  if (auto r = write_public_parts(files, role, *keys, tls); !r) return std::unexpected(r.error());
  if (board != nullptr && !board->serial.empty())
    if (auto r = write_board(files, board->serial); !r) return std::unexpected(r.error());
  if (auto r = finish_making(files); !r) return std::unexpected(r.error());
  return DeviceState(files, std::move(lock), std::move(*store), *keys);
}

Result<DeviceState> DeviceState::reopen(const StateFiles& files, UniqueFd lock, protocol::Role role,
                                        const Board* board) {
  if (board != nullptr)
    if (auto r = check_board(files, board->serial); !r) return std::unexpected(r.error());
  if (!is_present(files.keys())) {
    const bool others = is_present(files.tls_key()) || is_present(files.descriptor()) || is_present(files.enrollment());
    return fail(Errc::malformed, others ? lost_keys : unknown_folder);
  }
  auto store = crypto::KeyStore::open(files.keys());
  if (!store) return std::unexpected(store.error());
  const auto there = store->has_device_keys();
  if (!there) return std::unexpected(there.error());
  if (!*there) return fail(Errc::malformed, lost_keys);
  auto keys = store->device_keys();
  if (!keys) return std::unexpected(keys.error());
  if (auto r = check_parts(files, role, *keys); !r) return std::unexpected(r.error());
  return DeviceState(files, std::move(lock), std::move(*store), *keys);
}

Result<transport::TlsKey> read_tls_key(const StateFiles& files) {
  auto pem = read_part(files.tls_key(), lost_tls_key);
  if (!pem) return std::unexpected(located(pem.error(), files.tls_key().native()));
  auto key = transport::TlsKey::from_pem(*pem);
  wipe(*pem);
  if (!key) {
    const Error damaged{Errc::malformed, key.error().native,
                        "tls.key is damaged: restore the state folder from a copy"};
    return std::unexpected(located(damaged, files.tls_key().native()));
  }
  return key;
}

}  // namespace sealcam::device
