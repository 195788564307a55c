// SPDX-License-Identifier: Apache-2.0
#include "pairing/device_state.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "pairing/state_folder.hpp"
#include "transport/certificate.hpp"

namespace sealcam::pairing {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest_pem = 16U << 10;
constexpr std::size_t largest_serial = 256;

constexpr const char* lost_keys =
    "the state folder lost its keys: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_tls_key =
    "the state folder lost tls.key: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_request =
    "the state folder lost tls.csr: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* lost_card =
    "the state folder lost device.card: restore the folder from a copy, or reset it to start as a new device";
constexpr const char* other_board =
    "the state folder belongs to another board (its serial number is in the file 'board'): put the card back into that "
    "board, or reset to start as a new device";
constexpr const char* damaged_board =
    "the file 'board' is damaged: restore the state folder from a copy, or reset to start as a new device";
constexpr const char* foreign_folder =
    "the state folder holds other files but no keys: restore the folder from a copy, or choose an empty one";

/// PSA's file store makes its files with the process's umask.
class PrivateUmask {
 public:
  PrivateUmask() : before_(::umask(0077)) {}
  PrivateUmask(const PrivateUmask&) = delete;
  PrivateUmask& operator=(const PrivateUmask&) = delete;
  ~PrivateUmask() { ::umask(before_); }

 private:
  mode_t before_;
};

/// The folder's own entry in its parent. A parent that may be passed but not read cannot be synced.
void sync_entry_of(const fs::path& folder) {
  UniqueFd fd(::open(folder.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) (void)::fsync(fd.get());
}

/// Files that may lie in a folder that is new: foreign ones, and marks without what they mark.
bool harmless(const fs::path& name) {
  static constexpr std::array<std::string_view, 3> marks = {"unfinished", "unfinished.new", "resetting.new"};
  return is_foreign_file(name) || std::ranges::contains(marks, name.string());
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

/// The folder is ours alone from here on, and locked. One with other people's files is left as it is, mode and all: who
/// says --state /etc as root means something else.
Result<UniqueFd> take_folder(const StateFiles& files) {
  if (is_present(files.folder) && !is_state(files)) {
    const auto is_empty = is_new(files);
    if (!is_empty) return std::unexpected(is_empty.error());
    if (!*is_empty) return fail(Errc::malformed, foreign_folder);
  }
  if (auto r = make_private_folder(files.folder); !r) return std::unexpected(r.error());
  return lock_folder(files.folder);
}

Result<> remove_leftovers(const StateFiles& files) {
  if (is_present(files.enrolment())) return fail(Errc::malformed, foreign_folder);
  for (const auto& path : {files.keys(), files.tls_key(), files.tls_request(), files.card(), files.board()}) {
    std::error_code ec;
    fs::remove_all(path, ec);
    if (ec) return fail(Errc::io, "removing what an interrupted first start left", ec.value());
  }
  return {};
}

Result<> write_public_parts(const StateFiles& files, protocol::Role role, const crypto::DeviceKeys& keys) {
  const auto tls = transport::TlsKey::generate();
  if (!tls) return std::unexpected(tls.error());
  if (auto r = write_file_durably(files.tls_key(), tls->reveal_pem()); !r) return r;
  const auto request = transport::make_request(*tls, keys.identity.id().to_string());
  if (!request) return std::unexpected(request.error());
  if (auto r = write_file_durably(files.tls_request(), as_bytes(*request)); !r) return r;
  const auto card = protocol::encode_card(role, keys);
  if (!card) return std::unexpected(card.error());
  return write_file_durably(files.card(), *card);
}

Result<> write_board(const StateFiles& files, const std::string& serial) {
  return write_file_durably(files.board(), as_bytes(serial + "\n"));
}

Result<> finish_making(const StateFiles& files) {
  if (auto r = sync_folder(files.keys()); !r) return r;
  if (auto r = sync_folder(files.folder); !r) return r;
  sync_entry_of(files.folder);
  if (::unlink(files.unfinished().c_str()) != 0) return fail(Errc::io, "finishing the state folder", errno);
  return sync_folder(files.folder);
}

/// Text of a missing file becomes `lost`, other errors stay.
Result<Bytes> read_part(const fs::path& path, const char* lost) {
  auto content = read_file(path, largest_pem);
  if (!content && content.error().code == Errc::not_found) return fail(Errc::malformed, lost);
  return content;
}

Result<> check_parts(const StateFiles& files, protocol::Role role, const crypto::DeviceKeys& keys) {
  auto tls = read_part(files.tls_key(), lost_tls_key);
  if (!tls) return std::unexpected(tls.error());
  const auto tls_key = transport::TlsKey::from_pem(*tls);
  wipe(*tls);
  if (!tls_key)
    return fail(Errc::malformed, "tls.key is damaged: restore the state folder from a copy", tls_key.error().native);

  const auto request = read_part(files.tls_request(), lost_request);
  if (!request) return std::unexpected(request.error());
  const auto name = transport::requested_name(as_text(*request));
  if (!name || *name != keys.identity.id().to_string())
    return fail(Errc::malformed, "tls.csr is damaged: restore the state folder from a copy");

  const auto bytes = read_part(files.card(), lost_card);
  if (!bytes) return std::unexpected(bytes.error());
  const auto card = protocol::decode_card(*bytes);
  if (!card)
    return fail(Errc::malformed, "device.card is damaged: restore the state folder from a copy", card.error().native);
  if (card->identity != keys.identity.public_key() || card->hpke != keys.hpke.public_key())
    return fail(Errc::malformed, "device.card and the keys beside it belong to different devices");
  if (card->role != role) return fail(Errc::wrong_key, "this state folder belongs to a device of another kind");
  return {};
}

/// What is recorded of the board, and what this one says, are compared; a folder without a record gets one.
Result<> check_board(const StateFiles& files, const std::string& serial) {
  const auto recorded = read_file(files.board(), largest_serial);
  if (!recorded && recorded.error().code == Errc::exhausted) return fail(Errc::malformed, damaged_board);
  if (!recorded && recorded.error().code != Errc::not_found) return std::unexpected(recorded.error());
  if (!recorded) return serial.empty() ? Result<>() : write_board(files, serial);
  if (recorded->empty() || recorded->back() != std::byte{'\n'}) return fail(Errc::malformed, damaged_board);
  if (as_text(*recorded) != serial + "\n") return fail(Errc::wrong_key, other_board);
  return {};
}

}  // namespace

bool is_present(const fs::path& path) {
  std::error_code ec;
  return fs::exists(fs::symlink_status(path, ec));
}

bool is_foreign_file(const fs::path& name) {
  static constexpr std::array<std::string_view, 4> names = {"lock", "lost+found", "camera.json", "hub.json"};
  const auto text = name.string();
  return text.starts_with('.') || text.ends_with(".log") || std::ranges::contains(names, text);
}

bool is_state(const StateFiles& files) {
  for (const auto& path : {files.keys(), files.tls_key(), files.tls_request(), files.card(), files.enrolment(),
                           files.unfinished(), files.resetting()})
    if (is_present(path)) return true;
  return false;
}

Result<> sync_entries(const fs::path& folder) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(Errc::io, "fsync of the state folder", errno);
  return {};
}

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

Result<DeviceState> DeviceState::restore_owner(const fs::path& folder, const Secret<32>& identity) {
  std::error_code ec;
  const StateFiles files{fs::absolute(folder, ec).lexically_normal()};
  if (ec) return fail(Errc::io, "finding the state folder", ec.value());
  auto lock = take_folder(files);
  if (!lock) return std::unexpected(lock.error());
  const PrivateUmask files_are_private;
  const auto is_empty = is_new(files);
  if (!is_empty) return std::unexpected(is_empty.error());
  if (!*is_empty && !is_present(files.unfinished())) return fail(Errc::exists, "the folder holds a device already");
  return make(files, std::move(*lock), protocol::Role::owner, nullptr, &identity);
}

Result<DeviceState> DeviceState::make(const StateFiles& files, UniqueFd lock, protocol::Role role, const Board* board,
                                      const Secret<32>* identity) {
  static constexpr std::string_view note =
      "The keys of this folder are not complete; the next start makes them anew.\n";
  if (auto r = write_file_durably(files.unfinished(), as_bytes(note)); !r) return std::unexpected(r.error());
  if (auto r = remove_leftovers(files); !r) return std::unexpected(r.error());
  if (auto r = make_private_folder(files.keys()); !r) return std::unexpected(r.error());
  auto store = crypto::KeyStore::open(files.keys());
  if (!store) return std::unexpected(store.error());
  using Exportable = crypto::KeyStore::Exportable;
  auto keys = identity != nullptr
                  ? store->restore_device_keys(*identity)
                  : store->make_device_keys(role == protocol::Role::owner ? Exportable::yes : Exportable::no);
  if (!keys) return std::unexpected(keys.error());
  if (auto r = write_public_parts(files, role, *keys); !r) return std::unexpected(r.error());
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
    const bool others = is_present(files.tls_key()) || is_present(files.card()) || is_present(files.enrolment());
    return fail(Errc::malformed, others ? lost_keys : foreign_folder);
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

Result<std::string> DeviceState::tls_key_pem() const {
  auto content = read_file(files_.tls_key(), largest_pem);
  if (!content) return std::unexpected(content.error());
  std::string pem(as_text(*content));
  wipe(*content);
  if (!pem.contains("PRIVATE KEY"))
    return fail(Errc::malformed, "tls.key is damaged: restore the state folder from a copy");
  return pem;
}

}  // namespace sealcam::pairing
