// SPDX-License-Identifier: Apache-2.0
#include "recordings/file_archive.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/types.hpp"

namespace sealcam::recordings {

namespace {

/// Files that picture_at() tries, if the newest ones cannot be opened.
constexpr int max_tries = 3;
/// Motion that begins before a range, or ends after it, is read from files of this time.
constexpr std::chrono::hours motion_margin{1};

/// Times of requests and of a damaged index may be any 64 bits.
CaptureTime shifted(CaptureTime time, std::chrono::microseconds by) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(time.since_epoch.count(), by.count(), &sum))
    return by.count() < 0 ? all_times.begin : all_times.end;
  return {std::chrono::microseconds(sum)};
}

std::set<FileName> names_of(const std::vector<IndexedFile>& files) {
  std::set<FileName> names;
  for (const auto& file : files) names.insert(file.file);
  return names;
}

}  // namespace

Result<std::vector<CameraSummary>> FileArchive::do_cameras() {
  const auto cameras = index_.summaries();
  if (!cameras) return std::unexpected(cameras.error());
  std::vector<CameraSummary> summaries;
  for (const auto& c : *cameras) {
    CameraSummary summary{
        .camera = c.camera, .name = {}, .time = c.time, .bytes = c.bytes, .files = c.files, .ended = c.ended};
    if (keys_ != nullptr) {
      const auto epochs = index_.epochs(c.camera);
      if (!epochs) return std::unexpected(epochs.error());
      for (auto epoch = epochs->begin(); summary.name.empty() && epoch != epochs->end(); ++epoch)
        if (const auto key = keys_->load(c.camera, *epoch)) summary.name = shown_device_name(key->camera_name);
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

Result<std::vector<Day>> FileArchive::do_days(const DeviceId& camera) { return index_.days(camera); }

Result<RecordedTimeline> FileArchive::do_timeline(const DeviceId& camera, const TimeRange& range) {
  const auto files = index_.files(camera, range);
  if (!files) return std::unexpected(files.error());
  RecordedTimeline timeline;
  std::map<Epoch, bool> openable;
  for (const auto& file : *files) {
    auto known = openable.find(file.epoch);
    if (known == openable.end())
      known = openable.emplace(file.epoch, keys_ != nullptr && keys_->contains(camera, file.epoch)).first;
    auto* const last = timeline.spans.empty() ? nullptr : &timeline.spans.back();
    const bool joins = last != nullptr && last->openable == known->second &&
                       file.time.begin.since_epoch - last->time.end.since_epoch <= max_pause;
    if (!joins) {
      timeline.spans.push_back({file.time, file.bytes, known->second});
      continue;
    }
    last->time.end = std::max(last->time.end, file.time.end);
    last->bytes += file.bytes;
  }
  auto gaps = index_.gaps(camera, range);
  if (!gaps) return std::unexpected(gaps.error());
  timeline.gaps = std::move(*gaps);
  return timeline;
}

Result<std::vector<Motion>> FileArchive::do_motion(const DeviceId& camera, const TimeRange& range, std::size_t limit) {
  const auto stored = index_.motion(camera, {shifted(range.begin, -motion_margin), shifted(range.end, motion_margin)});
  if (!stored) return std::unexpected(stored.error());
  MotionSpans spans;  // motion continues in the next file
  for (const auto& motion : *stored) spans.add(motion);
  auto all = spans.take();
  std::erase_if(all, [&](const Motion& m) { return m.begin >= range.end || m.end < range.begin; });
  if (all.size() > limit) all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(limit));
  return all;
}

Result<std::unique_ptr<PictureReader>> FileArchive::do_read(const DeviceId& camera, const TimeRange& range,
                                                            Pictures which) {
  auto files = index_.files(camera, range);
  if (!files) return std::unexpected(files.error());
  if (files->empty()) return fail(Errc::not_found, "no recording in this time");
  return make_reader(folder_, account_, keys_, std::move(*files), range, which);
}

Result<Moment> FileArchive::do_picture_at(const DeviceId& camera, CaptureTime time, Pictures which) {
  auto before = time;
  for (int i = 0; i < max_tries; ++i) {
    const auto file = index_.at_or_before(camera, before);
    if (!file) return std::unexpected(file.error());
    if (!*file) break;
    auto moment = find_moment(folder_, account_, keys_, **file, time, which);
    if (moment || moment.error().code == Errc::io) return moment;
    before = CaptureTime{(*file)->time.begin.since_epoch - std::chrono::microseconds(1)};
  }
  return fail(Errc::not_found, "no picture at this time can be opened");
}

Result<Erased> FileArchive::do_erase(const DeviceId& camera, const TimeRange& range) {
  if (recorder_ != nullptr) return recorder_->erase(camera, range);
  const auto files = index_.files(camera, range);
  if (!files) return std::unexpected(files.error());
  // A running hub may be about to write the next file of the newest epoch, or may not have all files in the index.
  const auto listed = list_files(folder_, camera);
  if (!listed) return std::unexpected(listed.error());
  auto indexed = index_.files(camera, all_times);
  if (!indexed) return std::unexpected(indexed.error());
  const bool all_indexed = std::ranges::all_of(
      *listed, [names = names_of(*indexed)](const ListedFile& file) { return names.contains(file.file); });
  const auto newest = indexed->empty() ? Epoch() : std::ranges::max(*indexed, {}, &IndexedFile::epoch).epoch;
  const auto last = index_.newest();  // what happens later is not erased
  if (!last) return std::unexpected(last.error());
  if (keys_ != nullptr)
    if (auto r = index_.note_erased(camera, {range.begin, std::min(range.end, last->value_or(range.begin))}); !r)
      return std::unexpected(r.error());
  Erased erased;
  for (const auto& file : *files) {
    if (file.reason == EndReason::open) continue;  // a running hub writes it
    // Without keys, the program has no right to the state folder.
    if (keys_ == nullptr) return fail(Errc::permission, "deleting needs the hub's state folder");
    if (auto r = delete_recording(folder_, index_, *keys_, file, !all_indexed || file.epoch == newest); !r)
      return std::unexpected(r.error());
    erased.time.begin = erased.files == 0 ? file.time.begin : std::min(erased.time.begin, file.time.begin);
    erased.time.end = std::max(erased.time.end, file.time.end);
    ++erased.files;
    erased.bytes += file.bytes;
  }
  return erased;
}

Status FileArchive::do_status() { return recorder_ != nullptr ? recorder_->status() : Status(); }

Result<> fill_index(Index& index, const std::filesystem::path& folder, const AccountId& account, Log& log) {
  const auto files = list_files(folder);
  if (!files) return std::unexpected(files.error());
  FileInspector inspector(account);
  for (const auto& file : *files) {
    const auto facts = inspector.inspect(folder, file.file);
    if (!facts) log.warning("skipping a file: {}", to_string(facts.error()));
    else if (auto r = index.put(*facts); !r) return r;
  }
  return {};
}

}  // namespace sealcam::recordings
