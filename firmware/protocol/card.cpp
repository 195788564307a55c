// SPDX-License-Identifier: Apache-2.0
#include "protocol/card.hpp"

#include "crypto/cbor.hpp"
#include "crypto/cose.hpp"
#include "protocol/fields.hpp"

namespace sealcam::protocol {

std::string_view name(Role role) noexcept {
  switch (role) {
    case Role::camera: return "camera";
    case Role::hub: return "hub";
    case Role::owner: return "owner";
  }
  return "";
}

namespace {

Result<Role> read_role(crypto::CborReader& reader) {
  if (auto r = reader.key(1); !r) return std::unexpected(r.error());
  const auto role = reader.unsigned_integer();
  if (!role) return std::unexpected(role.error());
  if (*role < 1 || *role > 3) return fail(Errc::malformed, "unknown role");
  return static_cast<Role>(*role);
}

/// Both messages carry the key they are signed with; it is read first and the signature checked with it then.
Result<ByteView> unverified_payload(ByteView message) {
  if (auto signer = claimed_signer(message); !signer) return std::unexpected(signer.error());
  const auto view = crypto::cose::parse_sign1(message);
  if (!view) return std::unexpected(view.error());
  return view->payload;
}

Result<> verify_with(MessageName name, const Route& route, const crypto::PublicKey& key, ByteView message) {
  const auto verifier = crypto::Verifier::open(key);
  if (!verifier) return std::unexpected(verifier.error());
  const auto payload = verify_message(name, route, *verifier, message);
  if (!payload) return std::unexpected(payload.error());
  return {};
}

}  // namespace

Result<Bytes> encode_card(Role role, const crypto::DeviceKeys& keys) {
  crypto::CborWriter writer;
  writer.map(3).integer(1).integer(static_cast<int>(role)).integer(2).bytes(keys.identity.public_key().bytes());
  writer.integer(3).bytes(keys.hpke.public_key().bytes());
  return sign_message(MessageName::card, Route{AccountId(), keys.identity.id()}, keys.identity, writer.view());
}

Result<Card> decode_card(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Card card;
  if (auto r = reader.map(3); !r) return std::unexpected(r.error());
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  card.role = *role;
  if (auto r = read_public_key(reader, 2, card.identity); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, card.hpke); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (auto r = verify_with(MessageName::card, Route{AccountId(), card.identity.id()}, card.identity, message); !r)
    return std::unexpected(r.error());
  return card;
}

Result<Bytes> encode_admission(const Admission& admission, const crypto::SigningKey& owner) {
  SC_ASSERT(admission.owner == owner.public_key());
  crypto::CborWriter writer;
  writer.map(4).integer(1).integer(static_cast<int>(admission.role)).integer(2).bytes(admission.device.bytes());
  writer.integer(3).bytes(admission.owner.bytes()).integer(4).bytes(admission.tls.bytes());
  return sign_message(MessageName::admission, Route{admission.owner.account(), admission.device}, owner, writer.view());
}

Result<Admission> decode_admission(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Admission admission;
  if (auto r = reader.map(4); !r) return std::unexpected(r.error());
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  admission.role = *role;
  if (auto r = read_id(reader, 2, admission.device); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, admission.owner); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 4, admission.tls); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  const Route route{admission.owner.account(), admission.device};
  if (auto r = verify_with(MessageName::admission, route, admission.owner, message); !r)
    return std::unexpected(r.error());
  return admission;
}

}  // namespace sealcam::protocol
