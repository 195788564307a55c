// SPDX-License-Identifier: Apache-2.0
#include "recordings/key_folder.hpp"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <iterator>

#include "base/file.hpp"
#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "protocol/archive_key.hpp"

namespace sealcam::recordings {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_name = 64;
constexpr std::size_t base_key_size = crypto::sframe::BaseKey::size();
constexpr std::size_t max_file = crypto::WrappingKey::overhead + base_key_size + max_name;

Bytes context_of(const DeviceId& camera, protocol::Epoch epoch) {
  crypto::CborWriter writer;
  writer.array(3).text("sealcam/1 recording").bytes(camera.bytes()).unsigned_integer(epoch.value());
  return writer.take();
}

fs::path sealed_form_of(const fs::path& archive) { return archive.native() + ".sealed"; }

Result<Secret<32>> archive_key(const fs::path& path, KeyFolder::Create create) {
  auto content = read_file(path, 32);
  if (!content && content.error().code == Errc::not_found && create == KeyFolder::Create::yes) {
    if (std::error_code ec; fs::exists(sealed_form_of(path), ec))
      return std::unexpected(located({Errc::not_found, 0,
                                      "the archive key is missing; the owner opens archive.sealed in this folder with "
                                      "'sealcam account archive-key', or delete this folder for a new key"},
                                     path.native()));
    Secret<32> key;
    if (auto r = crypto::random(key.fill()); !r) return std::unexpected(r.error());
    if (auto r = write_file_durably(path, key.reveal()); !r) return std::unexpected(r.error());
    return key;
  }
  if (!content) return std::unexpected(content.error());
  if (content->size() != 32)
    return std::unexpected(located({Errc::malformed, 0, "the archive key is damaged"}, path.native()));
  Secret<32> key{std::span(*content).first<32>()};
  wipe(*content);
  return key;
}

}  // namespace

Result<KeyFolder> KeyFolder::open(fs::path folder, Create create) {
  if (create == Create::yes)
    if (auto r = make_private_folder(folder); !r) return std::unexpected(r.error());
  const auto secret = archive_key(folder / "archive", create);
  if (!secret) return std::unexpected(secret.error());
  auto key = crypto::WrappingKey::open(*secret);
  if (!key) return std::unexpected(key.error());
  return KeyFolder(std::move(folder), std::move(*key));
}

Result<> KeyFolder::seal_to(const crypto::PublicKey& owner) const {
  const auto archive = folder_ / "archive", file = sealed_form_of(archive);
  if (std::error_code ec; fs::exists(file, ec)) return {};
  const auto secret = archive_key(archive, Create::no);
  if (!secret) return std::unexpected(secret.error());
  const auto sealed = protocol::seal_archive_key(*secret, owner);
  if (!sealed) return std::unexpected(sealed.error());
  return write_file_durably(file, *sealed);
}

fs::path KeyFolder::path(const DeviceId& camera, protocol::Epoch epoch) const {
  return folder_ / camera.to_string() / sealcam::format("{:016x}", epoch.value());
}

Result<> KeyFolder::store(const DeviceId& camera, protocol::Epoch epoch, const EpochKey& key) const {
  std::array<std::byte, base_key_size + max_name> plain{};
  const auto name = std::string_view(key.camera_name).substr(0, max_name);
  std::ranges::copy(key.base_key.reveal(), plain.begin());
  std::ranges::copy(as_bytes(name), plain.begin() + base_key_size);
  const auto wrapped = key_.wrap(context_of(camera, epoch), ByteView(plain).first(base_key_size + name.size()));
  wipe(plain);
  if (!wrapped) return std::unexpected(wrapped.error());
  const auto file = path(camera, epoch);
  if (std::error_code ec; !fs::is_directory(file.parent_path(), ec)) {
    if (auto r = make_private_folder(file.parent_path()); !r) return r;
    if (auto r = sync_entries_of(file.parent_path()); !r) return r;
  }
  return write_file_durably(file, *wrapped);
}

Result<EpochKey> KeyFolder::load(const DeviceId& camera, protocol::Epoch epoch) const {
  const auto file = path(camera, epoch);
  const auto wrapped = read_file(file, max_file);
  if (!wrapped) return std::unexpected(wrapped.error());
  if (wrapped->size() < crypto::WrappingKey::overhead + base_key_size)
    return std::unexpected(located({Errc::malformed, 0, "a key of a recording is damaged"}, file.native()));
  std::array<std::byte, base_key_size + max_name> room{};
  const auto plain = MutableBytes(room).first(wrapped->size() - crypto::WrappingKey::overhead);
  if (auto r = key_.unwrap(context_of(camera, epoch), *wrapped, plain); !r)
    return std::unexpected(located(r.error(), file.native()));
  EpochKey key{crypto::sframe::BaseKey(ByteView(room).first<base_key_size>()),
               std::string(as_text(plain.subspan(base_key_size)))};
  wipe(room);
  return key;
}

Result<> KeyFolder::remove(const DeviceId& camera, protocol::Epoch epoch) const {
  const auto file = path(camera, epoch);
  if (::unlink(file.c_str()) == 0) return sync_entries_of(file);
  if (errno == ENOENT) return {};
  return fail_errno("deleting a key of a recording", file);
}

std::optional<Bytes> KeyFolder::marker_of(const fs::path& recordings) const {
  const auto content = read_file(marker_path(), marker_size + PATH_MAX);
  if (!content || content->size() < marker_size) return std::nullopt;
  const auto [marker, path] = std::pair(ByteView(*content).first(marker_size), ByteView(*content).subspan(marker_size));
  if (as_text(path) != recordings.native()) return std::nullopt;
  return Bytes(marker.begin(), marker.end());
}

Result<> KeyFolder::store_marker(const fs::path& recordings, ByteView marker) const {
  Bytes content(marker.begin(), marker.end());
  std::ranges::copy(as_bytes(recordings.native()), std::back_inserter(content));
  return write_file_durably(marker_path(), content);
}

bool KeyFolder::contains(const DeviceId& camera, protocol::Epoch epoch) const {
  std::error_code ec;
  return fs::is_regular_file(path(camera, epoch), ec);
}

}  // namespace sealcam::recordings
