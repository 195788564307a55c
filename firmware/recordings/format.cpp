// SPDX-License-Identifier: Apache-2.0
#include "recordings/format.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "base/format.hpp"
#include "crypto/cbor.hpp"
#include "protocol/frame.hpp"
#include "recordings/archive.hpp"

namespace sealcam::recordings {

bool CounterSet::add(const CounterRange& range) {
  constexpr std::uint64_t limit = std::uint64_t{1} << 32;
  if (range.count == 0 || range.count > limit || range.first > limit - range.count) return false;
  auto end = range.first + range.count;
  auto first = range.first;
  auto next = ranges_.lower_bound(first);
  if (next != ranges_.end() && next->first < end) return false;
  if (next != ranges_.begin()) {
    const auto before = std::prev(next);
    if (before->second > first) return false;
    if (before->second == first) {
      first = before->first;
      ranges_.erase(before);
    }
  }
  if (next != ranges_.end() && next->first == end) {
    end = next->second;
    ranges_.erase(next);
  }
  ranges_.emplace(first, end);
  return true;
}

bool CounterSet::contains(std::uint64_t counter) const {
  const auto next = ranges_.upper_bound(counter);
  return next != ranges_.begin() && std::prev(next)->second > counter;
}

std::vector<CounterRange> CounterSet::ranges() const {
  std::vector<CounterRange> all;
  all.reserve(ranges_.size());
  for (const auto& [first, end] : ranges_) all.push_back({first, end - first});
  return all;
}

std::vector<CounterRange> CounterSet::missing(std::uint64_t first, std::uint64_t last) const {
  std::vector<CounterRange> gaps;
  auto at = first;
  for (const auto& [begin, end] : ranges_) {
    if (begin > last) break;
    if (begin > at) gaps.push_back({at, begin - at});
    at = std::max(at, end);
  }
  if (at <= last) gaps.push_back({at, last - at + 1});
  return gaps;
}

namespace {

constexpr std::byte frame_start{0xd2};

/// Head of a byte string: number of bytes of the head, and of the content.
struct StringHead {
  std::size_t head = 0;
  std::uint64_t content = 0;
};

Result<StringHead> string_head(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::malformed, "an item is truncated");
  const auto first = std::to_integer<unsigned>(bytes[0]);
  if (first >> 5U != 2) return fail(Errc::malformed, "not a byte string");
  const auto info = first & 0x1fU;
  if (info < 24) return StringHead{1, info};
  if (info > 26) return fail(Errc::malformed, "a byte string is too long");
  const std::size_t width = std::size_t{1} << (info - 24);
  if (bytes.size() < 1 + width) return fail(Errc::malformed, "an item is truncated");
  std::uint64_t content = 0;
  for (const auto b : bytes.subspan(1, width)) content = content << 8 | std::to_integer<std::uint64_t>(b);
  const auto min_size = crypto::cbor_bytes_head(static_cast<std::size_t>(content)).view().size();
  if (min_size != 1 + width) return fail(Errc::malformed, "a length is not in its shortest form");
  return StringHead{1 + width, content};
}

}  // namespace

Result<CaptureTime> read_time(crypto::CborReader& reader) {
  const auto value = reader.integer();
  if (!value) return std::unexpected(value.error());
  if (*value > max_time || *value < -max_time) return fail(Errc::malformed, "time is out of range");
  return CaptureTime{std::chrono::microseconds(*value)};
}

namespace {

/// The message begins with d2 84 58 1f, the protected header of 31 bytes, a0 and the payload's byte string.
Result<ItemHead> frame_head(ByteView bytes) {
  constexpr std::size_t before = 4 + 31 + 1;
  constexpr std::array start{std::byte{0xd2}, std::byte{0x84}, std::byte{0x58}, std::byte{0x1f}};
  if (bytes.size() < before) return fail(Errc::malformed, "a frame is truncated");
  if (!std::ranges::equal(bytes.first(start.size()), start) || bytes[before - 1] != std::byte{0xa0})
    return fail(Errc::malformed, "a frame does not start like a sealed frame");
  const auto payload = string_head(bytes.subspan(before));
  if (!payload) return std::unexpected(payload.error());
  const auto size = before + payload->head + payload->content + 2 + 64;
  if (size > protocol::max_message_size) return fail(Errc::malformed, "a frame is too large");
  return ItemHead{.kind = ItemKind::frame, .size = static_cast<std::size_t>(size)};
}

Result<ItemHead> mark_head(ByteView bytes) {
  crypto::CborReader reader(bytes);
  const auto items = reader.array();
  if (!items) return std::unexpected(items.error());
  if (*items == 0 || *items > 1 + max_marked) return fail(Errc::malformed, "the mark of a group");
  const auto time = read_time(reader);
  if (!time) return std::unexpected(time.error());
  ItemHead head{.kind = ItemKind::mark, .time = *time};
  for (std::size_t i = 1; i < *items; ++i) {
    const auto counter = reader.unsigned_integer();
    if (!counter) return std::unexpected(counter.error());
    if (*counter > UINT32_MAX) return fail(Errc::malformed, "a counter in the mark of a group");
    head.left_out[head.left_out_count++] = *counter;
  }
  head.size = bytes.size() - reader.rest().size();
  return head;
}

}  // namespace

Bytes encode_header(const FileHeader& header) {
  crypto::CborWriter writer;
  writer.map(5).integer(1).unsigned_integer(format_version);
  writer.integer(2).bytes(header.owner.bytes());
  writer.integer(3).bytes(header.roster);
  writer.integer(4).bytes(header.grants);
  writer.integer(5).unsigned_integer(header.number.value());
  return writer.take();
}

Result<FileHeader> decode_header(ByteView bytes, std::size_t& size) {
  crypto::CborReader reader(bytes.first(std::min(bytes.size(), max_header_size)));
  if (auto r = reader.map(5); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto version = reader.unsigned_integer();
  if (!version) return std::unexpected(version.error());
  if (*version != format_version) return fail(Errc::unsupported, "the file has another version of the format");
  FileHeader header;
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto point = reader.bytes(crypto::PublicKey::size);
  if (!point) return std::unexpected(point.error());
  auto owner = crypto::PublicKey::parse(*point);
  if (!owner) return std::unexpected(owner.error());
  header.owner = *owner;
  for (auto* const message : {&header.roster, &header.grants}) {
    if (auto r = reader.key(message == &header.roster ? 3 : 4); !r) return std::unexpected(r.error());
    const auto content = reader.bytes();
    if (!content) return std::unexpected(content.error());
    if (content->size() > protocol::max_control_size) return fail(Errc::malformed, "a message is too large");
    message->assign(content->begin(), content->end());
  }
  if (auto r = reader.key(5); !r) return std::unexpected(r.error());
  const auto number = reader.unsigned_integer();
  if (!number) return std::unexpected(number.error());
  header.number = FileNumber(*number);
  size = std::min(bytes.size(), max_header_size) - reader.rest().size();
  return header;
}

Result<VerifiedHeader> verify_header(const FileHeader& header, const DeviceId& camera) {
  auto owner = crypto::Verifier::open(header.owner);
  if (!owner) return std::unexpected(owner.error());
  const protocol::Route route{header.owner.account(), camera};
  auto roster = protocol::decode_roster(header.roster, route, *owner);
  if (!roster) return std::unexpected(roster.error());
  auto verifier = crypto::Verifier::open(roster->camera_identity);
  if (!verifier) return std::unexpected(verifier.error());
  auto grants = protocol::decode_grants(header.grants, route, *verifier);
  if (!grants) return std::unexpected(grants.error());
  return VerifiedHeader{route, std::move(*roster), std::move(*grants), header.number, std::move(*verifier)};
}

bool is_cut_header(ByteView bytes) noexcept {
  while (!bytes.empty() && bytes.back() == std::byte{0}) bytes = bytes.first(bytes.size() - 1);
  crypto::CborReader reader(bytes);
  const auto cut = [&] {
    const auto string = string_head(reader.rest());
    return reader.rest().size() < 5 || (string && string->content > reader.rest().size() - string->head);
  };
  // A map is not accepted before its smallest size is there.
  constexpr std::size_t smallest = 1 + 2 * 5;
  if (!reader.map(5)) return bytes.empty() || (bytes.size() < smallest && bytes[0] == std::byte{0xa5});
  if (!reader.key(1) || !reader.unsigned_integer()) return false;
  for (const auto key : {2, 3, 4})
    if (!reader.key(key) || !reader.bytes()) return cut();
  return !reader.key(5) || !reader.unsigned_integer() ? reader.rest().size() < 9 : false;
}

Bytes encode_mark(CaptureTime time, std::span<const std::uint64_t> left_out) {
  SC_ASSERT(left_out.size() <= max_marked);
  crypto::CborWriter writer;
  writer.array(1 + left_out.size()).integer(std::clamp(time.since_epoch.count(), -max_time, max_time));
  for (const auto counter : left_out) writer.unsigned_integer(counter);
  return writer.take();
}

Result<ItemHead> item_head(ByteView bytes) {
  if (bytes.empty()) return fail(Errc::malformed, "an item is truncated");
  if (bytes[0] == frame_start) return frame_head(bytes.first(std::min(bytes.size(), item_head_size)));
  if (bytes[0] > std::byte{0x80} && bytes[0] <= std::byte{0x80 + 1 + max_marked})
    return mark_head(bytes.first(std::min(bytes.size(), item_head_size)));
  const auto string = string_head(bytes);
  if (!string) return fail(Errc::malformed, "not an item of a recording");
  if (string->content > protocol::max_control_size + 4)
    return fail(Errc::malformed, "a receipt is larger than 128 KiB");
  return ItemHead{.kind = ItemKind::receipt, .size = static_cast<std::size_t>(string->head + string->content)};
}

Result<FrameFacts> frame_facts(ByteView bytes) {
  constexpr std::size_t kind_at = 4 + 30, payload_at = 4 + 31 + 1;
  if (const auto head = frame_head(bytes); !head) return std::unexpected(head.error());
  const auto payload = string_head(bytes.subspan(payload_at));
  if (!payload) return std::unexpected(payload.error());
  const auto sframe = crypto::sframe::parse_header(bytes.subspan(payload_at + payload->head));
  if (!sframe) return std::unexpected(sframe.error());
  return FrameFacts{std::to_integer<std::uint8_t>(bytes[kind_at]), Epoch(sframe->header.kid),
                    Counter(sframe->header.ctr)};
}

std::size_t receipt_item_size(std::span<const std::byte, 4> last_bytes) noexcept {
  const std::size_t content = std::size_t{load_be<std::uint32_t>(last_bytes)} + 4;
  if (content <= 4 || content > protocol::max_control_size + 4) return 0;
  return crypto::cbor_bytes_head(content).view().size() + content;
}

namespace {

/// Year, month and day, within the four digits of a year.
std::chrono::sys_time<std::chrono::milliseconds> civil(CaptureTime time) {
  using namespace std::chrono;
  constexpr sys_days first = year(0) / January / 1, last = year(9999) / December / 31;
  const auto value = sys_time<milliseconds>(floor<milliseconds>(time.since_epoch));
  return std::clamp(value, sys_time<milliseconds>(first), sys_time<milliseconds>(last));
}

/// '0' in `form` stands for a digit.
bool has_form(std::string_view text, std::string_view form) noexcept {
  return std::ranges::equal(text, form, [](char c, char f) { return f == '0' ? c >= '0' && c <= '9' : c == f; });
}

}  // namespace

std::string day_name(CaptureTime time) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(civil(time)));
  return sealcam::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                         static_cast<unsigned>(day.day()));
}

std::string file_name(CaptureTime time) {
  const auto moment = civil(time);
  const std::chrono::hh_mm_ss clock(moment - std::chrono::floor<std::chrono::days>(moment));
  return sealcam::format("{:02}-{:02}-{:02}.{:03}.seal", clock.hours().count(), clock.minutes().count(),
                         clock.seconds().count(), clock.subseconds().count());
}

bool is_day_name(std::string_view text) noexcept { return has_form(text, "0000-00-00"); }
bool is_file_name(std::string_view text) noexcept { return has_form(text, "00-00-00.000.seal"); }

std::string_view name(EndReason reason) noexcept {
  switch (reason) {
    case EndReason::open: return "open";
    case EndReason::full: return "full";
    case EndReason::epoch: return "epoch";
    case EndReason::stopped: return "stopped";
    case EndReason::interrupted: return "interrupted";
    case EndReason::removed: return "removed";
    case EndReason::cloned: return "cloned";
  }
  return "";
}

std::string_view name(Mode mode) noexcept {
  switch (mode) {
    case Mode::off: return "off";
    case Mode::continuous: return "continuous";
    case Mode::motion: return "motion";
  }
  return "";
}

std::string_view name(RecorderFault fault) noexcept {
  switch (fault) {
    case RecorderFault::none: return "none";
    case RecorderFault::full: return "full";
    case RecorderFault::read_only: return "read_only";
    case RecorderFault::missing: return "missing";
    case RecorderFault::io: return "io";
    case RecorderFault::slow: return "slow";
    case RecorderFault::index: return "index";
  }
  return "";
}

}  // namespace sealcam::recordings
