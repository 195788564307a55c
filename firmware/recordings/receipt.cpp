// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "crypto/cbor.hpp"
#include "recordings/format.hpp"

namespace sealcam::recordings {

namespace {

using crypto::CborReader;
using crypto::CborWriter;

void write_ranges(CborWriter& writer, std::int64_t key, const std::vector<CounterRange>& ranges) {
  writer.integer(key).array(ranges.size());
  for (const auto& range : ranges) writer.array(2).unsigned_integer(range.first).unsigned_integer(range.count);
}

Result<> read_ranges(CborReader& reader, std::int64_t key, std::vector<CounterRange>& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count > max_ranges) return fail(Errc::malformed, "a receipt has too many ranges");
  std::uint64_t after = 0;  // the first counter that the next range may contain
  for (std::size_t i = 0; i < *count; ++i) {
    if (auto r = reader.array(2); !r) return r;
    const auto first = reader.unsigned_integer();
    if (!first) return std::unexpected(first.error());
    const auto number = reader.unsigned_integer();
    if (!number) return std::unexpected(number.error());
    if (*first > UINT32_MAX || *number == 0 || *number > UINT32_MAX || *first < after)
      return fail(Errc::malformed, "a range of a receipt");
    out.push_back({*first, *number});
    after = *first + *number + 1;  // adjacent ranges are one
  }
  return {};
}

template <class Number>
Result<> read_number(CborReader& reader, std::int64_t key, Number& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  out = Number(*value);
  return {};
}

Result<> read_time(CborReader& reader, CaptureTime& out) {
  const auto time = recordings::read_time(reader);
  if (!time) return std::unexpected(time.error());
  out = *time;
  return {};
}

Result<> read_digest(CborReader& reader, crypto::Digest& out) {
  const auto bytes = reader.bytes(out.size());
  if (!bytes) return std::unexpected(bytes.error());
  std::ranges::copy(*bytes, out.begin());
  return {};
}

Result<> read_groups(CborReader& reader, std::vector<Group>& out) {
  if (auto r = reader.key(7); !r) return r;
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count == 0 || *count > max_groups) return fail(Errc::malformed, "number of groups in a receipt");
  for (std::size_t i = 0; i < *count; ++i) {
    Group group;
    if (auto r = reader.array(3); !r) return r;
    const auto size = reader.unsigned_integer();
    if (!size) return std::unexpected(size.error());
    if (*size == 0 || *size > max_file_size) return fail(Errc::malformed, "size of a group in a receipt");
    group.size = *size;
    if (auto r = read_time(reader, group.time); !r) return r;
    if (auto r = read_digest(reader, group.digest); !r) return r;
    out.push_back(group);
  }
  return {};
}

Result<Receipt> read_payload(ByteView payload) {
  CborReader reader(payload);
  Receipt receipt;
  std::uint64_t reason = 0;
  Result<> r = reader.map(10);
  if (r) r = read_number(reader, 1, receipt.number);
  if (r) r = read_number(reader, 2, receipt.epoch);
  if (r) r = read_number(reader, 3, receipt.first);
  if (r) r = read_number(reader, 4, receipt.last);
  if (r) r = read_ranges(reader, 5, receipt.gaps);
  if (r) r = read_ranges(reader, 6, receipt.left_out);
  if (r) r = read_groups(reader, receipt.groups);
  if (r) r = reader.key(8);
  if (r) r = read_digest(reader, receipt.header);
  if (r) r = reader.key(9);
  if (r) r = read_time(reader, receipt.end);
  if (r) r = read_number(reader, 10, reason);
  if (r) r = reader.finish();
  if (!r) return std::unexpected(r.error());
  if (receipt.first > receipt.last || receipt.last.value() > UINT32_MAX)
    return fail(Errc::malformed, "the counters of a receipt");
  if (reason == 0 || reason > static_cast<std::uint64_t>(EndReason::cloned))
    return fail(Errc::malformed, "the reason in a receipt");
  receipt.reason = static_cast<EndReason>(reason);
  return receipt;
}

/// The message inside the item.
Result<ByteView> message_of(ByteView item) {
  CborReader reader(item);
  const auto content = reader.bytes();
  if (!content) return std::unexpected(content.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (content->size() < 4 || load_be<std::uint32_t>(content->last(4)) != content->size() - 4)
    return fail(Errc::malformed, "the size at the end of a receipt");
  return content->first(content->size() - 4);
}

}  // namespace

Result<Bytes> encode_receipt(const Receipt& receipt, const protocol::Route& route, const crypto::SigningKey& hub) {
  SC_ASSERT(receipt.groups.size() <= max_groups && receipt.reason != EndReason::open);
  CborWriter writer;
  writer.map(10);
  writer.integer(1).unsigned_integer(receipt.number.value());
  writer.integer(2).unsigned_integer(receipt.epoch.value());
  writer.integer(3).unsigned_integer(receipt.first.value());
  writer.integer(4).unsigned_integer(receipt.last.value());
  write_ranges(writer, 5, receipt.gaps);
  write_ranges(writer, 6, receipt.left_out);
  writer.integer(7).array(receipt.groups.size());
  for (const auto& group : receipt.groups)
    writer.array(3)
        .unsigned_integer(group.size)
        .integer(std::clamp(group.time.since_epoch.count(), -max_time, max_time))
        .bytes(group.digest);
  writer.integer(8).bytes(receipt.header);
  writer.integer(9).integer(std::clamp(receipt.end.since_epoch.count(), -max_time, max_time));
  writer.integer(10).unsigned_integer(static_cast<std::uint64_t>(receipt.reason));
  auto message = protocol::sign_message(protocol::MessageName::receipt, route, hub, writer.view());
  if (!message) return message;
  std::array<std::byte, 4> size;
  store_be(size, static_cast<std::uint32_t>(message->size()));
  message->insert(message->end(), size.begin(), size.end());
  CborWriter item;
  item.bytes(*message);
  return item.take();
}

Result<DeviceId> receipt_signer(ByteView item) {
  const auto message = message_of(item);
  if (!message) return std::unexpected(message.error());
  return protocol::claimed_signer(*message);
}

Result<Receipt> decode_receipt(ByteView item, const protocol::Route& route, const crypto::Verifier& hub) {
  const auto message = message_of(item);
  if (!message) return std::unexpected(message.error());
  const auto payload = protocol::verify_message(protocol::MessageName::receipt, route, hub, *message);
  if (!payload) return std::unexpected(payload.error());
  return read_payload(*payload);
}

}  // namespace sealcam::recordings
