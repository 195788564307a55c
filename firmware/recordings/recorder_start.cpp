// SPDX-License-Identifier: Apache-2.0
/// What the recorder finds in the folder: files that are not in the index, and files that an earlier process left.
#include <utility>

#include "recordings/recorder_core.hpp"

namespace sealcam::recordings {

namespace {

/// Frames wait meanwhile.
constexpr std::chrono::milliseconds listing_step{200};

}  // namespace

void RecorderCore::start() {
  if (auto r = list_folder(); !r) {
    listing_.reset();
    set_fault(r.error());
  }
  next_listing_ = deps_.clock.monotonic() + (listing_ ? std::chrono::seconds(0) : retry_time);
}

/// Begins, or continues.
Result<> RecorderCore::list_folder() {
  if (auto r = check_folder(); !r) return r;
  if (!listing_) {
    auto begun = FolderListing::begin(config_.folder);
    if (!begun) return std::unexpected(begun.error());
    listing_ = std::move(*begun);
  }
  for (const auto until = deps_.clock.monotonic() + listing_step;;) {
    const auto ended = listing_->step();
    if (!ended) return std::unexpected(ended.error());
    if (*ended) break;
    if (deps_.clock.monotonic() >= until) return {};
  }
  end_listing(std::exchange(listing_, std::nullopt)->take());
  return {};
}

void RecorderCore::end_listing(const std::vector<ListedFile>& files) {
  auto difference = compare(deps_.index, files);
  if (!difference) {
    check_index(difference.error());
    difference = compare(deps_.index, files);
    if (!difference) return set_index_fault(difference.error());
  }
  for (const auto& file : difference->missing)
    // A file that was recorded during the listing is in the index and in the folder: it stays.
    if (std::error_code ec; !std::filesystem::exists(file.below(config_.folder), ec) && !ec)
      (void)deps_.index.remove(file);
  if (auto r = deps_.index.note_made(deps_.clock.wall()); !r) return set_index_fault(r.error());
  std::set<FileName> open;
  for_each_file([&](const FileWriter& file) { open.insert(file.name()); });
  work_.clear();
  for (const auto& file : difference->unknown)
    if (!damaged_.contains(file.file) && !open.contains(file.file)) work_.push_back(file.file);
  if (work_.size() > 1) deps_.log.info("recordings: adding {} files to the index", work_.size());
  listed_ = true;
  update_usage();
  clear_fault();
  clear_index_fault();
}

void RecorderCore::complete_next() {
  const auto name = work_.front();
  if (!completion_ || completion_->name() != name) completion_.emplace(config_.folder, name, inspector_, deps_.hub);
  const auto ended = completion_->step();
  if (ended && !*ended) return;
  work_.pop_front();
  const auto completion = std::move(*completion_);
  completion_.reset();
  if (ended) {
    motion_unknown_ = true;
    if (completion.facts()) (void)put(*completion.facts());
    else (void)deps_.index.remove(name);
    more_to_delete_ = more_to_delete_ || work_.empty();
    return;
  }
  const auto& error = ended.error();
  if (error.code == Errc::not_found) return;
  if (error.code == Errc::io || error.code == Errc::permission) {
    later_.push_back(name);
    return;
  }
  Damaged damaged;
  if (const auto file = RecordingFile::open(name.below(config_.folder))) {
    damaged.bytes = file->size();
    if (const auto content = inspector_.read_without_receipt(*file, name.camera))
      damaged.epoch = content->verified.grants.epoch;
  }
  damaged_.insert_or_assign(name, damaged);
  deps_.log.warning("recordings: {}; check the folder with 'sealcam-hub recordings verify'", to_string(error));
}

}  // namespace sealcam::recordings
