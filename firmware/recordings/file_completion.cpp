// SPDX-License-Identifier: Apache-2.0
#include "recordings/file_completion.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.hpp"
#include "protocol/frame.hpp"

namespace sealcam::recordings {

namespace fs = std::filesystem;

namespace {

/// Groups that may contain content that was not durable before a power cut: the last one, and the one before it if its
/// fsync had not returned.
constexpr std::size_t doubtful_groups = 2;
/// More than two groups. If more content is not readable, somebody altered the file, and it is not changed.
constexpr std::uint64_t max_cut = 64U << 20;

/// The receipt's content, collected item by item.
struct Survey {
  std::vector<Group> groups;
  CounterSet stored;
  CounterSet left_out;
  std::uint64_t end = 0;
  CaptureTime newest;
};

/// Reads up to content.end, or to the first frame in the last `doubtful_groups` whose signature is not valid.
class Surveyor {
 public:
  Surveyor(const RecordingFile& file, const FileContent& content)
      : content_(content), reader_(file, content.header.size, content.end), opener_(content.verified.route) {
    survey_.end = content_.header.size;
  }

  /// Reads about this number of bytes. Returns true at the end. Errors: io, crypto.
  Result<bool> step(std::uint64_t bytes) {
    for (const auto begin = reader_.offset(); reader_.offset() - begin < bytes;) {
      const auto item = reader_.next(Content::read);
      if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
      if (!item || !*item || !take(**item)) return end();
      if (error_) return std::unexpected(*error_);
    }
    return false;
  }
  [[nodiscard]] Survey result() noexcept { return std::move(survey_); }

 private:
  /// False: nothing from here on is usable.
  bool take(const Item& item) {
    if (item.head.kind == ItemKind::mark) {
      end_group();
      mark_.assign(item.bytes.begin(), item.bytes.end());
      time_ = item.head.time;
      left_out_ = std::vector(item.head.left_out.begin(),
                              item.head.left_out.begin() + static_cast<std::ptrdiff_t>(item.head.left_out_count));
      ++begun_;
      return true;
    }
    const auto frame = protocol::parse_frame(item.bytes);
    const bool doubtful = begun_ + doubtful_groups > content_.groups.size();
    if (!frame || frame->epoch != content_.verified.grants.epoch ||
        (doubtful && !opener_.verify(*frame, content_.verified.camera)) || !survey_.stored.add(frame->counter.value()))
      return false;
    add(item.bytes);
    survey_.end = reader_.offset();
    return true;
  }
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
  void end_group() {
    mark_.clear();
    if (!hash_) return;
    const auto digest = hash_->finish();
    hash_.reset();
    if (digest) survey_.groups.back().digest = *digest;
    else error_ = digest.error();
  }
  Result<bool> end() {
    end_group();
    if (error_) return std::unexpected(*error_);
    return true;
  }

  const FileContent& content_;
  ItemReader reader_;
  protocol::FrameOpener opener_;
  Survey survey_;
  std::optional<Error> error_;
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

class FileCompletion::Work {
 public:
  Work(fs::path folder, FileName name, FileInspector& inspector, const crypto::SigningKey& hub)
      : folder_(std::move(folder)),
        name_(std::move(name)),
        path_(name_.below(folder_)),
        inspector_(inspector),
        hub_(hub) {}

  Result<bool> step(std::uint64_t bytes) {
    if (!file_) return begin();
    if (scanner_) {
      const auto ended = scanner_->step(bytes);
      if (!ended) return ended;
      if (*ended) begin_survey();
      return false;
    }
    const auto ended = surveyor_->step(bytes);
    if (!ended || !*ended) return ended;
    return finish(surveyor_->result());
  }

  [[nodiscard]] const FileName& name() const noexcept { return name_; }
  [[nodiscard]] const std::optional<FileInspector::Facts>& facts() const noexcept { return facts_; }

 private:
  Result<bool> begin() {
    auto file = RecordingFile::open(path_);
    if (!file) return std::unexpected(file.error());
    auto content = inspector_.read_ends(*file, name_.camera);
    if (!content) {
      Bytes room(static_cast<std::size_t>(std::min<std::uint64_t>(file->size(), max_header_size)));
      const auto bytes = file->read(0, room);
      if (!bytes) return std::unexpected(bytes.error());
      if (file->size() >= max_header_size || !is_cut_header(*bytes))
        return std::unexpected(located(content.error(), path_.native()));
      return remove();
    }
    if (content->receipt) return inspect();
    file_.emplace(std::move(*file));
    content_.emplace(std::move(*content));
    scanner_.emplace(*file_, content_->header.size);
    return false;
  }

  void begin_survey() {
    auto found = scanner_->take();
    scanner_.reset();
    content_->groups = std::move(found.groups);
    content_->end = found.end;
    surveyor_.emplace(*file_, *content_);
  }

  Result<bool> finish(Survey survey) {
    if (survey.groups.empty()) return remove();
    if (file_->size() - survey.end > max_cut)
      return std::unexpected(located({Errc::malformed, 0, "the file was altered"}, path_.native()));
    CounterSet accounted = survey.stored;
    std::vector<CounterRange> left_out;
    for (const auto& range : survey.left_out.ranges())
      if (left_out.size() < max_ranges && accounted.add(range)) left_out.push_back(range);
    const auto receipt = encode_receipt({.number = content_->header.header.number,
                                         .epoch = content_->verified.grants.epoch,
                                         .first = Counter(accounted.first()),
                                         .last = Counter(accounted.last()),
                                         .gaps = accounted.missing(accounted.first(), accounted.last()),
                                         .left_out = std::move(left_out),
                                         .groups = survey.groups,
                                         .header = content_->header.digest,
                                         .end = survey.newest,
                                         .reason = EndReason::interrupted},
                                        content_->verified.route, hub_);
    if (!receipt) return std::unexpected(receipt.error());
    if (auto r = cut_and_add(path_, survey.end, *receipt); !r) return std::unexpected(r.error());
    return inspect();
  }

  Result<bool> inspect() {
    auto facts = inspector_.inspect(folder_, name_);
    if (!facts) return std::unexpected(facts.error());
    facts_ = std::move(*facts);
    return true;
  }

  Result<bool> remove() {
    if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return fail_errno("deleting a recording", path_);
    return true;
  }

  fs::path folder_;
  FileName name_;
  fs::path path_;
  FileInspector& inspector_;
  crypto::SigningKey hub_;
  std::optional<RecordingFile> file_;
  std::optional<FileContent> content_;
  std::optional<Scanner> scanner_;
  std::optional<Surveyor> surveyor_;
  std::optional<FileInspector::Facts> facts_;
};

FileCompletion::FileCompletion(fs::path folder, FileName name, FileInspector& inspector, const crypto::SigningKey& hub)
    : work_(std::make_unique<Work>(std::move(folder), std::move(name), inspector, hub)) {}
FileCompletion::FileCompletion(FileCompletion&&) noexcept = default;
FileCompletion& FileCompletion::operator=(FileCompletion&&) noexcept = default;
FileCompletion::~FileCompletion() = default;

const FileName& FileCompletion::name() const noexcept { return work_->name(); }
Result<bool> FileCompletion::step(std::uint64_t bytes) { return work_->step(bytes); }
const std::optional<FileInspector::Facts>& FileCompletion::facts() const noexcept { return work_->facts(); }

}  // namespace sealcam::recordings
