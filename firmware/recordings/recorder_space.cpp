// SPDX-License-Identifier: Apache-2.0
/// The recorder's disk space and index.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "recordings/file_archive.hpp"
#include "recordings/recorder_core.hpp"

namespace sealcam::recordings {

namespace fs = std::filesystem;

namespace {

/// The wall clock may be wrong. During the first day after a start or a step of the clock, files are old only in
/// comparison with the newest recording from before. A recording with the wrong time does not make the others old.
constexpr std::chrono::hours trusted_after{24};
constexpr std::chrono::hours max_ahead{24};
constexpr std::chrono::hours max_step{1};
/// In the folder; random. Another disk in its place has another one, or none.
constexpr std::string_view marker_name = ".sealcam-recordings";
constexpr std::size_t marker_size = KeyFolder::marker_size;
/// Other programs may fill the disk. For the reserve, the hub deletes twice what it wrote, because a file system needs
/// more than the content, and this much at once. A debt of larger files becomes smaller with time.
constexpr std::int64_t max_allowance = 16 << 20;
constexpr std::uint64_t reserved_inodes = 1000;

struct Space {
  std::uint64_t bytes = 0;
  bool few_inodes = false;
};

Result<Space> free_space(const fs::path& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return fail_errno("reading the free space", folder);
  // Some file systems have no fixed number of inodes, and report 0.
  const auto inodes = std::min<std::uint64_t>(reserved_inodes, info.f_files / 100);
  return Space{std::uint64_t{info.f_bavail} * info.f_frsize, info.f_files > 0 && info.f_favail < inodes};
}

Result<Bytes> read_or_make_marker(const fs::path& folder) {
  const auto path = folder / marker_name;
  auto marker = read_file(path, marker_size);
  if (marker || marker.error().code != Errc::not_found) return marker;
  Bytes made(marker_size);
  if (auto r = crypto::random(made); !r) return std::unexpected(r.error());
  if (auto r = write_file_durably(path, made); !r) return std::unexpected(r.error());
  return made;
}

/// A file without valid content has only the time of its name.
CaptureTime time_of(const FileName& file) {
  const auto number = [](std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::string_view day = file.day, time = file.name;
  const std::chrono::year_month_day date{std::chrono::year(number(day.substr(0, 4))),
                                         std::chrono::month(static_cast<unsigned>(number(day.substr(5, 2)))),
                                         std::chrono::day(static_cast<unsigned>(number(day.substr(8, 2))))};
  return {std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(number(time.substr(0, 2))) +
          std::chrono::minutes(number(time.substr(3, 2))) + std::chrono::seconds(number(time.substr(6, 2))) +
          std::chrono::milliseconds(number(time.substr(9, 3)))};
}

TimeRange possible_time(const FileName& file) {
  const auto begin = time_of(file);
  return {begin, {begin.since_epoch + max_file_time}};
}

IndexedFile facts_of(const FileName& name, Epoch epoch) {
  return {.file = name, .number = {}, .epoch = epoch, .time = possible_time(name)};
}

}  // namespace

Result<> delete_recording(const fs::path& folder, Index& index, const KeyFolder& keys, const IndexedFile& file,
                          bool key_in_use) {
  const auto others = index.files_of_epoch(file.file.camera, file.epoch);
  if (others && *others <= 1 && !key_in_use)
    if (auto r = keys.remove(file.file.camera, file.epoch); !r) return r;
  // Before the file, so that a power cut does not bring its frames back. A damaged index must not keep a file.
  (void)index.note_deleted(file.file);
  const auto path = file.file.below(folder);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("deleting a recording", path);
  if (auto r = sync_entries_of(path); !r && r.error().code != Errc::not_found) return r;
  ::rmdir(path.parent_path().c_str());  // fails if it has other files
  return index.remove(file.file);
}

Result<> RecorderCore::check_folder() {
  struct stat info{};
  if (::stat(config_.folder.c_str(), &info) != 0) return fail_errno("opening the folder of recordings", config_.folder);
  const std::pair device{static_cast<std::uint64_t>(info.st_dev), static_cast<std::uint64_t>(info.st_ino)};
  if (!device_) {
    // A disk that is not mounted yet leaves an empty folder.
    if (auto known = deps_.keys.marker_of(config_.folder)) {
      const auto marker = read_file(config_.folder / marker_name, marker_size);
      if (!marker || *marker != *known)
        return std::unexpected(located({Errc::not_found, 0,
                                        "not the folder in which this hub recorded: mount its disk, or delete the file "
                                        "recording-keys/folder in the hub's state folder to record here"},
                                       config_.folder.native()));
      marker_ = std::move(*known);
    }
    device_ = device;
  }
  if (*device_ == device) {
    if (!marker_) {
      if (auto marker = read_or_make_marker(config_.folder); marker && marker->size() == marker_size) {
        (void)deps_.keys.store_marker(config_.folder, *marker);  // after an error, again at the next start
        marker_ = std::move(*marker);
      }
    }
    return {};  // a folder that is not writable can be read
  }
  const auto marker = read_file(config_.folder / marker_name, marker_size);
  if (!marker_ || !marker || *marker != *marker_)
    return std::unexpected(
        located({Errc::not_found, 0, "another file system is in the place of the folder"}, config_.folder.native()));
  device_ = device;
  return {};
}

Result<> RecorderCore::make_space() {
  if (auto r = check_folder(); !r) return r;
  const auto scarcity = [&] {
    return std::unexpected(
        located({Errc::exhausted, 0, "the disk has too little free space"}, config_.folder.native()));
  };
  allowance_ = std::min(allowance_ + static_cast<std::int64_t>(2 * std::exchange(written_, 0)), max_allowance);
  for (int deletions = 0;; ++deletions) {
    const auto space = free_space(config_.folder);
    if (!space) return std::unexpected(space.error());
    auto used = usage_.bytes;
    for_each_file([&](const FileWriter& file) { used += file.bytes(); });
    for (const auto& [name, damaged] : damaged_) used += damaged.bytes;
    {
      const std::scoped_lock lock(mutex_);
      status_.disk_free = space->bytes;
      status_.bytes = used;
    }
    const bool scarce = space->bytes < config_.reserve || space->few_inodes;
    const bool above_quota = config_.quota != 0 && used > config_.quota;
    if (!scarce && !above_quota) return {};
    // The oldest file is not known before all files are in the index. Half of the reserve is for this time.
    if (!indexed()) return space->bytes < config_.reserve / 2 ? scarcity() : Result<>();
    if (!above_quota && allowance_ <= 0) return scarcity();
    if (deletions == max_deletions) {
      more_to_delete_ = true;
      return {};
    }
    const auto deleted = delete_oldest();
    if (!deleted) return std::unexpected(deleted.error());
    if (*deleted == 0) return scarce ? scarcity() : Result<>();  // only the files that are being written are left
    if (!above_quota) allowance_ -= static_cast<std::int64_t>(*deleted);
  }
}

/// By the time of its name. One in the future must not stay longer than all others.
std::optional<IndexedFile> RecorderCore::oldest_damaged() const {
  std::optional<IndexedFile> oldest;
  for (const auto& [name, damaged] : damaged_) {
    auto file = facts_of(name, damaged.epoch.value_or(Epoch()));
    file.bytes = damaged.bytes;
    if (file.time.begin > deps_.clock.wall()) file.time.begin = {};
    if (!oldest || file.time.begin < oldest->time.begin) oldest = std::move(file);
  }
  return oldest;
}

/// Returns its bytes; 0 if there is none.
Result<std::uint64_t> RecorderCore::delete_oldest() {
  auto oldest = deps_.index.oldest();
  if (!oldest) {
    check_index(oldest.error());
    return 0;
  }
  if (auto damaged = oldest_damaged(); damaged && (!*oldest || damaged->time.begin < (*oldest)->time.begin))
    *oldest = std::move(damaged);
  if (!*oldest) return 0;
  if (auto r = remove(**oldest); !r) return std::unexpected(r.error());
  const std::scoped_lock lock(mutex_);
  ++status_.deleted_files;
  return std::max<std::uint64_t>((*oldest)->bytes, 1);
}

void RecorderCore::delete_aged() {
  if (config_.max_age.count() == 0 || !indexed()) return;
  const auto newest = deps_.index.newest();
  if (!newest || !*newest) return;
  const auto wall = deps_.clock.wall().since_epoch;
  const auto boot = deps_.clock.boot();
  const auto running = [&] { return std::chrono::duration_cast<std::chrono::microseconds>(boot - steady_->boot); };
  if (!steady_ || std::chrono::abs(wall - steady_->wall.since_epoch - running()) > max_step)
    steady_ = {{wall}, boot, steady_ ? steady_->last : **newest, {}};
  steady_->last = **newest;
  const CaptureTime now{running() >= trusted_after ? wall : std::min(wall, steady_->newest.since_epoch + max_ahead)};
  const CaptureTime limit{now.since_epoch - config_.max_age};
  auto aged = deps_.index.aged(limit, now, max_deletions);
  if (!aged) return check_index(aged.error());
  more_to_delete_ = more_to_delete_ || aged->size() == max_deletions;
  for (const auto& [name, damaged] : damaged_)
    if (possible_time(name).end < limit) aged->push_back(facts_of(name, damaged.epoch.value_or(Epoch())));
  for (const auto& file : *aged) {
    if (auto r = remove(file); !r) return set_fault(r.error());
    forget(file.file);
    const std::scoped_lock lock(mutex_);
    ++status_.deleted_files;
  }
}

/// Deletes a file, and its base key if no other file can need it.
Result<> RecorderCore::remove(const IndexedFile& file) {
  // On another file system the file would seem to be deleted already, and the key would follow.
  if (auto r = check_folder(); !r) return r;
  const auto& camera = file.file.camera;
  const bool needed = may_need(camera, file.epoch);
  if (auto r =
          delete_recording(config_.folder, deps_.index, deps_.keys, file, needed || epoch_in_use(camera, file.epoch));
      !r)
    return r;
  if (needed) unneeded_keys_.emplace(camera, file.epoch);
  if (damaged_.erase(file.file) > 0) {
    update_usage();
    return {};
  }
  usage_.bytes -= std::min(usage_.bytes, file.bytes);
  usage_.files -= std::min<std::uint64_t>(usage_.files, 1);
  const std::scoped_lock lock(mutex_);
  status_.files = usage_.files;
  return {};
}

/// Files of the camera that overlap the range, or may overlap it if their content is not valid.
std::vector<IndexedFile> RecorderCore::unindexed(const DeviceId& camera, const TimeRange& range) {
  std::set<FileName> names(work_.begin(), work_.end());
  names.insert(later_.begin(), later_.end());
  for (const auto& [name, damaged] : damaged_) names.insert(name);
  std::vector<IndexedFile> found;
  for (const auto& name : names) {
    auto file = facts_of(name, Epoch());
    const auto overlaps = [&] { return file.time.begin < range.end && range.begin <= file.time.end; };
    if (name.camera != camera || !overlaps()) continue;
    if (const auto facts = inspector_.inspect(config_.folder, name)) file = facts->file;
    else if (const auto known = damaged_.find(name); known != damaged_.end())
      file.epoch = known->second.epoch.value_or(Epoch());
    const auto indexed = deps_.index.files(camera, range);  // also work: a file that was open at the last start
    const bool listed = indexed && std::ranges::contains(*indexed, name, &IndexedFile::file);
    if (overlaps() && !listed) found.push_back(std::move(file));
  }
  return found;
}

void RecorderCore::forget(const FileName& name) {
  std::erase(work_, name);
  std::erase(later_, name);
  damaged_.erase(name);
}

/// Keys that stayed because files were not in the index.
void RecorderCore::remove_unneeded_keys() {
  if (unneeded_keys_.empty() || !check_folder()) return;
  std::erase_if(unneeded_keys_, [&](const auto& key) {
    const auto& [camera, epoch] = key;
    if (may_need(camera, epoch)) return false;
    const auto files = deps_.index.files_of_epoch(camera, epoch);
    if (!files) return false;
    if (*files > 0 || epoch_in_use(camera, epoch)) return true;  // deleted with the last of these files
    return deps_.keys.remove(camera, epoch).has_value();
  });
}

/// Whether a file that is not in the index may need the key.
bool RecorderCore::may_need(const DeviceId& camera, Epoch epoch) const {
  const auto of_camera = [&](const FileName& name) { return name.camera == camera; };
  return !listed_ || std::ranges::any_of(work_, of_camera) || std::ranges::any_of(later_, of_camera) ||
         std::ranges::any_of(damaged_, [&](const auto& damaged) {
           return damaged.first.camera == camera && damaged.second.epoch.value_or(epoch) == epoch;
         });
}

bool RecorderCore::epoch_in_use(const DeviceId& camera, Epoch epoch) const {
  bool used = false;
  for_each_file(
      [&](const FileWriter& file) { used = used || (file.name().camera == camera && file.epoch().epoch == epoch); });
  return used;
}

bool RecorderCore::put(const FileInspector::Facts& facts) {
  auto r = deps_.index.put(facts);
  if (!r) {
    check_index(r.error());
    r = deps_.index.put(facts);
  }
  if (r) {
    clear_index_fault();
  } else {
    set_index_fault(r.error());
    if (facts.file.reason != EndReason::open) later_.push_back(facts.file.file);
  }
  if (facts.file.reason != EndReason::open) update_usage();
  return r.has_value();
}

/// One file takes up to a second. The frames of this time wait in the queue.
void RecorderCore::scan_next() {
  motion_unknown_ = false;  // after an error, again with the next cleaning
  const auto file = deps_.index.without_motion();
  if (!file) return check_index(file.error());
  if (!*file) return;
  auto motion = scan_motion(config_.folder, inspector_, deps_.keys, (*file)->file, deps_.hub.id());
  if (!motion) {
    // A file that cannot be opened has no motion.
    const bool lost =
        motion.error().code == Errc::not_found && deps_.keys.contains((*file)->file.camera, (*file)->epoch);
    if (lost || motion.error().code == Errc::io || motion.error().code == Errc::permission) return;
    motion = std::vector<Motion>();
  }
  if (auto r = deps_.index.put_motion((*file)->file, *motion); !r) return check_index(r.error());
  motion_unknown_ = true;
}

/// A damaged index is replaced by an empty one, and the files become work again.
void RecorderCore::check_index(const Error& error) {
  if (error.code != Errc::malformed) return;
  deps_.log.warning("recordings: {}; building it again", to_string(error));
  if (auto r = deps_.index.rebuild(); !r) {
    listed_ = false;
    return set_index_fault(r.error());
  }
  (void)deps_.index.note_made(deps_.clock.wall());
  if (listed_) {
    listed_ = false;
    const auto files = list_files(config_.folder);
    if (!files) return;
    work_.clear();
    std::set<FileName> open;
    for_each_file([&](const FileWriter& file) { open.insert(file.name()); });
    for (const auto& file : *files)
      if (!damaged_.contains(file.file) && !open.contains(file.file)) work_.push_back(file.file);
    listed_ = true;
  }
}

void RecorderCore::update_usage() {
  const auto usage = deps_.index.usage();
  if (usage) usage_ = *usage;
  const auto oldest = deps_.index.oldest();
  const std::scoped_lock lock(mutex_);
  status_.files = usage_.files;
  status_.bytes = usage_.bytes;
  status_.oldest = oldest && *oldest ? std::optional((*oldest)->time.begin) : std::nullopt;
}

}  // namespace sealcam::recordings
