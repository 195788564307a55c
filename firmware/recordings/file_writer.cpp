// SPDX-License-Identifier: Apache-2.0
#include "recordings/file_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sealcam::recordings {

namespace fs = std::filesystem;
using protocol::FrameKind;

namespace {

/// Content of a group is written in pieces of about this size.
constexpr std::size_t max_pending = 1U << 20;
/// A new file begins at a key frame after this time, so that it need not begin within a group.
constexpr std::chrono::seconds preferred_time{280};
/// A new file begins if a receipt would get more ranges than this.
constexpr std::size_t preferred_ranges = 2000;
/// Here it begins without a key frame, because readers reject the receipt.
constexpr std::size_t hard_ranges = max_ranges - 8;
constexpr int max_names = 100;

Result<> sync_data(int fd, const fs::path& path) {
  while (::fdatasync(fd) != 0)
    if (errno != EINTR) return fail_errno("writing a recording", path);
  return {};
}

/// Creates the folder if its parent exists. Sets `made`.
Result<> make_folder(const fs::path& path, bool& made) {
  made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return fail_errno("creating a folder of recordings", path);
  return {};
}

}  // namespace

Result<std::unique_ptr<FileWriter>> FileWriter::create(const fs::path& folder,
                                                       std::shared_ptr<const RecordedEpoch> epoch, FileNumber number,
                                                       CaptureTime now, std::optional<Counter> first) {
  std::unique_ptr<FileWriter> writer(new FileWriter(folder, std::move(epoch), number));
  if (first) writer->first_ = first->value();
  if (auto r = writer->begin(now); !r) return std::unexpected(r.error());
  return writer;
}

Result<> FileWriter::begin(CaptureTime now) {
  name_.camera = epoch_->route.camera;
  bool made = false;
  const auto camera = folder_ / name_.camera.to_string();
  if (auto r = make_folder(camera, made); !r) return r;
  if (made)
    if (auto r = sync_entries_of(camera); !r) return r;
  for (int i = 0; !file_; ++i, now.since_epoch += std::chrono::milliseconds(1)) {
    name_.day = day_name(now);
    name_.name = file_name(now);
    if (auto r = make_folder(camera / name_.day, made); !r) return r;
    if (made)
      if (auto r = sync_entries_of(camera / name_.day); !r) return r;
    const auto path = name_.below(folder_);
    file_ = UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_APPEND, 0600));
    if (!file_ && (errno != EEXIST || i == max_names)) return fail_errno("creating a recording", path);
  }
  const auto header = encode_header({epoch_->owner, epoch_->roster, epoch_->grants, number_});
  const auto digest = crypto::sha256(header);
  if (!digest) return std::unexpected(digest.error());
  header_digest_ = *digest;
  pending_ = header;
  size_ = header.size();
  return {};
}

bool FileWriter::is_full(FrameKind kind, std::size_t size, CaptureTime now) const noexcept {
  if (groups_.empty()) return false;
  const auto age = now.since_epoch - groups_.front().time.since_epoch;
  const bool key = kind == FrameKind::key;
  const auto ranges = range_count();
  const bool limits = groups_.size() == max_groups || ranges > preferred_ranges;
  const bool pause = now.since_epoch - end_.since_epoch > Archive::max_pause;
  return pause || now < groups_.back().time || age >= max_file_time || ranges > hard_ranges ||
         (key && (age >= preferred_time || limits)) || size_ + size + protocol::max_control_size > max_file_size;
}

Result<> FileWriter::append(ByteView bytes) {
  hash_->update(bytes);
  pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  size_ += bytes.size();
  groups_.back().size += bytes.size();
  unsynced_ = true;
  return pending_.size() < max_pending ? Result<>() : write_pending();
}

Result<> FileWriter::write_pending() {
  if (pending_.empty()) return {};
  if (!write_all(file_.get(), pending_)) return fail_errno("writing a recording", name_.below(folder_));
  pending_.clear();
  return {};
}

Result<> FileWriter::sync() {
  if (auto r = write_pending(); !r) return r;
  if (!unsynced_) return {};
  const auto path = name_.below(folder_);
  if (auto r = sync_data(file_.get(), path); !r) return r;
  unsynced_ = false;
  synced_at_ = end_;
  ++syncs_;
  if (entries_durable_) return {};
  entries_durable_ = true;
  return sync_entries_of(path);
}

Result<> FileWriter::end_group() {
  if (groups_.empty() || !hash_) return {};
  const auto digest = hash_->finish();
  hash_.reset();
  if (!digest) return std::unexpected(digest.error());
  groups_.back().digest = *digest;
  return sync();
}

Result<> FileWriter::add(FrameKind kind, Counter counter, ByteView message, CaptureTime now, const PictureMark& mark) {
  // The network may exchange frames that wait for a key frame. A file has ascending counters.
  if (!groups_.empty() && counter < newest_) {
    leave_out(counter);
    return {};
  }
  if (!accounted_.add(counter.value())) return {};
  newest_ = counter;
  if (kind == FrameKind::key || groups_.empty()) {
    if (auto r = end_group(); !r) return r;
    if (groups_.empty()) synced_at_ = now;
    hash_ = std::make_unique<crypto::Sha256>();
    groups_.push_back({.size = 0, .time = now, .digest = {}});
    first_counters_.push_back(counter.value());
    const auto marked = std::min(unmarked_.size(), max_marked);
    const auto item = encode_mark(now, std::span(unmarked_).last(marked));
    unmarked_.clear();
    places_.begin_group(now);
    if (auto r = append(item); !r) return r;
  }
  const auto at = places_.place(mark.captured, std::nullopt);
  if (mark.motion) motion_.add(at, kind == FrameKind::key, message.size());
  end_ = std::max(now, groups_.back().time);
  if (auto r = append(message); !r) return r;
  return now.since_epoch - synced_at_.since_epoch >= max_unsynced ? sync() : Result<>();
}

void FileWriter::leave_out(Counter counter) {
  // A counter more becomes a part of a gap.
  if (range_count() > hard_ranges || !accounted_.add(counter.value())) return;
  (void)left_out_.add(counter.value());
  if (unmarked_.size() < max_ranges) unmarked_.push_back(counter.value());
}

std::vector<CounterRange> FileWriter::gaps() const {
  return accounted_.missing(std::min(first_.value_or(accounted_.first()), accounted_.first()), accounted_.last());
}

Result<> FileWriter::finish(EndReason reason, const crypto::SigningKey& hub) {
  SC_ASSERT(!groups_.empty());
  if (auto r = end_group(); !r) return r;
  const auto item = encode_receipt({.number = number_,
                                    .epoch = epoch_->epoch,
                                    .first = Counter(std::min(first_.value_or(accounted_.first()), accounted_.first())),
                                    .last = Counter(accounted_.last()),
                                    .gaps = gaps(),
                                    .left_out = left_out_.ranges(),
                                    .groups = groups_,
                                    .header = header_digest_,
                                    .end = end_,
                                    .reason = reason},
                                   epoch_->route, hub);
  if (!item) return std::unexpected(item.error());
  pending_.insert(pending_.end(), item->begin(), item->end());
  size_ += item->size();
  unsynced_ = true;
  reason_ = reason;
  auto r = sync();
  file_.reset();
  return r;
}

FileInspector::Facts FileWriter::facts() const {
  FileInspector::Facts facts;
  facts.file = {.file = name_,
                .number = number_,
                .epoch = epoch_->epoch,
                .time = {groups_.empty() ? end_ : groups_.front().time, end_},
                .bytes = size_,
                .reason = reason_};
  if (!accounted_.empty()) {
    const auto first = std::min(first_.value_or(accounted_.first()), accounted_.first());
    facts.file.counters = {first, accounted_.last() - first + 1};
  }
  if (!groups_.empty())
    facts.gaps = locate(gaps(), epoch_->epoch, groups_, end_,
                        [&](std::size_t group) { return std::optional(first_counters_[group]); });
  facts.motion = motion_.spans();
  return facts;
}

}  // namespace sealcam::recordings
