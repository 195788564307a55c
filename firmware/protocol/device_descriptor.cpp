// SPDX-License-Identifier: Apache-2.0
#include "protocol/device_descriptor.hpp"

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

/// Both messages carry the key of their signer. The decoder reads the key first, then it verifies the signature.
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

Result<Bytes> encode_device_descriptor(Role role, const crypto::DeviceKeys& keys, const crypto::PublicKey& tls) {
  crypto::CborWriter writer;
  writer.map(4).integer(1).integer(static_cast<int>(role)).integer(2).bytes(keys.identity.public_key().bytes());
  writer.integer(3).bytes(keys.hpke.public_key().bytes()).integer(4).bytes(tls.bytes());
  return sign_message(MessageName::descriptor, Route{AccountId(), keys.identity.id()}, keys.identity, writer.view());
}

Result<DeviceDescriptor> decode_device_descriptor(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  DeviceDescriptor descriptor;
  if (auto r = reader.map(4); !r) return std::unexpected(r.error());
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  descriptor.role = *role;
  if (auto r = read_public_key(reader, 2, descriptor.identity); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, descriptor.hpke); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 4, descriptor.tls); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  if (auto r = verify_with(MessageName::descriptor, Route{AccountId(), descriptor.identity.id()}, descriptor.identity,
                           message);
      !r)
    return std::unexpected(r.error());
  return descriptor;
}

Result<Bytes> encode_authorization(const Authorization& authorization, const crypto::SigningKey& owner) {
  SC_ASSERT(authorization.owner == owner.public_key());
  crypto::CborWriter writer;
  writer.map(4).integer(1).integer(static_cast<int>(authorization.role)).integer(2).bytes(authorization.device.bytes());
  writer.integer(3).bytes(authorization.owner.bytes()).integer(4).bytes(authorization.tls.bytes());
  return sign_message(MessageName::authorization, Route{authorization.owner.account(), authorization.device}, owner,
                      writer.view());
}

Result<Authorization> decode_authorization(ByteView message) {
  const auto payload = unverified_payload(message);
  if (!payload) return std::unexpected(payload.error());
  crypto::CborReader reader(*payload);
  Authorization authorization;
  if (auto r = reader.map(4); !r) return std::unexpected(r.error());
  const auto role = read_role(reader);
  if (!role) return std::unexpected(role.error());
  authorization.role = *role;
  if (auto r = read_id(reader, 2, authorization.device); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 3, authorization.owner); !r) return std::unexpected(r.error());
  if (auto r = read_public_key(reader, 4, authorization.tls); !r) return std::unexpected(r.error());
  if (auto r = reader.finish(); !r) return std::unexpected(r.error());
  const Route route{authorization.owner.account(), authorization.device};
  if (auto r = verify_with(MessageName::authorization, route, authorization.owner, message); !r)
    return std::unexpected(r.error());
  return authorization;
}

}  // namespace sealcam::protocol
