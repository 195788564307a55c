// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "recordings/file_writer.hpp"

namespace sealcam::recordings {

namespace fs = std::filesystem;

namespace {

/// Groups that may contain content that was not durable before a power cut: the last one, and the one before it if its
/// fsync had not returned.
constexpr std::size_t doubtful_groups = 2;
/// More than two groups. If more content is not readable, somebody altered the file, and it is not changed.
constexpr std::uint64_t max_cut = 64U << 20;

Result<> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("deleting a recording", path);
  return {};
}

/// The receipt's content, collected item by item.
struct Survey {
  std::vector<Group> groups;
  CounterSet stored;
  CounterSet left_out;
  std::uint64_t end = 0;
  CaptureTime newest;
};

class Surveyor {
 public:
  Surveyor(const RecordingFile& file, const FileContent& content) : file_(file), content_(content) {}

  /// Reads up to content.end, or to the first frame of the doubtful groups whose signature is not valid. Errors: io,
  /// crypto.
  Result<Survey> run() {
    ItemReader reader(file_, content_.header.size, content_.end);
    const protocol::FrameOpener opener(content_.verified.route);
    survey_.end = content_.header.size;
    for (;;) {
      const auto item = reader.next(Content::read);
      if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
      if (!item || !*item) break;
      if ((*item)->head.kind == ItemKind::mark) {
        if (auto r = end_group(); !r) return std::unexpected(r.error());
        mark_.assign((*item)->bytes.begin(), (*item)->bytes.end());
        time_ = (*item)->head.time;
        left_out_ =
            std::vector((*item)->head.left_out.begin(),
                        (*item)->head.left_out.begin() + static_cast<std::ptrdiff_t>((*item)->head.left_out_count));
        ++begun_;
        continue;
      }
      const auto frame = protocol::parse_frame((*item)->bytes);
      const bool doubtful = begun_ + doubtful_groups > content_.groups.size();
      if (!frame || frame->epoch != content_.verified.grants.epoch ||
          (doubtful && !opener.verify(*frame, content_.verified.camera)) || !survey_.stored.add(frame->counter.value()))
        break;
      add((*item)->bytes);
      survey_.end = reader.offset();
    }
    if (auto r = end_group(); !r) return std::unexpected(r.error());
    return std::move(survey_);
  }

 private:
  void add(ByteView frame) {
    if (!mark_.empty()) {
      survey_.groups.push_back({.size = mark_.size(), .time = time_, .digest = {}});
      hash_ = std::make_unique<crypto::Sha256>();
      hash_->update(mark_);
      mark_.clear();
      for (const auto counter : left_out_) (void)survey_.left_out.add(counter);
    }
    survey_.groups.back().size += frame.size();
    survey_.newest = time_;
    hash_->update(frame);
  }
  Result<> end_group() {
    mark_.clear();
    if (!hash_) return {};
    const auto digest = hash_->finish();
    hash_.reset();
    if (!digest) return std::unexpected(digest.error());
    survey_.groups.back().digest = *digest;
    return {};
  }

  const RecordingFile& file_;
  const FileContent& content_;
  Survey survey_;
  std::size_t begun_ = 0;
  Bytes mark_;
  CaptureTime time_;
  std::vector<std::uint64_t> left_out_;
  std::unique_ptr<crypto::Sha256> hash_;
};

Result<> cut_and_add(const fs::path& path, std::uint64_t size, ByteView receipt) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_APPEND));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(size)) != 0 || !write_all(file.get(), receipt) ||
      ::fsync(file.get()) != 0)
    return fail_errno("completing a recording", path);
  return {};
}

}  // namespace

Result<std::optional<FileInspector::Facts>> complete(const fs::path& folder, const FileName& name,
                                                     FileInspector& inspector, const crypto::SigningKey& hub) {
  const auto path = name.below(folder);
  const auto file = RecordingFile::open(path);
  if (!file) return std::unexpected(file.error());
  const auto content = inspector.read(*file, name.camera);
  if (!content) {
    Bytes begin(static_cast<std::size_t>(std::min<std::uint64_t>(file->size(), max_header_size)));
    const auto bytes = file->read(0, begin);
    if (!bytes) return std::unexpected(bytes.error());
    if (file->size() >= max_header_size || !is_cut_header(*bytes))
      return std::unexpected(located(content.error(), path.native()));
    if (auto r = remove_file(path); !r) return std::unexpected(r.error());
    return std::nullopt;
  }
  if (content->receipt) {
    auto facts = inspector.inspect(folder, name);
    if (!facts) return std::unexpected(facts.error());
    return std::move(*facts);
  }
  auto survey = Surveyor(*file, *content).run();
  if (!survey) return std::unexpected(survey.error());
  if (survey->groups.empty()) {
    if (auto r = remove_file(path); !r) return std::unexpected(r.error());
    return std::nullopt;
  }
  if (file->size() - survey->end > max_cut)
    return std::unexpected(located({Errc::malformed, 0, "the file was altered"}, path.native()));
  CounterSet accounted = survey->stored;
  std::vector<CounterRange> left_out;
  for (const auto& range : survey->left_out.ranges())
    if (accounted.add(range)) left_out.push_back(range);
  const auto receipt = encode_receipt({.number = content->header.header.number,
                                       .epoch = content->verified.grants.epoch,
                                       .first = Counter(accounted.first()),
                                       .last = Counter(accounted.last()),
                                       .gaps = accounted.missing(accounted.first(), accounted.last()),
                                       .left_out = std::move(left_out),
                                       .groups = survey->groups,
                                       .header = content->header.digest,
                                       .end = survey->newest,
                                       .reason = EndReason::interrupted},
                                      content->verified.route, hub);
  if (!receipt) return std::unexpected(receipt.error());
  if (auto r = cut_and_add(path, survey->end, *receipt); !r) return std::unexpected(r.error());
  auto facts = inspector.inspect(folder, name);
  if (!facts) return std::unexpected(facts.error());
  return std::move(*facts);
}

}  // namespace sealcam::recordings
