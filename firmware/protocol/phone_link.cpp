// SPDX-License-Identifier: Apache-2.0
#include "protocol/phone_link.hpp"

#include <algorithm>

#include "crypto/cbor.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<LinkSlot> parse_link_slot(std::string_view text) {
  LinkSlot slot{};
  const auto bytes = from_hex(text);
  // One text for each slot, so that a rejected path and an accepted one cannot name the same slot.
  if (!bytes || bytes->size() != slot.size() || to_hex(*bytes) != text)
    return fail(Errc::malformed, "a slot is 32 lower-case hexadecimal digits");
  std::ranges::copy(*bytes, slot.begin());
  return slot;
}

Result<Bytes> encode_link_opening(const LinkOpening& opening, const crypto::SigningKey& owner) {
  SC_ASSERT(opening.owner == owner.public_key());
  crypto::CborWriter writer;
  writer.map(3).integer(1).bytes(opening.slot).integer(2).bytes(opening.owner.bytes());
  writer.integer(3).integer(opening.time.since_epoch.count());
  return sign_message(MessageName::link, Route{opening.owner.account(), DeviceId()}, owner, writer.view());
}

Result<LinkOpening> decode_link_opening(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  LinkOpening opening;
  if (auto r = reader.map(3); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto slot = reader.bytes(opening.slot.size());
  if (!slot) return std::unexpected(slot.error());
  std::ranges::copy(*slot, opening.slot.begin());
  if (auto r = read_public_key(reader, 2, opening.owner); !r) return std::unexpected(r.error());
  if (auto r = read_time(reader, 3, opening.time); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  const Route route{opening.owner.account(), DeviceId()};
  if (auto r = verify_with(MessageName::link, route, opening.owner, message); !r) return std::unexpected(r.error());
  return opening;
}

}  // namespace sealcam::protocol
