// SPDX-License-Identifier: Apache-2.0
#include "recordings/recorder_core.hpp"

#include <algorithm>
#include <ranges>

namespace sealcam::recordings {

using protocol::FrameKind;

namespace {

constexpr std::size_t max_left_out = 1000;
/// That are read for the number of a file while the index has no file of the camera.
constexpr std::size_t max_headers = 1000;
constexpr std::chrono::seconds cleaning_interval{60};
constexpr std::int64_t allowance_step = 1 << 20;
constexpr std::chrono::seconds slow_time{60};

}  // namespace

RecorderCore::RecorderCore(RecorderConfig config, const RecorderDependencies& deps)
    : config_(std::move(config)), deps_(deps), inspector_(deps.account) {
  status_.quota = config_.quota;
}

void RecorderCore::add(const std::shared_ptr<const RecordedEpoch>& epoch, FrameKind kind, Counter counter,
                       ByteView message, CaptureTime now, const PictureMark& mark) {
  const auto& camera = epoch->route.camera;
  auto& track = tracks_[camera];
  if (!may_try()) return drop(track);
  const PastTrack::Key key{epoch->epoch, counter};
  if (has_past(camera, key)) return;
  const auto stored = [&]() -> Result<> {
    if (!listed_ && !listing_ && deps_.clock.monotonic() >= next_listing_) start();
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
    take_live(camera, key);
    track.added = deps_.clock.monotonic();
    written_ += message.size();
    {
      const std::scoped_lock lock(mutex_);
      stored_at_[camera] = track.added;
      ++status_.stored_frames;
      status_.stored_bytes += message.size();
      for (auto& recorded : status_.cameras)
        if (recorded.camera == camera) recorded.newest = now;
    }
    const bool synced = track.file->synced_groups() != track.synced_groups;
    if (!track.file->unsynced()) track.unsynced.reset();
    else if (synced || !track.unsynced) track.unsynced = track.added;
    if (synced) on_synced(track);
    return {};
  }();
  if (stored) return;
  set_fault(stored.error());
  abandon(track);
  drop(track);
}

void RecorderCore::leave_out(const RecordedEpoch& epoch, Counter counter) {
  const PastTrack::Key key{epoch.epoch, counter};
  if (has_past(epoch.route.camera, key)) return;
  take_live(epoch.route.camera, key);
  auto& track = tracks_[epoch.route.camera];
  if (track.file && track.epoch->epoch == epoch.epoch) track.file->leave_out(counter);
  else if (track.epoch && track.epoch->epoch == epoch.epoch && track.left_out.size() < max_left_out)
    track.left_out.push_back(counter);
}

void RecorderCore::note_dropped(const DeviceId& camera, std::uint64_t frames) {
  tracks_[camera].wait_for_key = true;
  slow_until_ = deps_.clock.monotonic() + slow_time;
  if (!slow_) slow_ = {RecorderFault::slow, "the disk is slower than the pictures arrive", deps_.clock.wall()};
  show_fault();
  const std::scoped_lock lock(mutex_);
  status_.dropped_frames += frames;
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
  auto file = create_file(track.epoch, now, track.next);
  if (!file) return std::unexpected(file.error());
  track.file = std::move(*file);
  track.next.reset();
  track.synced_groups = 0;
  for (const auto counter : track.left_out) track.file->leave_out(counter);
  track.left_out.clear();
  return {};
}

Result<std::unique_ptr<FileWriter>> RecorderCore::create_file(const std::shared_ptr<const RecordedEpoch>& shared,
                                                              CaptureTime time, std::optional<Counter> first) {
  if (auto r = check_folder(); !r) return std::unexpected(r.error());
  if (auto r = make_space(); !r) return std::unexpected(r.error());
  const auto& epoch = *shared;
  auto& track = tracks_[epoch.route.camera];
  // Before each file, because the key is deleted with the last file that needs it.
  if (!deps_.keys.contains(epoch.route.camera, epoch.epoch)) {
    EpochKey key{crypto::sframe::BaseKey(epoch.base_key.reveal()), epoch.camera_name};
    if (auto r = deps_.keys.store(epoch.route.camera, epoch.epoch, key); !r) {
      set_fault(RecorderFault::index, r.error());
      return std::unexpected(r.error());
    }
  }
  // After a power cut, a file without durable content is deleted. A later number must not follow it.
  const auto past = past_.find(epoch.route.camera);
  for (auto* const other : {track.file.get(), past == past_.end() ? nullptr : past->second.file.get()})
    if (other != nullptr && !other->empty() && other->synced_groups() == 0)
      if (auto r = other->sync(); !r) return std::unexpected(r.error());
  const auto number = next_number(epoch.route.camera, track);
  if (!number) return std::unexpected(number.error());
  auto file = FileWriter::create(config_.folder, shared, *number, time, first);
  if (file) track.number = *number;
  return file;
}

Result<FileNumber> RecorderCore::next_number(const DeviceId& camera, Track& track) {
  if (track.number) return track.number->next();
  auto number = deps_.index.max_number(camera);
  const bool has_number = number.has_value();
  if (!has_number) {
    check_index(number.error());
    number = FileNumber();
  }
  // The index may be new. The name of a file shows the wall clock, which may have been wrong; the number is the order.
  std::vector<FileName> others;
  if (listed_) {
    std::ranges::copy(work_, std::back_inserter(others));
    std::ranges::copy(later_, std::back_inserter(others));
    std::ranges::copy(damaged_ | std::views::keys, std::back_inserter(others));
  } else {
    const auto files = list_files(config_.folder, camera);
    if (!files) return std::unexpected(files.error());
    // The disk may be slow, and the frames wait. The largest number of the files in the index is known.
    std::set<FileName> known;
    if (has_number)
      if (const auto indexed = deps_.index.files(camera, all_times))
        for (const auto& file : *indexed) known.insert(file.file);
    for (const auto& file : *files)
      if (!known.contains(file.file)) others.push_back(file.file);
  }
  std::erase_if(others, [&](const FileName& name) { return name.camera != camera; });
  std::ranges::sort(others, std::ranges::greater());
  for (std::size_t i = 0; i < std::min(others.size(), max_headers); ++i)
    if (const auto file = RecordingFile::open(others[i].below(config_.folder)))
      if (const auto header = file->read_header()) number = std::max(*number, header->header.number);
  // Of a larger number, a verifier reports that files are missing. Two files with one number would be worse.
  if (others.size() > max_headers) number = FileNumber(number->value() + others.size());
  return number->next();
}

Result<> RecorderCore::finish_file(Track& track, EndReason reason) {
  if (track.file->empty()) {
    abandon(track);
    return {};
  }
  if (auto r = track.file->finish(reason, deps_.hub); !r) return r;
  if (reason == EndReason::full) track.next = track.file->next_counter();
  (void)put(track.file->facts());
  track.file.reset();
  track.unsynced.reset();
  if (auto r = make_space(); !r) set_fault(r.error());
  return {};
}

/// The file has no receipt. It is completed when the disk works again.
void RecorderCore::abandon(Track& track) {
  if (!track.file) return;
  work_.push_back(track.file->name());
  // The camera may have kept the frames that are not durable.
  if (const auto past = past_.find(track.file->name().camera); past != past_.end()) abandon_past(past->second);
  track.file.reset();
  track.next.reset();
  track.unsynced.reset();
}

void RecorderCore::on_synced(Track& track) {
  track.synced_groups = track.file->synced_groups();
  const auto now = deps_.clock.monotonic();
  if (track.synced_groups == 1 || now - track.indexed >= index_interval) {
    track.indexed = now;
    (void)put(track.file->facts());
  }
  if (auto r = make_space()) return clear_fault();
  else set_fault(r.error());
  // Without an end, each retry would write one more group to the full disk.
  end(track.epoch->route.camera, EndReason::full);
}

/// A silent camera sends no frame that would do this.
void RecorderCore::flush_tracks() {
  const auto now = deps_.clock.monotonic();
  for (auto& [camera, track] : tracks_) {
    if (!track.file) continue;
    if (now - track.added > Archive::max_pause) {
      end(camera, EndReason::full);
      continue;
    }
    if (!track.unsynced || now - *track.unsynced < FileWriter::max_unsynced) continue;
    if (auto r = track.file->sync(); !r) {
      set_fault(r.error());
      abandon(track);
      continue;
    }
    track.unsynced.reset();
    track.indexed = now - index_interval;  // the index gets the end of what is durable
    on_synced(track);
  }
}

void RecorderCore::end(const DeviceId& camera, EndReason reason) {
  if (reason != EndReason::full) end_past(camera);
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
  if (auto r = check_folder(); !r) return std::unexpected(r.error());
  if (const auto found = tracks_.find(camera); found != tracks_.end() && found->second.file) {
    const auto facts = found->second.file->facts();
    if (facts.file.time.begin < range.end && range.begin <= facts.file.time.end) end(camera, EndReason::stopped);
  }
  // Frames that wait, or that the camera still keeps. What happens from now on is not erased.
  const TimeRange past_range{range.begin, std::min(range.end, deps_.clock.wall())};
  if (auto r = deps_.index.note_erased(camera, past_range); !r) return std::unexpected(r.error());
  if (const auto found = past_.find(camera); found != past_.end()) {
    found->second.erased.push_back(past_range);
    if (found->second.file)
      if (auto r = finish_past(found->second); !r) return std::unexpected(r.error());
  }
  auto files = deps_.index.files(camera, range);
  if (!files) return std::unexpected(files.error());
  std::ranges::move(unindexed(camera, range), std::back_inserter(*files));
  Erased erased;
  for (const auto& file : *files) {
    if (auto r = remove(file); !r) return std::unexpected(r.error());
    forget(file.file);
    erased.time.begin = erased.files == 0 ? file.time.begin : std::min(erased.time.begin, file.time.begin);
    erased.time.end = std::max(erased.time.end, file.time.end);
    ++erased.files;
    erased.bytes += file.bytes;
  }
  remove_unneeded_keys();
  update_usage();
  return erased;
}

bool RecorderCore::tick() {
  if (slow_until_ && deps_.clock.monotonic() >= *slow_until_) {
    slow_until_.reset();
    slow_.reset();
    show_fault();
  }
  // Files of a full disk can be read and added to the index, so that old ones can be deleted.
  if (fault_ && fault_->kind != RecorderFault::full && !may_try()) return false;
  flush_tracks();
  const auto now = deps_.clock.monotonic();
  if (!listed_ && now >= next_listing_) start();
  if (!listed_) return listing_.has_value();
  if (now >= next_cleaning_) {
    next_cleaning_ = now + cleaning_interval;
    // Else a hub that stopped because of others would never write again.
    if (allowance_ < 1) allowance_ = std::min<std::int64_t>(allowance_ + allowance_step, 1);
    update_usage();
    work_.insert(work_.end(), later_.begin(), later_.end());
    later_.clear();
    motion_unknown_ = true;
    more_to_delete_ = true;
  }
  tick_past();
  if (!work_.empty()) {
    complete_next();
  } else if (more_to_delete_) {
    more_to_delete_ = false;
    remove_unneeded_keys();
    delete_aged();
    if (auto r = make_space(); !r) set_fault(r.error());
    else if (fault_ && fault_->kind == RecorderFault::full) clear_fault();
  } else if (motion_unknown_) {
    scan_next();
  }
  return !work_.empty() || more_to_delete_ || motion_unknown_;
}

void RecorderCore::set_modes(const std::vector<std::pair<DeviceId, Mode>>& modes) {
  for (const auto& [camera, mode] : modes)
    if (mode == Mode::off) end(camera, EndReason::stopped);
  const std::scoped_lock lock(mutex_);
  status_.cameras.clear();
  for (const auto& [camera, mode] : modes)
    if (mode != Mode::off) status_.cameras.push_back({camera, mode, false, std::nullopt});
  status_.enabled = !status_.cameras.empty();
}

}  // namespace sealcam::recordings
