// SPDX-License-Identifier: Apache-2.0
#include "recordings/verifier.hpp"

#include <algorithm>
#include <map>

#include "base/format.hpp"
#include "protocol/frame.hpp"
#include "recordings/listing.hpp"

namespace sealcam::recordings {

namespace {

/// One file.
class FileVerifier {
 public:
  FileVerifier(const RecordingFile& file, const FileContent& content, FileReport& report)
      : file_(file), content_(content), report_(report), opener_(content.verified.route) {}

  void run() {
    const auto end = content_.receipt ? content_.end : file_.size();
    ItemReader reader(file_, content_.header.size, end);
    for (;;) {
      const auto offset = reader.offset();
      const auto item = reader.next(Content::read);
      if (!item) {
        const bool read_failed = item.error().code != Errc::malformed;
        add(read_failed ? FaultKind::unreadable : FaultKind::item, offset, to_string(item.error()));
        sound_ = false;
        break;
      }
      if (!*item) break;
      if ((*item)->head.kind == ItemKind::mark) on_mark(**item);
      else if ((*item)->head.kind == ItemKind::frame) on_frame(**item);
      else {
        // A receipt is accepted at the end of the file only, and was read from there.
        add(FaultKind::item, offset, "a receipt before the end of the file");
        sound_ = false;
        break;
      }
    }
    end_group();
    if (content_.receipt) check_receipt(*content_.receipt);
    else if (!groups_.empty()) report_.time = {groups_.front().time, groups_.back().time};
    finish();
  }

 private:
  void add(FaultKind kind, std::uint64_t offset, std::string text) {
    report_.faults.push_back({kind, report_.file, offset, std::move(text)});
  }

  void on_mark(const Item& item) {
    end_group();
    if (pending_mark_) add(FaultKind::item, item.offset, "a group without a frame");
    pending_mark_ = true;
    groups_.push_back({.size = item.bytes.size(), .time = item.head.time, .digest = {}});
    places_.push_back(item.offset);
    first_counters_.push_back(0);
    hash_ = std::make_unique<crypto::Sha256>();
    hash_->update(item.bytes);
    for (std::size_t i = 0; i < item.head.left_out_count; ++i) (void)marked_.add(item.head.left_out[i]);
  }

  void on_frame(const Item& item) {
    if (groups_.empty()) return add(FaultKind::item, item.offset, "a frame before the first group");
    groups_.back().size += item.bytes.size();
    hash_->update(item.bytes);
    const bool first = std::exchange(pending_mark_, false);
    const auto frame = protocol::parse_frame(item.bytes);
    if (!frame) return add(FaultKind::item, item.offset, to_string(frame.error()));
    if (auto r = opener_.verify(*frame, content_.verified.camera); !r)
      return add(
          FaultKind::signature, item.offset,
          r.error().code == Errc::wrong_key ? "a frame of another camera" : "the camera did not sign this frame");
    if (frame->epoch != content_.verified.grants.epoch)
      return add(FaultKind::other_epoch, item.offset, "a frame of another epoch");
    const auto counter = frame->counter.value();
    if (!stored_.empty() && counter <= last_counter_)
      return add(FaultKind::order, item.offset, sealcam::format("frame {} follows frame {}", counter, last_counter_));
    const bool key = frame->kind == protocol::FrameKind::key;
    if ((!key && frame->kind != protocol::FrameKind::delta) || (key && !first) || (!key && first && groups_.size() > 1))
      add(FaultKind::order, item.offset, "a kind of frame that does not fit this place");
    (void)stored_.add(counter);
    last_counter_ = counter;
    if (first) first_counters_.back() = counter;
    ++report_.frames;
  }

  void end_group() {
    if (!hash_) return;
    if (const auto digest = hash_->finish()) groups_.back().digest = *digest;
    hash_.reset();
  }

  void check_receipt(const Receipt& receipt) {
    report_.time = {receipt.groups.front().time, receipt.end};
    if (!sound_) return;  // the groups are not known
    std::size_t same = 0;
    while (same < groups_.size() && same < receipt.groups.size() && groups_[same] == receipt.groups[same]) ++same;
    if (same < groups_.size() || same < receipt.groups.size())
      add(FaultKind::group, same < places_.size() ? places_[same] : file_.size(),
          sealcam::format("group {} differs from the receipt", same + 1));
    CounterSet all = stored_;
    bool fits = true;
    for (const auto* const ranges : {&receipt.gaps, &receipt.left_out})
      for (const auto& range : *ranges) fits = all.add(range) && fits;
    const auto total = all.ranges();
    if (!fits || total.size() != 1 || total.front().first != receipt.first.value() ||
        all.last() != receipt.last.value())
      add(FaultKind::receipt, content_.end, "the counters in the receipt are not those of the frames");
    report_.gaps = locate(receipt.gaps, receipt.epoch, groups_, receipt.end,
                          [&](std::size_t group) { return std::optional(first_counters_[group]); });
  }

  void finish() {
    CounterSet counters = stored_;
    if (content_.receipt) {
      for (const auto& range : content_.receipt->left_out) (void)counters.add(range);
    } else {
      for (const auto& range : marked_.ranges()) (void)counters.add(range);
      if (!stored_.empty())
        report_.gaps =
            locate(counters.missing(stored_.first(), stored_.last()), content_.verified.grants.epoch, groups_,
                   report_.time.end, [&](std::size_t i) { return std::optional(first_counters_[i]); });
    }
    report_.counters = counters.ranges();
    if (!groups_.empty() && (report_.file.day != day_name(groups_.front().time) || !near_name(groups_.front().time)))
      add(FaultKind::name, 0, "the name of the file is not the time of its first group");
  }

  /// A recorder takes the next free millisecond, at most 100 later.
  [[nodiscard]] bool near_name(CaptureTime time) const {
    for (int i = 0; i <= 100; ++i, time.since_epoch += std::chrono::milliseconds(1))
      if (report_.file.name == file_name(time)) return true;
    return false;
  }

  const RecordingFile& file_;
  const FileContent& content_;
  FileReport& report_;
  protocol::FrameOpener opener_;
  std::vector<Group> groups_;
  std::vector<std::uint64_t> places_, first_counters_;
  std::unique_ptr<crypto::Sha256> hash_;
  CounterSet stored_, marked_;
  std::uint64_t last_counter_ = 0;
  bool pending_mark_ = false;
  bool sound_ = true;
};

/// Files of one camera.
class CameraVerifier {
 public:
  CameraVerifier(const DeviceId& camera, FolderReport& report) : camera_(camera), report_(report) {}

  void add(const FileReport& file) {
    if (file.number) {
      const auto [known, is_new] = numbers_.emplace(file.number->value(), file.file);
      if (!is_new) fault(FaultKind::repeated, file.file, "the same number as " + known->second.name);
    }
    if (!file.epoch) return;
    auto& epoch = epochs_[*file.epoch];
    bool repeated = false;
    for (const auto& range : file.counters) repeated = !epoch.counters.add(range) || repeated;
    if (repeated) fault(FaultKind::repeated, file.file, "frames that another file contains too");
    if (epoch.time.begin == CaptureTime() || file.time.begin < epoch.time.begin) epoch.time.begin = file.time.begin;
    epoch.time.end = std::max(epoch.time.end, file.time.end);
    for (const auto& gap : file.gaps) (void)epoch.known_gaps.add(CounterRange{gap.first.value(), gap.frames});
    epoch.gaps.insert(epoch.gaps.end(), file.gaps.begin(), file.gaps.end());
  }

  void finish() {
    std::uint64_t next = 0;
    for (const auto& [number, file] : numbers_) {
      if (next != 0 && number > next)
        fault(FaultKind::missing_files, file,
              sealcam::format("{} files before this one are missing: deleted, or lost", number - next));
      next = number + 1;
    }
    for (auto& [id, epoch] : epochs_) {
      // Another file may contain frames that arrived later.
      for (const auto& gap : epoch.gaps)
        for (const auto& part : epoch.counters.missing(gap.first.value(), gap.first.value() + gap.frames - 1))
          report_.gaps.emplace_back(camera_, Gap{gap.time, id, Counter(part.first), part.count});
      if (epoch.counters.empty()) continue;
      for (const auto& gap : epoch.counters.missing(epoch.counters.first(), epoch.counters.last()))
        if (!epoch.known_gaps.contains(gap.first))
          report_.gaps.emplace_back(camera_, Gap{epoch.time, id, Counter(gap.first), gap.count});
    }
  }

 private:
  struct EpochContent {
    CounterSet counters, known_gaps;
    std::vector<Gap> gaps;
    TimeRange time;
  };
  void fault(FaultKind kind, const FileName& file, std::string text) {
    report_.faults.push_back({kind, file, 0, std::move(text)});
  }
  DeviceId camera_;
  FolderReport& report_;
  std::map<std::uint64_t, FileName> numbers_;
  std::map<Epoch, EpochContent> epochs_;
};

bool has_receipt_fault(const FileReport& report) {
  return std::ranges::contains(report.faults, FaultKind::receipt, &Fault::kind);
}

}  // namespace

std::string_view name(FaultKind kind) noexcept {
  switch (kind) {
    case FaultKind::unreadable: return "unreadable";
    case FaultKind::header: return "header";
    case FaultKind::item: return "item";
    case FaultKind::signature: return "signature";
    case FaultKind::other_epoch: return "other_epoch";
    case FaultKind::order: return "order";
    case FaultKind::group: return "group";
    case FaultKind::receipt: return "receipt";
    case FaultKind::name: return "name";
    case FaultKind::repeated: return "repeated";
    case FaultKind::missing_files: return "missing_files";
  }
  return "";
}

FileReport verify_file(const std::filesystem::path& folder, const FileName& name, FileInspector& inspector) {
  FileReport report;
  report.file = name;
  const auto fault = [&](FaultKind kind, std::string text) {
    report.faults.push_back({kind, name, 0, std::move(text)});
  };
  const auto file = RecordingFile::open(name.below(folder));
  if (!file) {
    fault(FaultKind::unreadable, to_string(file.error()));
    return report;
  }
  report.bytes = file->size();
  auto content = inspector.read(*file, name.camera);
  if (!content) {
    // The frames are checked also if the receipt is not valid, because they show the place.
    auto without = inspector.read_without_receipt(*file, name.camera);
    if (!without) {
      const bool unread = without.error().code == Errc::io || without.error().code == Errc::permission;
      fault(unread ? FaultKind::unreadable : FaultKind::header, to_string(without.error()));
      return report;
    }
    fault(FaultKind::receipt, to_string(content.error()));
    content = std::move(without);
  }
  report.number = content->header.header.number;
  report.epoch = content->verified.grants.epoch;
  if (content->receipt) {
    report.reason = content->receipt->reason;
    report.hub = content->hub;
  }
  FileVerifier(*file, *content, report).run();
  return report;
}

Result<FolderReport> verify_folder(const std::filesystem::path& folder, const VerifyOptions& options) {
  const auto files = options.camera ? list_files(folder, *options.camera) : list_files(folder);
  if (!files) return std::unexpected(files.error());
  std::uint64_t all = 0;
  for (const auto& file : *files) all += file.bytes;
  FolderReport report;
  FileInspector inspector(options.account);
  std::optional<CameraVerifier> verifier;
  for (std::size_t i = 0; i < files->size(); ++i) {
    const auto& file = (*files)[i];
    if (!verifier || (*files)[i - 1].file.camera != file.file.camera) {
      if (verifier) verifier->finish();
      verifier.emplace(file.file.camera, report);
    }
    auto result = verify_file(folder, file.file, inspector);
    if (options.open.contains(file.file)) {
      // The recorder may be within a frame, or within the receipt.
      std::erase_if(result.faults, [](const Fault& fault) { return fault.kind == FaultKind::item; });
    } else if (result.epoch && result.reason == EndReason::open && !has_receipt_fault(result)) {
      result.faults.push_back({FaultKind::receipt, file.file, result.bytes,
                               "the file has no receipt: its end was cut off, or the recorder was interrupted"});
    }
    ++report.files;
    report.bytes += result.bytes;
    report.frames += result.frames;
    if (result.reason == EndReason::open) ++report.without_receipt;
    report.faults.insert(report.faults.end(), result.faults.begin(), result.faults.end());
    verifier->add(result);
    if (options.progress && !options.progress(report.bytes, all))
      return fail(Errc::canceled, "the check was interrupted");
  }
  if (verifier) verifier->finish();
  for (const auto& [id, gap] : report.gaps) report.lost_frames += gap.frames;
  return report;
}

}  // namespace sealcam::recordings
