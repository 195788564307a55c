// SPDX-License-Identifier: Apache-2.0
#include "protocol/ask.hpp"

#include <array>

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

Result<Bytes> encode_ask(const Ask& ask, const Route& route, const crypto::SigningKey& hub) {
  std::array<std::byte, 8> challenge;
  store_be(challenge, ask.challenge.value());
  crypto::CborWriter writer;
  writer.map(4).integer(1).integer(static_cast<int>(ask.want)).integer(2).bytes(challenge);
  writer.integer(3).unsigned_integer(ask.epoch.value()).integer(4).unsigned_integer(ask.seq.value());
  return sign_message(MessageName::ask, route, hub, writer.view());
}

static Result<Ask> parse_ask(ByteView payload) {
  crypto::CborReader reader(payload);
  Ask ask;
  if (auto r = reader.map(4); !r) return std::unexpected(r.error());
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto want = reader.unsigned_integer();
  if (!want) return std::unexpected(want.error());
  if (*want < 1 || *want > 4) return fail(Errc::malformed, "unknown want in an ask");
  ask.want = static_cast<Want>(*want);
  if (auto r = reader.key(2); !r) return std::unexpected(r.error());
  const auto challenge = reader.bytes(8);
  if (!challenge) return std::unexpected(challenge.error());
  ask.challenge = Challenge(load_be<std::uint64_t>(*challenge));
  if (ask.challenge == Challenge()) return fail(Errc::malformed, "an ask without a challenge");
  if (auto r = read_number(reader, 3, ask.epoch); !r) return std::unexpected(r.error());
  if (auto r = read_number(reader, 4, ask.seq); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  return ask;
}

Result<Ask> claimed_ask(ByteView message) {
  const auto parts = crypto::cose::parse_sign1(message);
  if (!parts) return std::unexpected(parts.error());
  return parse_ask(parts->payload);
}

Result<Ask> decode_ask(ByteView message, const Route& route, const crypto::Verifier& hub) {
  const auto payload = verify_message(MessageName::ask, route, hub, message);
  if (!payload) return std::unexpected(payload.error());
  return parse_ask(*payload);
}

}  // namespace sealcam::protocol
