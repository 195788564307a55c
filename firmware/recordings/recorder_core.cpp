// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder_core.hpp"

#include <algorithm>

namespace sealcam::recordings {

using protocol::FrameKind;

namespace {

constexpr std::size_t max_left_out = 1000;
constexpr std::chrono::seconds cleaning_interval{60};
constexpr std::chrono::seconds slow_time{60};

}  // namespace

RecorderCore::RecorderCore(RecorderConfig config, const RecorderDependencies& deps)
    : config_(std::move(config)), deps_(deps), inspector_(deps.account) {
  status_.quota = config_.quota;
}

void RecorderCore::start() {
  if (auto r = check_folder(); !r) return set_fault(r.error());
  const auto files = list_files(config_.folder);
  if (!files) return set_fault(files.error());
  auto difference = compare(deps_.index, *files);
  if (!difference) {
    check_index(difference.error());
    difference = compare(deps_.index, *files);
    if (!difference) return set_fault(RecorderFault::index, difference.error());
  }
  for (const auto& file : difference->missing) (void)deps_.index.remove(file);
  std::set<FileName> open;
  for (const auto& [id, track] : tracks_)
    if (track.file) open.insert(track.file->name());
  work_.clear();
  for (const auto& file : difference->unknown)
    if (!damaged_.contains(file.file) && !open.contains(file.file)) work_.push_back(file.file);
  if (work_.size() > 1) deps_.log.info("recordings: adding {} files to the index", work_.size());
  listed_ = true;
  update_usage();
  clear_fault();
}

void RecorderCore::add(const std::shared_ptr<const RecordedEpoch>& epoch, FrameKind kind, Counter counter,
                       ByteView message, CaptureTime now, const PictureMark& mark) {
  const auto& camera = epoch->route.camera;
  auto& track = tracks_[camera];
  if (!may_try()) return drop(track);
  const auto stored = [&]() -> Result<> {
    if (!listed_) start();
    if (track.epoch != epoch)
      if (auto r = begin_epoch(track, epoch); !r) return r;
    if (track.file && track.file->is_full(kind, message.size(), now))
      if (auto r = finish_file(track, EndReason::full); !r) return r;
    if (track.wait_for_key && kind != FrameKind::key) {
      drop(track);
      return {};
    }
    if (!track.file)
      if (auto r = begin_file(track, now); !r) return r;
    track.wait_for_key = false;
    if (auto r = track.file->add(kind, counter, message, now, mark); !r) return r;
    {
      const std::scoped_lock lock(mutex_);
      ++status_.stored_frames;
      status_.stored_bytes += message.size();
      for (auto& recorded : status_.cameras)
        if (recorded.camera == camera) recorded.newest = now;
    }
    if (track.file->synced_groups() != track.synced_groups) on_synced(track);
    return {};
  }();
  if (stored) return;
  set_fault(stored.error());
  abandon(track);
  drop(track);
}

void RecorderCore::leave_out(const RecordedEpoch& epoch, Counter counter) {
  auto& track = tracks_[epoch.route.camera];
  if (track.file && track.epoch->epoch == epoch.epoch) track.file->leave_out(counter);
  else if (track.epoch && track.epoch->epoch == epoch.epoch && track.left_out.size() < max_left_out)
    track.left_out.push_back(counter);
}

void RecorderCore::note_dropped(const DeviceId& camera, std::uint64_t frames) {
  tracks_[camera].wait_for_key = true;
  slow_until_ = deps_.clock.monotonic() + slow_time;
  const std::scoped_lock lock(mutex_);
  status_.dropped_frames += frames;
  if (status_.fault != RecorderFault::none) return;
  status_.fault = RecorderFault::slow;
  status_.fault_since = deps_.clock.wall();
  status_.fault_text = "the disk is slower than the pictures arrive";
}

void RecorderCore::drop(Track& track) {
  track.wait_for_key = true;
  const std::scoped_lock lock(mutex_);
  ++status_.dropped_frames;
}

Result<> RecorderCore::begin_epoch(Track& track, const std::shared_ptr<const RecordedEpoch>& epoch) {
  if (track.file)
    if (auto r = finish_file(track, EndReason::epoch); !r) return r;
  track.epoch = epoch;
  track.next.reset();
  track.left_out.clear();
  return {};
}

Result<> RecorderCore::begin_file(Track& track, CaptureTime now) {
  if (auto r = check_folder(); !r) return r;
  if (auto r = make_space(); !r) return r;
  const auto& epoch = *track.epoch;
  // Before each file, because the key is deleted with the last file that needs it.
  if (!deps_.keys.contains(epoch.route.camera, epoch.epoch)) {
    EpochKey key{crypto::sframe::BaseKey(epoch.base_key.reveal()), epoch.camera_name};
    if (auto r = deps_.keys.store(epoch.route.camera, epoch.epoch, key); !r) {
      set_fault(RecorderFault::index, r.error());
      return r;
    }
  }
  const auto number = next_number(epoch.route.camera, track);
  if (!number) return std::unexpected(number.error());
  auto file = FileWriter::create(config_.folder, track.epoch, *number, now, track.next);
  if (!file) return std::unexpected(file.error());
  track.file = std::move(*file);
  track.number = *number;
  track.next.reset();
  track.synced_groups = 0;
  for (const auto counter : track.left_out) track.file->leave_out(counter);
  track.left_out.clear();
  return {};
}

Result<FileNumber> RecorderCore::next_number(const DeviceId& camera, Track& track) {
  if (track.number) return track.number->next();
  auto number = deps_.index.max_number(camera);
  if (!number) {
    check_index(number.error());
    number = FileNumber();
  }
  // The index may be new.
  const auto files = list_files(config_.folder, camera);
  if (!files) return std::unexpected(files.error());
  if (!files->empty())
    if (const auto file = RecordingFile::open(files->back().file.below(config_.folder)))
      if (const auto header = file->read_header()) number = std::max(*number, header->header.number);
  return number->next();
}

Result<> RecorderCore::finish_file(Track& track, EndReason reason) {
  if (track.file->empty()) {
    abandon(track);
    return {};
  }
  if (auto r = track.file->finish(reason, deps_.hub); !r) return r;
  if (reason == EndReason::full) track.next = track.file->next_counter();
  put(track.file->facts());
  track.file.reset();
  if (auto r = make_space(); !r) set_fault(r.error());
  return {};
}

/// The file has no receipt. It is completed when the disk works again.
void RecorderCore::abandon(Track& track) {
  if (!track.file) return;
  work_.push_back(track.file->name());
  track.file.reset();
  track.next.reset();
}

void RecorderCore::on_synced(Track& track) {
  track.synced_groups = track.file->synced_groups();
  const auto now = deps_.clock.monotonic();
  if (track.synced_groups == 1 || now - track.indexed >= index_interval) {
    track.indexed = now;
    put(track.file->facts());
  }
  if (auto r = make_space(); !r) set_fault(r.error());
  else clear_fault();
}

void RecorderCore::end(const DeviceId& camera, EndReason reason) {
  const auto found = tracks_.find(camera);
  if (found == tracks_.end() || !found->second.file) return;
  if (auto r = finish_file(found->second, reason); !r) {
    set_fault(r.error());
    abandon(found->second);
  }
}

void RecorderCore::end_all(EndReason reason) {
  for (const auto& [camera, track] : tracks_) end(camera, reason);
}

Result<Erased> RecorderCore::erase(const DeviceId& camera, const TimeRange& range) {
  if (const auto found = tracks_.find(camera); found != tracks_.end() && found->second.file) {
    const auto facts = found->second.file->facts();
    if (facts.file.time.begin < range.end && range.begin <= facts.file.time.end) end(camera, EndReason::stopped);
  }
  const auto files = deps_.index.files(camera, range);
  if (!files) return std::unexpected(files.error());
  Erased erased;
  for (const auto& file : *files) {
    const bool needed = epoch_in_use(camera, file.epoch);
    if (auto r = delete_recording(config_.folder, deps_.index, deps_.keys, file, needed); !r)
      return std::unexpected(r.error());
    erased.time.begin = erased.files == 0 ? file.time.begin : std::min(erased.time.begin, file.time.begin);
    erased.time.end = std::max(erased.time.end, file.time.end);
    ++erased.files;
    erased.bytes += file.bytes;
  }
  update_usage();
  return erased;
}

bool RecorderCore::tick() {
  if (slow_until_ && deps_.clock.monotonic() >= *slow_until_) {
    slow_until_.reset();
    const std::scoped_lock lock(mutex_);
    if (status_.fault == RecorderFault::slow) reset_fault();
  }
  if (fault_ && !may_try()) return false;
  if (!listed_) start();
  if (fault_ && !listed_) {
    retry_ = deps_.clock.monotonic() + retry_time;
    return false;
  }
  const auto now = deps_.clock.monotonic();
  if (now >= next_cleaning_) {
    next_cleaning_ = now + cleaning_interval;
    update_usage();
    delete_aged();
    work_.insert(work_.end(), later_.begin(), later_.end());
    later_.clear();
    motion_unknown_ = true;
    if (auto r = make_space(); !r) set_fault(r.error());
  }
  if (!work_.empty()) complete_next();
  else if (motion_unknown_) scan_next();
  return !work_.empty() || motion_unknown_;
}

void RecorderCore::complete_next() {
  const auto name = work_.front();
  work_.pop_front();
  const auto facts = complete(config_.folder, name, inspector_, deps_.hub);
  if (facts) {
    motion_unknown_ = true;
    if (*facts) put(**facts);
    else (void)deps_.index.remove(name);
    return;
  }
  if (facts.error().code == Errc::not_found) return;
  if (facts.error().code == Errc::io || facts.error().code == Errc::permission) {
    later_.push_back(name);
    return;
  }
  damaged_.insert(name);
  deps_.log.warning("recordings: {}; check the folder with 'sealcam-hub recordings verify'", to_string(facts.error()));
}

void RecorderCore::set_modes(std::vector<std::pair<DeviceId, Mode>> modes) {
  for (const auto& [camera, mode] : modes)
    if (mode == Mode::off) end(camera, EndReason::stopped);
  const std::scoped_lock lock(mutex_);
  status_.cameras.clear();
  for (const auto& [camera, mode] : modes)
    if (mode != Mode::off) status_.cameras.push_back({camera, mode, false, std::nullopt});
  status_.enabled = !status_.cameras.empty();
}

}  // namespace sealcam::recordings
