// SPDX-License-Identifier: Apache-2.0
#include "recordings/listing.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <ranges>
#include <set>

#include "base/file.hpp"
#include "recordings/archive.hpp"

namespace sealcam::recordings {

namespace fs = std::filesystem;

namespace {

std::unexpected<Error> list_failed(const std::error_code& ec, const fs::path& path) {
  return fail_errno("listing recordings", path, ec.value());
}

/// The names in a folder that `accept` accepts, in ascending order. A folder that disappears counts as empty.
template <class Accept>
Result<std::vector<std::string>> names_in(const fs::path& folder, Accept accept) {
  std::vector<std::string> names;
  std::error_code ec;
  fs::directory_iterator entries(folder, ec);
  for (; !ec && entries != fs::directory_iterator(); entries.increment(ec))
    if (auto name = entries->path().filename().string(); accept(name)) names.push_back(std::move(name));
  if (ec && ec.value() != ENOENT && ec.value() != ENOTDIR) return list_failed(ec, folder);
  std::ranges::sort(names);
  return names;
}

}  // namespace

namespace {

/// Of one day.
Result<> list_day(const fs::path& folder, const DeviceId& camera, const std::string& day,
                  std::vector<ListedFile>& files) {
  const auto below = folder / camera.to_string() / day;
  const auto names = names_in(below, is_file_name);
  if (!names) return std::unexpected(names.error());
  for (const auto& name : *names) {
    std::error_code ec;
    const fs::directory_entry entry(below / name, ec);
    if (ec || !entry.is_regular_file(ec) || entry.is_symlink(ec)) continue;
    const auto size = entry.file_size(ec);
    if (!ec) files.push_back({{camera, day, name}, size});
  }
  return {};
}

}  // namespace

Result<std::vector<ListedFile>> list_files(const fs::path& folder, const DeviceId& camera) {
  const auto days = names_in(folder / camera.to_string(), is_day_name);
  if (!days) return std::unexpected(days.error());
  std::vector<ListedFile> files;
  for (const auto& day : *days)
    if (auto r = list_day(folder, camera, day, files); !r) return std::unexpected(r.error());
  return files;
}

Result<std::vector<ListedFile>> list_files(const fs::path& folder) {
  auto listing = FolderListing::begin(folder);
  if (!listing) return std::unexpected(listing.error());
  for (;;) {
    const auto ended = listing->step();
    if (!ended) return std::unexpected(ended.error());
    if (*ended) return listing->take();
  }
}

Result<FolderListing> FolderListing::begin(fs::path folder) {
  std::error_code ec;
  if (!fs::is_directory(folder, ec))
    return list_failed(ec ? ec : std::error_code(ENOENT, std::generic_category()), folder);
  const auto names = names_in(folder, [](const std::string& name) { return DeviceId::parse(name).has_value(); });
  if (!names) return std::unexpected(names.error());
  std::vector<DeviceId> cameras;
  for (const auto& name : *names | std::views::reverse) cameras.push_back(*DeviceId::parse(name));
  return FolderListing(std::move(folder), std::move(cameras));
}

Result<bool> FolderListing::step() {
  if (!days_.empty()) {
    const auto day = std::move(days_.back());
    days_.pop_back();
    if (auto r = list_day(folder_, camera_, day, files_); !r) return std::unexpected(r.error());
    return false;
  }
  if (cameras_.empty()) return true;
  camera_ = cameras_.back();
  cameras_.pop_back();
  auto days = names_in(folder_ / camera_.to_string(), is_day_name);
  if (!days) return std::unexpected(days.error());
  days_ = std::move(*days);
  std::ranges::reverse(days_);
  return false;
}

Result<Difference> compare(Index& index, const std::vector<ListedFile>& files) {
  Difference difference;
  std::map<FileName, const ListedFile*> listed;
  for (const auto& file : files) listed.emplace(file.file, &file);
  const auto cameras = index.cameras();
  if (!cameras) return std::unexpected(cameras.error());
  std::set<FileName> known;
  for (const auto& camera : *cameras) {
    const auto indexed = index.files(camera, all_times);
    if (!indexed) return std::unexpected(indexed.error());
    for (const auto& file : *indexed) {
      const auto found = listed.find(file.file);
      if (found == listed.end()) difference.missing.push_back(file.file);
      else if (file.reason != EndReason::open && found->second->bytes == file.bytes) known.insert(file.file);
    }
  }
  for (const auto& file : files)
    if (!known.contains(file.file)) difference.unknown.push_back(file);
  return difference;
}

}  // namespace sealcam::recordings
