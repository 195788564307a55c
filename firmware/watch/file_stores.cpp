// SPDX-License-Identifier: Apache-2.0
#include "watch/file_stores.hpp"

#include <algorithm>
#include <limits>

#include "core/file.hpp"

namespace sealcam::watch {
namespace {

constexpr std::string_view roster_magic = "SCR1";
constexpr std::string_view sequence_magic = "SCQ1";
constexpr std::size_t magic_size = 4;
constexpr std::size_t record_size = DeviceId::size + 8 + sizeof(crypto::Digest);

bool has_magic(ByteView file, std::string_view magic) {
  return file.size() >= magic_size && equal(file.first(magic_size), as_bytes(magic));
}

}  // namespace

Result<FileRosterStore> FileRosterStore::open(std::filesystem::path path) {
  FileRosterStore store(std::move(path));
  const auto file = read_file(store.path_, magic_size + max_cameras * record_size);
  if (!file && file.error().code == Errc::not_found) return store;
  if (!file) return std::unexpected(file.error());
  if (!has_magic(*file, roster_magic) || (file->size() - magic_size) % record_size != 0)
    return fail(Errc::malformed, "file of roster versions");
  for (ByteView rest = ByteView(*file).subspan(magic_size); !rest.empty(); rest = rest.subspan(record_size)) {
    RosterMark mark{RosterVersion(load_be<std::uint64_t>(rest.subspan(DeviceId::size))), {}};
    std::ranges::copy(rest.subspan(DeviceId::size + 8, mark.content.size()), mark.content.begin());
    store.marks_.insert_or_assign(DeviceId(rest.first<DeviceId::size>()), mark);
  }
  return store;
}

Result<std::optional<RosterMark>> FileRosterStore::do_load(const DeviceId& camera) const {
  const auto found = marks_.find(camera);
  if (found == marks_.end()) return std::optional<RosterMark>();
  return std::optional(found->second);
}

Result<> FileRosterStore::do_save(const DeviceId& camera, const RosterMark& mark) {
  auto marks = marks_;
  marks.insert_or_assign(camera, mark);
  if (marks.size() > max_cameras) return fail(Errc::exhausted, "cameras in the file of roster versions");
  Bytes file(as_bytes(roster_magic).begin(), as_bytes(roster_magic).end());
  file.reserve(magic_size + marks.size() * record_size);
  for (const auto& [id, entry] : marks) {
    std::array<std::byte, 8> version{};
    store_be(version, entry.version.value());
    file.insert(file.end(), id.bytes().begin(), id.bytes().end());
    file.insert(file.end(), version.begin(), version.end());
    file.insert(file.end(), entry.content.begin(), entry.content.end());
  }
  if (auto r = write_file_durably(path_, file); !r) return r;
  marks_ = std::move(marks);
  return {};
}

Result<FileSequenceStore> FileSequenceStore::open(std::filesystem::path path) {
  const auto file = read_file(path, magic_size + 8);
  if (!file && file.error().code == Errc::not_found) return FileSequenceStore(std::move(path), 1);
  if (!file) return std::unexpected(file.error());
  if (!has_magic(*file, sequence_magic) || file->size() != magic_size + 8)
    return fail(Errc::malformed, "file of ask numbers");
  return FileSequenceStore(std::move(path), load_be<std::uint64_t>(ByteView(*file).subspan(magic_size)));
}

Result<AskSeq> FileSequenceStore::do_reserve(std::uint64_t count) {
  if (free_ > std::numeric_limits<std::uint64_t>::max() - count) return fail(Errc::exhausted, "numbers of asks");
  Bytes file(as_bytes(sequence_magic).begin(), as_bytes(sequence_magic).end());
  file.resize(magic_size + 8);
  store_be(MutableBytes(file).subspan(magic_size), free_ + count);
  if (auto r = write_file_durably(path_, file); !r) return std::unexpected(r.error());
  const AskSeq first(free_);
  free_ += count;
  return first;
}

}  // namespace sealcam::watch
