// SPDX-License-Identifier: Apache-2.0
/// Fields that several messages share, read in the order their map defines. Internal to protocol/.
#pragma once

#include <algorithm>

#include "core/clock.hpp"
#include "crypto/cbor.hpp"
#include "crypto/keys.hpp"

namespace sealcam::protocol {

inline Result<> read_public_key(crypto::CborReader& reader, std::int64_t key, crypto::PublicKey& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto point = reader.bytes(crypto::PublicKey::size);
  if (!point) return std::unexpected(point.error());
  auto parsed = crypto::PublicKey::parse(*point);
  if (!parsed) return std::unexpected(parsed.error());
  out = *parsed;
  return {};
}

/// Any Strong of 64 bits.
template <class Number>
Result<> read_number(crypto::CborReader& reader, std::int64_t key, Number& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto value = reader.unsigned_integer();
  if (!value) return std::unexpected(value.error());
  out = Number(*value);
  return {};
}

/// Microseconds since the Unix epoch, within ±2^53 so that every language can hold it.
inline Result<> read_time(crypto::CborReader& reader, std::int64_t key, CaptureTime& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto value = reader.integer();
  if (!value) return std::unexpected(value.error());
  constexpr std::int64_t limit = std::int64_t{1} << 53;
  if (*value > limit || *value < -limit) return fail(Errc::malformed, "time is out of range");
  out = CaptureTime{std::chrono::microseconds(*value)};
  return {};
}

inline Result<> read_digest(crypto::CborReader& reader, std::int64_t key, crypto::Digest& out) {
  if (auto r = reader.key(key); !r) return r;
  const auto bytes = reader.bytes(out.size());
  if (!bytes) return std::unexpected(bytes.error());
  std::ranges::copy(*bytes, out.begin());
  return {};
}

/// A flag that is left out where it is not set, so that a message has one spelling.
inline Result<> read_true(crypto::CborReader& reader, std::int64_t key) {
  if (auto r = reader.key(key); !r) return r;
  const auto value = reader.boolean();
  if (!value) return std::unexpected(value.error());
  if (!*value) return fail(Errc::malformed, "a flag that is not set has no place");
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
