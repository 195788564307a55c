// SPDX-License-Identifier: Apache-2.0
/// How a device introduces itself, and how the owner vouches for it to a broker's operator.
#pragma once

#include "protocol/envelope.hpp"

namespace sealcam::protocol {

enum class Role : std::uint8_t { camera = 1, hub = 2, owner = 3 };
[[nodiscard]] std::string_view name(Role role) noexcept;

/// Self-signed: identity key and HPKE key belong together. external_aad: name "card", account all
/// zero, camera = the device's own id.
struct Card {
  Role role = Role::camera;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
};
[[nodiscard]] Result<Bytes> encode_card(Role role, const crypto::DeviceKeys& keys);
/// Errors: malformed, wrong_key, bad_signature.
[[nodiscard]] Result<Card> decode_card(ByteView message);

/// The owner's statement that comes with a certificate request. external_aad: name "admission",
/// account, camera = the device's id.
struct Admission {
  Role role = Role::camera;
  DeviceId device;
  crypto::PublicKey owner;  ///< its thumbprint is the account
  crypto::PublicKey tls;    ///< key of the certificate request
};
[[nodiscard]] Result<Bytes> encode_admission(const Admission& admission, const crypto::SigningKey& owner);
/// Errors: malformed, bad_signature.
[[nodiscard]] Result<Admission> decode_admission(ByteView message);

}  // namespace sealcam::protocol
