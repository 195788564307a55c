// SPDX-License-Identifier: Apache-2.0
#include "watch/file_stores.hpp"

#include <algorithm>
#include <limits>

#include "core/file.hpp"
#include "protocol/envelope.hpp"

namespace sealcam::watch {
namespace {

constexpr std::string_view sequence_magic = "SCQ1";
constexpr std::size_t magic_size = 4;

bool has_magic(ByteView file, std::string_view magic) {
  return file.size() >= magic_size && equal(file.first(magic_size), as_bytes(magic));
}

}  // namespace

Result<FileRosterStore> FileRosterStore::open(std::filesystem::path folder) {
  if (auto r = make_private_folder(folder); !r) return std::unexpected(r.error());
  return FileRosterStore(std::move(folder));
}

Result<std::vector<StoredRoster>> FileRosterStore::do_load() const {
  std::vector<StoredRoster> all;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(folder_, ec), end; !ec && it != end; it.increment(ec)) {
    const auto camera = DeviceId::parse(it->path().filename().string());
    if (!camera) continue;  // what a power cut left of a file that was being written
    auto message = read_file(it->path(), protocol::max_control_size);
    if (!message) return std::unexpected(message.error());
    all.push_back({*camera, std::move(*message)});
  }
  if (ec) return fail(Errc::io, "read the folder of rosters", ec.value());
  return all;
}

Result<> FileRosterStore::do_save(const DeviceId& camera, ByteView message) {
  return write_file_durably(folder_ / camera.to_string(), message);
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
  Bytes file(magic_size + 8);
  std::ranges::copy(as_bytes(sequence_magic), file.begin());
  store_be(MutableBytes(file).subspan(magic_size), free_ + count);
  if (auto r = write_file_durably(path_, file); !r) return std::unexpected(r.error());
  const AskSeq first(free_);
  free_ += count;
  return first;
}

}  // namespace sealcam::watch
