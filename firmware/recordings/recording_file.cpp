// SPDX-License-Identifier: Apache-2.0
#include "recordings/recording_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

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
    return fail(Errc::malformed, "the receipt is of another file");
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
  if (head->size > end_ - offset_) return fail(Errc::malformed, "an item is cut short");
  Item item{.offset = offset_, .head = *head, .bytes = {}};
  if (content == Content::read) {
    const auto bytes = window(head->size);
    if (!bytes) return std::unexpected(bytes.error());
    if (bytes->size() != head->size) return fail(Errc::malformed, "an item is cut short");
    item.bytes = *bytes;
  }
  offset_ += head->size;
  return item;
}

Result<Scan> scan(const RecordingFile& file, std::uint64_t header_size) {
  Scan found{.groups = {}, .end = header_size, .bad = {}};
  ItemReader reader(file, header_size, file.size());
  std::optional<Item> mark;  // without a frame yet
  for (;;) {
    const auto offset = reader.offset();
    const auto item = reader.next(Content::skip);
    if (!item && item.error().code != Errc::malformed) return std::unexpected(item.error());
    if (item && !*item) break;
    const bool is_mark = item && (*item)->head.kind == ItemKind::mark;
    const bool is_frame = item && (*item)->head.kind == ItemKind::frame;
    if ((!is_mark && !is_frame) || (is_mark && (mark || found.groups.size() == max_groups)) ||
        (is_frame && !mark && found.groups.empty())) {
      found.bad = offset;
      return found;
    }
    if (is_mark) {
      mark = **item;
      continue;
    }
    if (mark) {
      found.groups.push_back({.size = mark->head.size, .time = mark->head.time, .digest = {}});
      mark.reset();
    }
    found.groups.back().size += (*item)->head.size;
    found.end = reader.offset();
  }
  if (mark) found.bad = mark->offset;
  return found;
}

}  // namespace sealcam::recordings
