// SPDX-License-Identifier: Apache-2.0
/// The recorder's work with frames that a camera kept while it had no broker. Files of their own contain them, in the
/// order of their counters and without a gap.
#include "recordings/recorder_past.hpp"

#include <algorithm>

#include "recordings/recorder_core.hpp"

namespace sealcam::recordings {

using protocol::FrameKind;
using protocol::PastRange;

std::vector<Epoch> PastTrack::list(const std::vector<PastRange>& ranges) {
  listed_ = ranges;
  const auto listed = [&](Epoch epoch) { return std::ranges::contains(listed_, epoch, &PastRange::epoch); };
  std::erase_if(have_, [&](const auto& content) { return !listed(content.first); });
  std::erase_if(waiting_, [&](const auto& waiting) {
    if (range_of(waiting.first) != nullptr) return false;
    waiting_bytes_ -= waiting.second.message.size();
    return true;
  });
  std::vector<Epoch> unknown;
  for (const PastRange& range : listed_)
    if (!have_.contains(range.epoch) && !std::ranges::contains(unknown, range.epoch)) unknown.push_back(range.epoch);
  return unknown;
}

const PastRange* PastTrack::range_of(const Key& key) const {
  const auto found = std::ranges::find_if(listed_, [&](const PastRange& range) {
    return range.epoch == key.first && range.first <= key.second && key.second <= range.last;
  });
  return found == listed_.end() ? nullptr : &*found;
}

bool PastTrack::has(const Key& key) const {
  const auto have = have_.find(key.first);
  return have != have_.end() && have->second.contains(key.second.value());
}

void PastTrack::take(const Key& key) {
  if (const auto waiting = waiting_.find(key); waiting != waiting_.end()) {
    waiting_bytes_ -= waiting->second.message.size();
    waiting_.erase(waiting);
  }
  // With too many holes, nothing of the epoch is requested or filed any more.
  if (const auto have = have_.find(key.first); have != have_.end() && have->second.range_count() <= max_holes)
    (void)have->second.add(key.second.value());
}

void PastTrack::offer(const Key& key, Frame frame) {
  const auto have = have_.find(key.first);
  if (have == have_.end() || have->second.range_count() > max_holes || range_of(key) == nullptr || has(key) ||
      waiting_.contains(key))
    return;
  while (waiting_bytes_ + frame.message.size() > max_waiting && !waiting_.empty()) {
    const auto last = std::prev(waiting_.end());  // the first ones are needed first
    if (last->first < key) return;
    waiting_bytes_ -= last->second.message.size();
    waiting_.erase(last);
  }
  waiting_bytes_ += frame.message.size();
  waiting_.emplace(key, std::move(frame));
}

const std::pair<const PastTrack::Key, PastTrack::Frame>* PastTrack::next(const std::optional<Key>& end,
                                                                         MonotonicTime now) const {
  if (end)
    if (const auto following = waiting_.find(*end); following != waiting_.end()) return &*following;
  if (waiting_.empty()) return nullptr;
  const auto& [key, frame] = *waiting_.begin();
  if (now - frame.arrived >= max_wait) return &*waiting_.begin();
  const auto first = range_of(key)->first;
  const bool complete =
      first == key.second || have_.at(key.first).missing(first.value(), key.second.value() - 1).empty();
  return complete ? &*waiting_.begin() : nullptr;
}

std::vector<PastRange> PastTrack::gaps() const {
  std::vector<PastRange> gaps;
  for (const PastRange& range : listed_) {
    const auto have = have_.find(range.epoch);
    if (have == have_.end() || have->second.range_count() > max_holes) continue;
    for (const auto& lack : have->second.missing(range.first.value(), range.last.value())) {
      const auto end = lack.first + lack.count;
      auto waiting = waiting_.lower_bound({range.epoch, Counter(lack.first)});
      for (auto first = lack.first; first < end;) {
        const bool here =
            waiting != waiting_.end() && waiting->first.first == range.epoch && waiting->first.second.value() < end;
        const auto at = here ? (waiting++)->first.second.value() : end;
        if (at > first) gaps.push_back({range.epoch, Counter(first), Counter(at - 1)});
        if (gaps.size() == PastRange::max) return gaps;
        first = at + 1;
      }
    }
  }
  return gaps;
}

void RecorderCore::list_past(const DeviceId& camera, const std::vector<PastRange>& ranges) {
  auto& past = past_[camera];
  past.listed = ranges;
  past.reload = true;
  load_past(camera, past);
}

/// What the hub has, by the index and by the open files. While files of an earlier start are not in the index, waits.
void RecorderCore::load_past(const DeviceId& camera, PastWork& past) {
  if (!past.reload || !indexed() || !may_try() || index_fault_) return;
  auto erased = deps_.index.erased(camera);
  if (!erased) return check_index(erased.error());
  past.erased = std::move(*erased);
  for (const Epoch epoch : past.track.list(past.listed)) {
    auto received = deps_.index.received(camera, epoch);
    if (!received) return check_index(received.error());
    for_each_file([&](const FileWriter& file) {
      if (file.name().camera != camera || file.epoch().epoch != epoch) return;
      for (const auto& part : file.accounted().ranges()) received->add_missing(part);
    });
    // The next file names them.
    if (const auto track = tracks_.find(camera);
        track != tracks_.end() && track->second.epoch && track->second.epoch->epoch == epoch)
      for (const auto counter : track->second.left_out) (void)received->add(counter.value());
    past.track.receive(epoch, std::move(*received));
  }
  past.reload = false;
  publish_gaps(camera, past);
}

/// A frame that the camera kept may also arrive late, in another way.
bool RecorderCore::has_past(const DeviceId& camera, const PastTrack::Key& key) const {
  const auto found = past_.find(camera);
  return found != past_.end() && found->second.track.has(key);
}

void RecorderCore::take_live(const DeviceId& camera, const PastTrack::Key& key) {
  if (const auto found = past_.find(camera); found != past_.end()) found->second.track.take(key);
}

void RecorderCore::add_past(const std::shared_ptr<const RecordedEpoch>& epoch, FrameKind kind, Counter counter,
                            ByteView message, CaptureTime time, const PictureMark& mark) {
  const auto found = past_.find(epoch->route.camera);
  if (found == past_.end() || !may_try()) return;
  auto& past = found->second;
  const auto now = deps_.clock.monotonic();
  past.track.offer({epoch->epoch, counter}, {epoch, kind, Bytes(message.begin(), message.end()), time, mark, now});
  past.arrived = now;
  file_past(past);
}

/// Files what is in order.
void RecorderCore::file_past(PastWork& past) {
  const auto now = deps_.clock.monotonic();
  const auto filed = [&]() -> Result<> {
    for (;;) {
      std::optional<PastTrack::Key> end;
      if (past.file) end.emplace(past.file->epoch().epoch, past.file->next_counter());
      const auto* const next = past.track.next(end, now);
      if (next == nullptr) return {};
      const auto [key, frame] = std::pair(next->first, &next->second);
      const bool picture = frame->kind == FrameKind::key || frame->kind == FrameKind::delta;
      const bool erased =
          std::ranges::any_of(past.erased, [&](const TimeRange& range) { return range.contains(frame->time); });
      if (picture && !erased) {
        const bool begins = key != end || past.file->is_full(frame->kind, frame->message.size(), frame->time);
        // A hostile camera would cause a file for each frame.
        if (begins && past.begun && now - *past.begun < past_file_interval) return {};
        if (auto r = write_past(past, begins, key.second, *frame); !r) return r;
      } else if (key == end) {  // a report or a still, or in an erased time
        past.file->leave_out(key.second);
      }
      past.track.take(key);
    }
  }();
  if (filed) return;
  set_fault(filed.error());
  abandon_past(past);
}

Result<> RecorderCore::write_past(PastWork& past, bool begins, Counter counter, const PastTrack::Frame& frame) {
  if (begins && past.file)
    if (auto r = finish_past(past); !r) return r;
  if (!past.file) {
    auto file = create_file(frame.epoch, frame.time, std::nullopt);
    if (!file) return std::unexpected(file.error());
    past.file = std::move(*file);
    past.synced_groups = 0;
    past.begun = deps_.clock.monotonic();
  }
  if (auto r = past.file->add(frame.kind, counter, frame.message, frame.time, frame.mark); !r) return r;
  written_ += frame.message.size();
  {
    const std::scoped_lock lock(mutex_);
    ++status_.stored_frames;
    status_.stored_bytes += frame.message.size();
  }
  const auto synced = past.file->synced_groups();
  if (std::exchange(past.synced_groups, synced) == synced) return {};
  (void)put(past.file->facts());
  clear_fault();
  return {};
}

Result<> RecorderCore::finish_past(PastWork& past) {
  // The account of the next file does not continue this one: EndReason::full would mean that.
  if (auto r = past.file->finish(EndReason::stopped, deps_.hub); !r) return r;
  (void)put(past.file->facts());
  past.file.reset();
  return make_space();
}

/// What of the file is durable is not known. The frames are requested again, as far as they are not.
void RecorderCore::abandon_past(PastWork& past) {
  if (past.file) work_.push_back(past.file->name());
  past.file.reset();
  past.track = {};
  past.reload = true;
}

void RecorderCore::end_past(const DeviceId& camera) {
  const auto found = past_.find(camera);
  if (found == past_.end()) return;
  if (found->second.file) {
    if (auto r = finish_past(found->second); !r) {
      set_fault(r.error());
      abandon_past(found->second);
    }
  }
  past_.erase(found);
  const std::scoped_lock lock(mutex_);
  past_gaps_.erase(camera);
}

void RecorderCore::tick_past() {
  const auto now = deps_.clock.monotonic();
  for (auto& [camera, past] : past_) {
    load_past(camera, past);
    file_past(past);
    if (past.file && now - past.arrived >= past_idle) {
      if (auto r = finish_past(past); !r) {
        set_fault(r.error());
        abandon_past(past);
      }
    }
    publish_gaps(camera, past);
  }
}

void RecorderCore::publish_gaps(const DeviceId& camera, const PastWork& past) {
  auto gaps = past.track.gaps();
  const std::scoped_lock lock(mutex_);
  past_gaps_.insert_or_assign(camera, std::move(gaps));
}

std::vector<PastRange> RecorderCore::past_gaps(const DeviceId& camera) const {
  const std::scoped_lock lock(mutex_);
  const auto found = past_gaps_.find(camera);
  return found == past_gaps_.end() ? std::vector<PastRange>() : found->second;
}

}  // namespace sealcam::recordings
