// SPDX-License-Identifier: Apache-2.0
#include "recordings/file_archive.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace sealcam::recordings {

using protocol::FrameKind;

namespace {

/// A new group after a longer time does not directly continue the one before.
constexpr std::chrono::seconds max_step{2};

Result<crypto::sframe::OpeningKey> open_key(const KeyFolder& keys, const FileContent& content, const DeviceId& camera) {
  const auto& grants = content.verified.grants;
  const auto secret = keys.load(camera, grants.epoch);
  if (!secret) return std::unexpected(secret.error());
  return crypto::sframe::OpeningKey::open(grants.suite, grants.epoch, secret->base_key);
}

}  // namespace

Result<std::unique_ptr<PictureSource>> PictureSource::open(const std::filesystem::path& folder,
                                                           FileInspector& inspector, const KeyFolder* keys,
                                                           const FileName& name) {
  auto file = RecordingFile::open(name.below(folder));
  if (!file) return std::unexpected(file.error());
  auto content = inspector.read(*file, name.camera);
  if (!content) return std::unexpected(content.error());
  if (keys == nullptr) return fail(Errc::not_found, "no keys");
  auto key = open_key(*keys, *content, name.camera);
  if (!key) return std::unexpected(key.error());
  std::unique_ptr<PictureSource> source(new PictureSource(std::move(*file), std::move(*content), std::move(*key)));
  source->go_to(0);
  return source;
}

std::uint64_t PictureSource::place(std::size_t group) const {
  return std::accumulate(content_.groups.begin(), content_.groups.begin() + static_cast<std::ptrdiff_t>(group),
                         content_.header.size, [](std::uint64_t sum, const Group& g) { return sum + g.size; });
}

void PictureSource::go_to(std::size_t group) {
  reader_ = ItemReader(file_, place(group), content_.end);
  next_group_ = group;
}

void PictureSource::seek(CaptureTime time) {
  // Only the first group of a file may begin without a key frame.
  std::size_t group = 0;
  for (std::size_t i = 1; i < content_.groups.size() && content_.groups[i].time <= time; ++i) group = i;
  go_to(group);
}

CaptureTime PictureSource::at(CaptureTime captured) {
  const bool last = next_group_ == content_.groups.size();
  return places_.place(captured, last ? std::nullopt : std::optional(content_.groups[next_group_].time));
}

std::optional<PictureSource::Opened> PictureSource::open_frame(ByteView message) {
  const auto frame = protocol::parse_frame(message);
  if (!frame || frame->epoch != content_.verified.grants.epoch ||
      (frame->kind != FrameKind::key && frame->kind != FrameKind::delta) ||
      !opener_.verify(*frame, content_.verified.camera)) {
    ++altered_;
    return std::nullopt;
  }
  if (plain_.size() < frame->sealed.size()) plain_.resize(frame->sealed.size());
  const auto opened = opener_.open(plain_, *frame, key_);
  if (!opened || opened->header.codec != protocol::Codec::h264_annex_b || opened->content.empty()) {
    ++altered_;
    return std::nullopt;
  }
  const auto& header = opened->header;
  return Opened{.facts = {.at = at(header.captured),
                          .captured = header.captured,
                          .width = header.width,
                          .height = header.height,
                          .key = frame->kind == FrameKind::key,
                          .motion = header.motion,
                          .epoch = frame->epoch,
                          .counter = frame->counter},
                .depends = header.depends,
                .access_unit = opened->content};
}

Result<std::optional<PictureSource::Opened>> PictureSource::next(Pictures which) {
  for (;;) {
    const auto item = reader_.next(Content::read);
    if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
    if (!item) ++altered_;
    if (!item || !*item) return std::nullopt;
    if ((*item)->head.kind == ItemKind::mark) {
      if (next_group_ == content_.groups.size()) return std::nullopt;  // more groups than in the receipt
      places_.begin_group(content_.groups[next_group_++].time);
      continue;
    }
    if ((*item)->head.kind != ItemKind::frame || next_group_ == 0) {
      ++altered_;
      return std::nullopt;
    }
    auto opened = open_frame((*item)->bytes);
    // After the first frame, the rest of the group is skipped.
    if (which == Pictures::keys) go_to_next_group();
    if (!opened || (which == Pictures::keys && !opened->facts.key)) continue;
    return opened;
  }
}

void PictureSource::go_to_next_group() { go_to(next_group_); }

namespace {

/// The pictures of several files.
class FilesReader final : public PictureReader {
 public:
  FilesReader(std::filesystem::path folder, const AccountId& account, const KeyFolder* keys,
              std::vector<IndexedFile> files, const TimeRange& range, Pictures which)
      : folder_(std::move(folder)),
        inspector_(account),
        keys_(keys),
        files_(std::move(files)),
        range_(range),
        which_(which) {}

 private:
  Result<std::optional<RecordedPicture>> do_next() override;
  [[nodiscard]] const Skipped& do_skipped() const noexcept override { return skipped_; }
  void open_next();
  void open_next_or_end();
  /// Whether the decoder can decode it now.
  bool follows(const PictureSource::Opened& picture);

  std::filesystem::path folder_;
  FileInspector inspector_;
  const KeyFolder* keys_;
  std::vector<IndexedFile> files_;
  TimeRange range_;
  Pictures which_;
  std::size_t next_file_ = 0;
  std::unique_ptr<PictureSource> source_;
  Skipped skipped_;
  std::uint64_t altered_before_ = 0;  ///< in earlier files
  std::optional<PictureFacts> last_;  ///< that the decoder has
  bool intact_ = false;
};

void FilesReader::open_next() {
  if (source_) altered_before_ += source_->altered();
  source_.reset();
  const auto& file = files_[next_file_++];
  auto source = PictureSource::open(folder_, inspector_, keys_, file.file);
  if (!source) {
    const auto code = source.error().code;
    const bool no_key = keys_ == nullptr || !keys_->contains(file.file.camera, file.epoch);
    if (no_key) ++skipped_.no_key;
    else if (code != Errc::not_found) ++altered_before_;
    return;
  }
  source_ = std::move(*source);
  if (next_file_ == 1) source_->seek(range_.begin);
}

bool FilesReader::follows(const PictureSource::Opened& picture) {
  if (picture.facts.key) return true;
  return intact_ && last_ && last_->epoch == picture.facts.epoch && last_->counter == picture.depends;
}

Result<std::optional<RecordedPicture>> FilesReader::do_next() {
  for (;;) {
    if (!source_) {
      if (next_file_ == files_.size()) return std::nullopt;
      open_next();
      continue;
    }
    auto picture = source_->next(which_);
    if (!picture) return std::unexpected(picture.error());
    const auto altered = altered_before_ + source_->altered();
    const bool lost = altered != skipped_.altered;
    skipped_.altered = altered;
    if (!*picture) {
      open_next_or_end();
      continue;
    }
    auto& facts = (*picture)->facts;
    if (facts.at >= range_.end) return std::nullopt;
    if (!follows(**picture)) {
      intact_ = false;
      ++skipped_.undecodable;
      continue;
    }
    facts.continues = last_ && !lost && last_->epoch == facts.epoch && (intact_ || which_ == Pictures::keys) &&
                      facts.at.since_epoch - last_->at.since_epoch <= max_step;
    if (!facts.key) facts.continues = true;
    if (last_) facts.at = std::max(facts.at, last_->at);
    intact_ = true;
    last_ = facts;
    return RecordedPicture{facts, (*picture)->access_unit};
  }
}

void FilesReader::open_next_or_end() {
  if (next_file_ < files_.size()) return open_next();
  altered_before_ += source_->altered();
  source_.reset();
}

}  // namespace

std::unique_ptr<PictureReader> make_reader(std::filesystem::path folder, const AccountId& account,
                                           const KeyFolder* keys, std::vector<IndexedFile> files,
                                           const TimeRange& range, Pictures which) {
  return std::make_unique<FilesReader>(std::move(folder), account, keys, std::move(files), range, which);
}

namespace {

/// Of a moment. A camera that sends no second key frame would fill the memory.
constexpr std::size_t max_moment_bytes = 32U << 20, max_moment_pictures = 600;

}  // namespace

Result<Moment> find_moment(const std::filesystem::path& folder, const AccountId& account, const KeyFolder* keys,
                           const IndexedFile& file, CaptureTime time, Pictures which) {
  FileInspector inspector(account);
  auto source = PictureSource::open(folder, inspector, keys, file.file);
  if (!source) return std::unexpected(source.error());
  (*source)->seek(time);
  Moment moment;
  std::optional<Counter> last;
  std::size_t bytes = 0;
  for (;;) {
    const auto picture = (*source)->next(which);
    if (!picture) return std::unexpected(picture.error());
    if (!*picture) break;
    const auto& facts = (*picture)->facts;
    if (facts.at > time && !moment.group.empty()) break;
    if (facts.key) {
      moment.group.clear();
      bytes = 0;
    } else if (!last || *last != (*picture)->depends || moment.group.empty()) {
      continue;
    }
    if (facts.at > time) break;
    bytes += (*picture)->access_unit.size();
    if (!moment.group.empty() && (bytes > max_moment_bytes || moment.group.size() == max_moment_pictures)) break;
    moment.facts = facts;
    last = facts.counter;
    moment.group.emplace_back((*picture)->access_unit.begin(), (*picture)->access_unit.end());
    if (which == Pictures::keys) break;
  }
  if (moment.group.empty()) return fail(Errc::not_found, "the file has no picture at this time");
  return moment;
}

namespace {

/// Opens the frames of one group without the camera's signatures, and keeps those with motion until the digest is
/// known.
class MotionScanner {
 public:
  MotionScanner(const FileContent& content, const crypto::sframe::OpeningKey& key)
      : content_(content), key_(key), opener_(content.verified.route) {}

  /// Begins the next group. False if the receipt has no such group. Errors: crypto.
  [[nodiscard]] Result<bool> begin_group(ByteView mark) {
    if (auto r = end_group(); !r) return std::unexpected(r.error());
    if (next_ == content_.groups.size()) return false;
    places_.begin_group(content_.groups[next_++].time);
    hash_ = std::make_unique<crypto::Sha256>();
    hash_->update(mark);
    return true;
  }
  void add(ByteView message) {
    if (!hash_) return;
    hash_->update(message);
    const auto frame = protocol::parse_frame(message);
    if (!frame || frame->epoch != content_.verified.grants.epoch) return;
    if (plain_.size() < frame->sealed.size()) plain_.resize(frame->sealed.size());
    const auto opened = opener_.open(plain_, *frame, key_);
    if (!opened) return;
    const bool last = next_ == content_.groups.size();
    const auto at =
        places_.place(opened->header.captured, last ? std::nullopt : std::optional(content_.groups[next_].time));
    if (opened->header.motion) found_.push_back({at, frame->kind == FrameKind::key, message.size()});
  }
  /// An altered group has no motion. Errors: crypto.
  [[nodiscard]] Result<> end_group() {
    if (!hash_) return {};
    const auto digest = hash_->finish();
    hash_.reset();
    if (!digest) return std::unexpected(digest.error());
    if (*digest == content_.groups[next_ - 1].digest)
      for (const auto& picture : found_) spans_.add(picture.at, picture.key, picture.size);
    found_.clear();
    return {};
  }
  [[nodiscard]] std::vector<Motion> take() { return spans_.take(); }

 private:
  struct Found {
    CaptureTime at;
    bool key = false;
    std::size_t size = 0;
  };
  const FileContent& content_;
  const crypto::sframe::OpeningKey& key_;
  protocol::FrameOpener opener_;
  PicturePlaces places_;
  MotionSpans spans_;
  std::unique_ptr<crypto::Sha256> hash_;
  std::vector<Found> found_;
  std::size_t next_ = 0;
  Bytes plain_;
};

}  // namespace

Result<std::vector<Motion>> scan_motion(const std::filesystem::path& folder, FileInspector& inspector,
                                        const KeyFolder& keys, const FileName& name, const DeviceId& hub) {
  const auto file = RecordingFile::open(name.below(folder));
  if (!file) return std::unexpected(file.error());
  const auto content = inspector.read(*file, name.camera);
  if (!content) return std::unexpected(content.error());
  if (!content->receipt || content->hub != hub) return fail(Errc::malformed, "no receipt of this hub");
  const auto key = open_key(keys, *content, name.camera);
  if (!key) return std::unexpected(key.error());
  MotionScanner scanner(*content, *key);
  ItemReader reader(*file, content->header.size, content->end);
  for (;;) {
    const auto item = reader.next(Content::read);
    if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
    if (!item || !*item) break;
    if ((*item)->head.kind == ItemKind::frame) {
      scanner.add((*item)->bytes);
    } else {
      const auto more =
          (*item)->head.kind == ItemKind::mark ? scanner.begin_group((*item)->bytes) : Result<bool>(false);
      if (!more) return std::unexpected(more.error());
      if (!*more) break;
    }
  }
  if (auto r = scanner.end_group(); !r) return std::unexpected(r.error());
  return scanner.take();
}

}  // namespace sealcam::recordings
