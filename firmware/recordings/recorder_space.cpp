// SPDX-License-Identifier: Apache-2.0
/// The recorder's disk space, index and faults.
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

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
constexpr std::chrono::seconds recording_time{10};

Result<std::uint64_t> free_bytes(const fs::path& folder) {
  struct statvfs info{};
  if (::statvfs(folder.c_str(), &info) != 0) return fail_errno("reading the free space", folder);
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

RecorderFault fault_of(const Error& error) {
  switch (error.native) {
    case ENOSPC:
    case EDQUOT: return RecorderFault::full;
    case EROFS: return RecorderFault::read_only;
    default: break;
  }
  if (error.code == Errc::exhausted) return RecorderFault::full;
  if (error.code == Errc::permission) return RecorderFault::read_only;
  return error.code == Errc::not_found ? RecorderFault::missing : RecorderFault::io;
}

}  // namespace

Result<> delete_recording(const fs::path& folder, Index& index, const KeyFolder& keys, const IndexedFile& file,
                          bool key_in_use) {
  const auto others = index.files_of_epoch(file.file.camera, file.epoch);
  if (others && *others <= 1 && !key_in_use)
    if (auto r = keys.remove(file.file.camera, file.epoch); !r) return r;
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
  if (!device_) device_ = device;
  if (*device_ != device)
    return std::unexpected(
        located({Errc::not_found, 0, "another file system is in the place of the folder"}, config_.folder.native()));
  return {};
}

Result<> RecorderCore::make_space() {
  for (;;) {
    const auto available = free_bytes(config_.folder);
    if (!available) return std::unexpected(available.error());
    auto used = usage_.bytes;
    for (const auto& [id, track] : tracks_)
      if (track.file) used += track.file->bytes();
    {
      const std::scoped_lock lock(mutex_);
      status_.disk_free = *available;
      status_.bytes = used;
    }
    const bool scarce = *available < config_.reserve;
    if (!scarce && (config_.quota == 0 || used <= config_.quota)) return {};
    const auto deleted = delete_oldest();
    if (!deleted) return std::unexpected(deleted.error());
    if (*deleted) continue;
    if (scarce)
      return std::unexpected(
          located({Errc::exhausted, 0, "the disk has too little free space"}, config_.folder.native()));
    return {};  // only the files that are being written are left
  }
}

Result<bool> RecorderCore::delete_oldest() {
  auto oldest = deps_.index.oldest();
  if (!oldest) {
    check_index(oldest.error());
    return false;
  }
  if (!*oldest) return false;
  const auto& file = **oldest;
  if (auto r =
          delete_recording(config_.folder, deps_.index, deps_.keys, file, epoch_in_use(file.file.camera, file.epoch));
      !r)
    return std::unexpected(r.error());
  usage_.bytes -= std::min(usage_.bytes, file.bytes);
  usage_.files -= std::min<std::uint64_t>(usage_.files, 1);
  const std::scoped_lock lock(mutex_);
  ++status_.deleted_files;
  status_.files = usage_.files;
  return true;
}

void RecorderCore::delete_aged() {
  if (config_.max_age.count() == 0) return;
  const auto newest = deps_.index.newest();
  if (!newest || !*newest) return;
  const auto wall = deps_.clock.wall().since_epoch;
  const auto boot = deps_.clock.boot();
  const auto running = [&] { return std::chrono::duration_cast<std::chrono::microseconds>(boot - steady_->boot); };
  if (!steady_ || std::chrono::abs(wall - steady_->wall.since_epoch - running()) > max_step)
    steady_ = {{wall}, boot, steady_ ? steady_->last : **newest, {}};
  steady_->last = **newest;
  const auto now = running() >= trusted_after ? wall : std::min(wall, steady_->newest.since_epoch + max_ahead);
  for (;;) {
    const auto oldest = deps_.index.oldest();
    if (!oldest || !*oldest || (*oldest)->time.end.since_epoch >= now - config_.max_age) return;
    const auto deleted = delete_oldest();
    if (!deleted) return set_fault(deleted.error());
    if (!*deleted) return;
  }
}

bool RecorderCore::epoch_in_use(const DeviceId& camera, Epoch epoch) const {
  const auto found = tracks_.find(camera);
  return found != tracks_.end() && found->second.file && found->second.file->epoch().epoch == epoch;
}

void RecorderCore::put(const FileInspector::Facts& facts) {
  if (auto r = deps_.index.put(facts); !r) {
    check_index(r.error());
    if (r = deps_.index.put(facts); !r) {
      set_fault(RecorderFault::index, r.error());
      if (facts.file.reason != EndReason::open) work_.push_back(facts.file.file);
    }
  }
  if (facts.file.reason != EndReason::open) update_usage();
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
  if (auto r = deps_.index.rebuild(); !r) return set_fault(RecorderFault::index, r.error());
  if (listed_) {
    listed_ = false;
    const auto files = list_files(config_.folder);
    if (!files) return;
    work_.clear();
    for (const auto& file : *files)
      if (!damaged_.contains(file.file) && std::ranges::none_of(tracks_, [&](const auto& t) {
            return t.second.file && t.second.file->name() == file.file;
          }))
        work_.push_back(file.file);
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

void RecorderCore::set_fault(const Error& error) {
  // The more exact fault of a key or of the index stays.
  if (fault_ == RecorderFault::index && error.place && error.place->find("recording-keys") != std::string::npos) return;
  set_fault(fault_of(error), error);
}

void RecorderCore::set_fault(RecorderFault fault, const Error& error) {
  retry_ = deps_.clock.monotonic() + retry_time;
  const bool is_new = fault_ != fault;
  fault_ = fault;
  if (is_new) deps_.log.error("recordings: not recording ({}): {}", name(fault), to_string(error));
  const std::scoped_lock lock(mutex_);
  if (is_new) status_.fault_since = deps_.clock.wall();
  status_.fault = fault;
  status_.fault_text = to_string(error);
}

void RecorderCore::clear_fault() {
  if (!fault_) return;
  deps_.log.info("recordings: recording again");
  fault_.reset();
  const std::scoped_lock lock(mutex_);
  reset_fault();
}

void RecorderCore::reset_fault() {
  status_.fault = RecorderFault::none;
  status_.fault_since.reset();
  status_.fault_text.clear();
}

Status RecorderCore::status() const {
  const auto now = deps_.clock.wall();
  const std::scoped_lock lock(mutex_);
  auto status = status_;
  for (auto& camera : status.cameras)
    camera.recording = camera.newest && now.since_epoch - camera.newest->since_epoch < recording_time;
  return status;
}

}  // namespace sealcam::recordings
