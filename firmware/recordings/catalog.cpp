// SPDX-License-Identifier: Apache-2.0
#include "recordings/catalog.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "base/format.hpp"

namespace sealcam::recordings {

namespace {

constexpr std::size_t window_size = 64U << 10;

}  // namespace

Result<RecordingFile> RecordingFile::open(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file) return fail_errno("opening a recording", path);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail_errno("opening a recording", path);
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || size > max_file_size)
    return std::unexpected(located({Errc::malformed, 0, "not a recording"}, path.native()));
  return RecordingFile(path, std::move(file), size);
}

Result<MutableBytes> RecordingFile::read(std::uint64_t offset, MutableBytes out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto n = ::pread(file_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("reading a recording", path_);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return out.first(done);
}

Result<RecordingFile::Header> RecordingFile::read_header() const {
  Bytes bytes(std::min<std::uint64_t>(size_, 8U << 10));
  for (;;) {
    const auto content = read(0, bytes);
    if (!content) return std::unexpected(content.error());
    std::size_t size = 0;
    auto header = decode_header(*content, size);
    if (header) {
      const auto digest = crypto::sha256(content->first(size));
      if (!digest) return std::unexpected(digest.error());
      return Header{std::move(*header), size, *digest};
    }
    // Grants for many hubs need more room.
    const auto more = std::min<std::uint64_t>(size_, max_header_size);
    if (header.error().code != Errc::malformed || bytes.size() >= more) return std::unexpected(header.error());
    bytes.resize(more);
  }
}

Result<RecordingFile::SignedReceipt> RecordingFile::read_receipt(const Header& header,
                                                                 const VerifiedHeader& verified) const {
  std::array<std::byte, 4> tail{};
  if (size_ < header.size + tail.size()) return fail(Errc::not_found, "the file has no receipt");
  const auto last = read(size_ - tail.size(), tail);
  if (!last) return std::unexpected(last.error());
  const auto item_size = receipt_item_size(tail);
  if (last->size() != tail.size() || item_size == 0 || item_size > size_ - header.size)
    return fail(Errc::not_found, "the file has no receipt");
  Bytes item(item_size);
  const auto content = read(size_ - item_size, item);
  if (!content) return std::unexpected(content.error());
  const auto signer = receipt_signer(*content);
  // The last bytes of a frame may look like the size of a receipt.
  if (!signer) return fail(Errc::not_found, "the file has no receipt");
  const auto hub =
      std::ranges::find_if(verified.roster.hubs, [&](const auto& h) { return h.identity.id() == *signer; });
  if (hub == verified.roster.hubs.end()) return fail(Errc::wrong_key, "a hub that is not on the roster signed");
  const auto verifier = crypto::Verifier::open(hub->identity);
  if (!verifier) return std::unexpected(verifier.error());
  auto receipt = decode_receipt(*content, verified.route, *verifier);
  if (!receipt) return std::unexpected(receipt.error());
  const auto groups = std::accumulate(receipt->groups.begin(), receipt->groups.end(), std::uint64_t{0},
                                      [](std::uint64_t sum, const Group& group) { return sum + group.size; });
  if (header.size + groups + item_size != size_ || receipt->header != header.digest ||
      receipt->number != header.header.number || receipt->epoch != verified.grants.epoch)
    return fail(Errc::malformed, "the receipt belongs to another file");
  return SignedReceipt{std::move(*receipt), *signer};
}

Result<ByteView> ItemReader::window(std::size_t size) {
  const auto requested = static_cast<std::size_t>(std::min<std::uint64_t>(size, end_ - offset_));
  if (offset_ < buffer_at_ || offset_ + requested > buffer_at_ + buffered_) {
    const auto read_size =
        static_cast<std::size_t>(std::min<std::uint64_t>(std::max(requested, window_size), end_ - offset_));
    if (buffer_.size() < read_size) buffer_.resize(read_size);
    const auto content = file_->read(offset_, MutableBytes(buffer_).first(read_size));
    if (!content) return std::unexpected(content.error());
    buffer_at_ = offset_;
    buffered_ = content->size();
  }
  const auto begin = static_cast<std::size_t>(offset_ - buffer_at_);
  return ByteView(buffer_).subspan(begin, std::min(requested, buffered_ - begin));
}

Result<std::optional<Item>> ItemReader::next(Content content) {
  if (offset_ >= end_) return std::nullopt;
  const auto first = window(item_head_size);
  if (!first) return std::unexpected(first.error());
  const auto head = item_head(*first);
  if (!head) return std::unexpected(head.error());
  if (head->size > end_ - offset_) return fail(Errc::malformed, "an item is truncated");
  Item item{.offset = offset_, .head = *head, .bytes = {}};
  if (content == Content::read) {
    const auto bytes = window(head->size);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->size() != head->size) return fail(Errc::malformed, "an item is truncated");
    item.bytes = *bytes;
  }
  offset_ += head->size;
  return item;
}

Result<bool> Scanner::step(std::uint64_t bytes) {
  for (const auto begin = reader_.offset(); reader_.offset() - begin < bytes;) {
    const auto ended = next();
    if (!ended || *ended) return ended;
  }
  return false;
}

Result<bool> Scanner::next() {
  const auto offset = reader_.offset();
  const auto item = reader_.next(Content::skip);
  if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
  if (item && !*item) {
    if (mark_) found_.bad = mark_->offset;
    return true;
  }
  const bool is_mark = item && (*item)->head.kind == ItemKind::mark;
  const bool is_frame = item && (*item)->head.kind == ItemKind::frame;
  if ((!is_mark && !is_frame) || (is_mark && (mark_ || found_.groups.size() == max_groups)) ||
      (is_frame && !mark_ && found_.groups.empty())) {
    found_.bad = offset;
    return true;
  }
  if (is_mark) {
    mark_ = **item;
    return false;
  }
  if (mark_) {
    found_.groups.push_back({.size = mark_->head.size, .time = mark_->head.time, .digest = {}});
    mark_.reset();
  }
  found_.groups.back().size += (*item)->head.size;
  found_.end = reader_.offset();
  return false;
}

namespace fs = std::filesystem;

Result<VerifiedHeader> FileInspector::verify(const FileHeader& header, const DeviceId& camera) {
  const auto known = known_.find(camera);
  if (known != known_.end() && known->second.header.owner == header.owner &&
      known->second.header.roster == header.roster && known->second.header.grants == header.grants) {
    auto verifier = crypto::Verifier::open(known->second.roster.camera_identity);
    if (!verifier) return std::unexpected(verifier.error());
    return VerifiedHeader{
        {account_, camera}, known->second.roster, known->second.grants, header.number, std::move(*verifier)};
  }
  if (header.owner.account() != account_) return fail(Errc::wrong_key, "the file is of another account");
  auto verified = verify_header(header, camera);
  if (verified) known_.insert_or_assign(camera, Known{header, verified->roster, verified->grants});
  return verified;
}

Result<FileContent> FileInspector::begin(const RecordingFile& file, const DeviceId& camera) {
  auto header = file.read_header();
  if (!header) return std::unexpected(header.error());
  auto verified = verify(header->header, camera);
  if (!verified) return std::unexpected(verified.error());
  return FileContent{std::move(*header), std::move(*verified), {}, {}, {}, 0};
}

Result<FileContent> FileInspector::scanned(const RecordingFile& file, FileContent content) {
  Scanner scanner(file, content.header.size);
  if (auto r = scanner.step(file.size() + 1); !r) return std::unexpected(r.error());
  auto found = scanner.take();
  content.groups = std::move(found.groups);
  content.end = found.end;
  return content;
}

Result<FileContent> FileInspector::read(const RecordingFile& file, const DeviceId& camera) {
  auto content = read_ends(file, camera);
  if (!content || content->receipt) return content;
  return scanned(file, std::move(*content));
}

Result<FileContent> FileInspector::read_ends(const RecordingFile& file, const DeviceId& camera) {
  auto content = begin(file, camera);
  if (!content) return content;
  auto receipt = file.read_receipt(content->header, content->verified);
  if (!receipt && receipt.error().code == Errc::not_found) return content;
  if (!receipt) return std::unexpected(receipt.error());
  content->groups = receipt->receipt.groups;
  content->end = content->header.size;
  for (const auto& group : content->groups) content->end += group.size;
  content->hub = receipt->hub;
  content->receipt = std::move(receipt->receipt);
  return content;
}

Result<FileContent> FileInspector::read_without_receipt(const RecordingFile& file, const DeviceId& camera) {
  auto content = begin(file, camera);
  if (!content) return content;
  return scanned(file, std::move(*content));
}

Result<FrameFacts> first_frame(const RecordingFile& file, std::uint64_t group) {
  std::array<std::byte, 16 + frame_facts_size> room{};
  const auto bytes = file.read(group, room);
  if (!bytes) return std::unexpected(bytes.error());
  const auto mark = item_head(*bytes);
  if (!mark) return std::unexpected(mark.error());
  if (mark->kind != ItemKind::mark) return fail(Errc::malformed, "a group does not begin with its time");
  return frame_facts(bytes->subspan(mark->size));
}

Result<FileInspector::Facts> FileInspector::inspect(const fs::path& folder, const FileName& name) {
  const auto file = RecordingFile::open(name.below(folder));
  if (!file) return std::unexpected(file.error());
  const auto content = read(*file, name.camera);
  if (!content) return std::unexpected(located(content.error(), file->path().native()));
  if (content->groups.empty())
    return std::unexpected(located({Errc::malformed, 0, "the file has no frame"}, file->path().native()));
  Facts facts;
  facts.file = {.file = name,
                .number = content->header.header.number,
                .epoch = content->verified.grants.epoch,
                .time = {content->groups.front().time, content->groups.back().time},
                .bytes = file->size()};
  if (!content->receipt) return facts;
  facts.file.time.end = content->receipt->end;
  facts.file.reason = content->receipt->reason;
  facts.file.counters = {content->receipt->first.value(),
                         content->receipt->last.value() - content->receipt->first.value() + 1};
  std::vector<std::uint64_t> places;
  for (std::uint64_t at = content->header.size; const auto& group : content->groups)
    places.push_back(std::exchange(at, at + group.size));
  facts.gaps = locate(content->receipt->gaps, facts.file.epoch, content->groups, content->receipt->end,
                      [&](std::size_t group) -> std::optional<std::uint64_t> {
                        const auto frame = first_frame(*file, places[group]);
                        if (!frame) return std::nullopt;
                        return frame->counter.value();
                      });
  return facts;
}

}  // namespace sealcam::recordings
