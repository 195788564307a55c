// SPDX-License-Identifier: Apache-2.0
// The deletions of kept frames, and the room that they make.
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/format.hpp"
#include "device/past_store.hpp"

namespace sealcam::device {

namespace fs = std::filesystem;

namespace {

constexpr auto what_deletes = "deleting kept frames";

/// Deletes at most `left` files below the folder, and then the folder. False if something is left.
bool delete_some(const fs::path& folder, std::size_t& left, std::error_code& error) {
  std::vector<fs::path> paths;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(folder, ec), end; !ec && it != end && paths.size() < left; it.increment(ec))
    if (!fs::is_directory(it->symlink_status(ec))) paths.push_back(it->path());
  left -= paths.size();
  for (const auto& path : paths)
    if (!fs::remove(path, ec) && ec) error = ec;
  if (left == 0 || error) return false;
  fs::remove_all(folder, error);
  return !error;
}

}  // namespace

Result<> PastPrivacyStore::do_store(bool on) {
  Result<> cleared;
  if (!on && past_ != nullptr) cleared = past_->clear();
  else if (!on && !folder_.empty()) cleared = PastFolder::erase(folder_);
  return cleared ? privacy_.store(on) : cleared;
}

Result<> PastFolder::erase(fs::path folder) {
  PastFolder store(std::move(folder), {}, {});
  if (auto r = store.list(); !r) return r;
  // A power cut during the slow part leaves only what each start deletes.
  if (auto r = store.settle(); !r) return r;
  std::error_code ec;
  fs::remove_all(store.root_, ec);
  return ec ? fail_errno(what_deletes, store.root_, ec.value()) : Result<>();
}

/// To make room. That need not be durable.
Result<> PastFolder::delete_file(std::size_t index) {
  const File file = files_[index];
  forget(index);
  return unlink_file(file);
}

/// And the grants, with the last file of the epoch.
Result<> PastFolder::unlink_file(const File& file) {
  const auto path = path_of(file);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(what_deletes, path);
  if (std::ranges::contains(files_, file.epoch, &File::epoch) ||
      std::ranges::contains(dropped_, file.epoch, &File::epoch))
    return {};
  std::error_code ec;
  fs::remove_all(folder_of(file.epoch), ec);
  return {};
}

/// The one with the fewest bytes. It may have many files, so tick() deletes them. That need not be durable: a start
/// drops a range again.
void PastFolder::drop_range() {
  std::size_t begin = 0, count = 0;
  std::uint64_t min_bytes = 0;
  for (std::size_t i = 0, end = 0; i < files_.size(); i = end) {
    std::uint64_t bytes = files_[i].bytes;
    for (end = i + 1; end < files_.size() && files_[end].follows(files_[end - 1]); ++end) bytes += files_[end].bytes;
    if (count > 0 && bytes >= min_bytes) continue;
    begin = i;
    count = end - i;
    min_bytes = bytes;
  }
  for (; count > 0; --count) {
    dropped_.push_back(files_[begin]);
    forget(begin);
  }
}

/// Renames the folders of `to_delete_`, and makes that durable.
Result<> PastFolder::settle() {
  std::set<fs::path> parents;
  for (const auto& path : to_delete_) {
    const auto place = root_ / sealcam::format("{}{:08x}", deleted_prefix, next_deleted_++);
    if (::rename(path.c_str(), place.c_str()) == 0) deleted_.push_back(place);
    else if (errno != ENOENT) return fail_errno(what_deletes, path);
    parents.insert({root_, path.parent_path()});
  }
  for (const auto& parent : parents)
    if (auto r = sync_entries_of(parent / deleted_prefix); !r && r.error().code != Errc::not_found) return r;
  to_delete_.clear();
  return {};
}

Result<> PastFolder::do_remove(std::span<const Epoch> epochs) {
  for (const Epoch epoch : epochs) {
    for (std::size_t i = files_.size(); i-- > 0;)
      if (files_[i].epoch == epoch) forget(i);
    std::erase_if(dropped_, [&](const File& file) { return file.epoch == epoch; });
    to_delete_.push_back(folder_of(epoch));
  }
  return settle();
}

Result<> PastFolder::do_clear() {
  while (!files_.empty()) forget(files_.size() - 1);
  dropped_.clear();
  if (!std::ranges::contains(to_delete_, kept())) to_delete_.push_back(kept());
  return settle();
}

Result<> PastFolder::do_set_digest(const crypto::Digest& digest) {
  const auto cleared = digest == digest_ ? Result<>() : do_clear();
  digest_ = digest;
  return cleared;
}

Result<> PastFolder::do_tick() {
  if (auto r = settle(); !r) return r;
  std::size_t left = max_unlinks;
  if (auto r = free_some(left); !r) return r;
  const bool look = ticks_++ % age_interval == 0;
  // A limit may be lower than at an earlier start.
  for (; left > 0 && !files_.empty() && (do_bytes() > limits_.bytes || (look && too_old(files_.front()))); --left)
    if (auto r = delete_file(0); !r) return r;
  return {};
}

/// By the clock of the camera, also at the time when it wrote the file.
bool PastFolder::too_old(const File& file) const {
  std::error_code ec;
  const auto written = fs::last_write_time(path_of(file), ec);
  return !ec && fs::file_time_type::clock::now() - written > max_age;
}

/// Deletes at most `left` files that are hidden already.
Result<> PastFolder::free_some(std::size_t& left) {
  for (; left > 0 && !dropped_.empty(); --left) {
    const File file = dropped_.back();
    dropped_.pop_back();
    if (auto r = unlink_file(file); !r) {
      dropped_.push_back(file);
      return r;
    }
  }
  std::error_code error;
  while (left > 0 && !deleted_.empty() && !error)
    if (delete_some(deleted_.back(), left, error)) deleted_.pop_back();
  return error ? fail_errno(what_deletes, deleted_.back(), error.value()) : Result<>();
}

/// For `needed` more bytes. Deletes `max_unlinks` files at most, because the caller serves the network too.
Result<> PastFolder::make_room(std::uint64_t needed) {
  for (std::size_t left = max_unlinks;;) {
    struct statvfs info{};
    if (::statvfs(root_.c_str(), &info) != 0) return fail_errno("reading the free space", root_);
    const auto available = std::uint64_t{info.f_bavail} * info.f_frsize;
    const bool fits = do_bytes() + needed <= limits_.bytes;
    if (fits && available >= limits_.reserve + needed) return {};
    const bool hidden = !dropped_.empty() || (fits && !deleted_.empty());
    if (left > 0 && hidden) {
      if (auto r = free_some(left); !r) return r;
      continue;
    }
    if (left == 0 || files_.empty())
      return std::unexpected(located({Errc::exhausted, 0, "too little free space"}, root_.native()));
    --left;
    if (auto r = delete_file(0); !r) return r;
  }
}

}  // namespace sealcam::device
