// SPDX-License-Identifier: Apache-2.0
/// For this module only: fields of several messages.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "crypto/keys.hpp"
#include "protocol/envelope.hpp"
#include "protocol/status.hpp"

namespace sealcam::protocol {

/// For messages that contain the key of their signer: the decoder reads the key first, then it verifies the signature.
inline Result<ByteView> unverified_payload(ByteView message) {
  if (auto signer = claimed_signer(message); !signer) return std::unexpected(signer.error());
  const auto view = crypto::cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  return view->payload;
}

inline Result<> verify_with(MessageName name, const Route& route, const crypto::PublicKey& key, ByteView message) {
  const auto verifier = crypto::Verifier::open(key);
  if (!verifier) return std::unexpected(verifier.error());
  const auto payload = verify_message(name, route, *verifier, message);
  if (!payload) return std::unexpected(payload.error());
  return {};
}

inline Result<> read_public_key(crypto::CborReader& reader, crypto::PublicKey& out) {
  const auto point = reader.bytes(crypto::PublicKey::size);
  if (!point) return std::unexpected(point.error());
  auto parsed = crypto::PublicKey::parse(*point);
  if (!parsed) return std::unexpected(parsed.error());
  out = *parsed;
  return {};
}

inline Result<> read_public_key(crypto::CborReader& reader, std::int64_t key, crypto::PublicKey& out) {
  if (auto r = reader.key(key); !r) return r;
  return read_public_key(reader, out);
}

/// For numbers with a Strong type of 64 bits.
template <class Number>
Result<> read_number(crypto::CborReader& reader, std::int64_t key, Number& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  out = Number(*value);
  return {};
}

/// Microseconds since the Unix epoch. The limit of ±2^53 lets every programming language represent the value.
inline Result<> read_time(crypto::CborReader& reader, CaptureTime& out) {
  const auto value = reader.integer();
  if (!value) return std::unexpected(value.error());
  constexpr std::int64_t limit = std::int64_t{1} << 53;
  if (*value > limit || *value < -limit) return fail(Errc::malformed, "time is out of range");
  out = CaptureTime{std::chrono::microseconds(*value)};
  return {};
}

inline Result<> read_time(crypto::CborReader& reader, std::int64_t key, CaptureTime& out) {
  if (auto r = reader.key(key); !r) return r;
  return read_time(reader, out);
}

/// Eight bytes that are not all zero. For numbers with a Strong type of 64 bits.
template <class Number>
Result<> read_eight_bytes(crypto::CborReader& reader, Number& out) {
  const auto bytes = reader.bytes(8);
  if (!bytes) return std::unexpected(bytes.error());
  out = Number(load_be<std::uint64_t>(*bytes));
  if (out == Number()) return fail(Errc::malformed, "eight bytes that must be random are all zero");
  return {};
}

template <class Number>
Result<> read_eight_bytes(crypto::CborReader& reader, std::int64_t key, Number& out) {
  if (auto r = reader.key(key); !r) return r;
  return read_eight_bytes(reader, out);
}

template <class Number>
void write_eight_bytes(crypto::CborWriter& writer, Number value) {
  std::array<std::byte, 8> bytes;
  store_be(bytes, value.value());
  writer.bytes(bytes);
}

inline Result<> read_digest(crypto::CborReader& reader, std::int64_t key, crypto::Digest& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto bytes = reader.bytes(out.size());
  if (!bytes) return std::unexpected(bytes.error());
  std::ranges::copy(*bytes, out.begin());
  return {};
}

/// A flag. An unset flag is absent, so that each message has one encoding.
inline Result<> read_true(crypto::CborReader& reader) {
  const auto value = reader.boolean();
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::malformed, "flag is present but false");
  return {};
}

inline Result<> read_true(crypto::CborReader& reader, std::int64_t key) {
  if (auto r = reader.key(key); !r) return r;
  return read_true(reader);
}

/// Newer cameras may report other faults.
inline Result<> read_fault(crypto::CborReader& reader, CameraFault& out) {
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  if (*value == 0 || *value > 255) return fail(Errc::malformed, "fault is out of range");
  out = static_cast<CameraFault>(std::min<std::uint64_t>(*value, static_cast<int>(CameraFault::other)));
  return {};
}

/// Whether the ranges are 1 to PastRange::max, ascend and do not overlap, with counters of 32 bits.
[[nodiscard]] inline bool fits(std::span<const PastRange> ranges) noexcept {
  if (ranges.empty() || ranges.size() > PastRange::max) return false;
  const PastRange* before = nullptr;
  for (const PastRange& range : ranges) {
    if (range.first > range.last || range.last.value() > std::numeric_limits<std::uint32_t>::max()) return false;
    if (before != nullptr && range.epoch < before->epoch) return false;
    if (before != nullptr && range.epoch == before->epoch && range.first <= before->last) return false;
    before = &range;
  }
  return true;
}

inline void write_past(crypto::CborWriter& writer, std::span<const PastRange> ranges) {
  writer.array(ranges.size());
  for (const PastRange& range : ranges) {
    writer.array(3).unsigned_integer(range.epoch.value());
    writer.unsigned_integer(range.first.value()).unsigned_integer(range.last.value());
  }
}

inline Result<> read_past(crypto::CborReader& reader, std::vector<PastRange>& out) {
  const auto count = reader.array();
  if (!count) return std::unexpected(count.error());
  if (*count > PastRange::max) return fail(Errc::malformed, "too many ranges of frames");
  for (std::size_t i = 0; i < *count; ++i) {
    if (auto r = reader.array(3); !r) return r;
    const auto epoch = reader.unsigned_integer();
    if (!epoch) return std::unexpected(epoch.error());
    const auto first = reader.unsigned_integer();
    if (!first) return std::unexpected(first.error());
    const auto last = reader.unsigned_integer();
    if (!last) return std::unexpected(last.error());
    out.push_back({Epoch(*epoch), Counter(*first), Counter(*last)});
  }
  if (!fits(out)) return fail(Errc::malformed, "the ranges of frames are empty, too large, or not in order");
  return {};
}

inline Result<> read_id(crypto::CborReader& reader, std::int64_t key, DeviceId& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto bytes = reader.bytes(DeviceId::size);
  if (!bytes) return std::unexpected(bytes.error());
  auto id = DeviceId::from(*bytes);
  if (!id) return std::unexpected(id.error());
  out = *id;
  return {};
}

}  // namespace sealcam::protocol
