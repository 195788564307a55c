// SPDX-License-Identifier: Apache-2.0
/// The descriptor that a device signs, and the owner's authorization of a device for a broker's operator.
#pragma once

#include "protocol/envelope.hpp"

namespace sealcam::protocol {

enum class Role : std::uint8_t { camera = 1, hub = 2, owner = 3 };
[[nodiscard]] std::string_view name(Role role) noexcept;

/// Signed by the device: it binds the HPKE key and the TLS key to the identity key. external_aad: name "descriptor",
/// account all zero, camera = the id of the device.
struct DeviceDescriptor {
  Role role = Role::camera;
  crypto::PublicKey identity;
  crypto::PublicKey hpke;
  crypto::PublicKey tls;  ///< key of the certificate request
};
[[nodiscard]] Result<Bytes> encode_device_descriptor(Role role, const crypto::DeviceKeys& keys,
                                                     const crypto::PublicKey& tls);
/// Errors: malformed, wrong_key, bad_signature.
[[nodiscard]] Result<DeviceDescriptor> decode_device_descriptor(ByteView message);

/// The owner's statement for a certificate request. external_aad: name "authorization",
/// account, camera = the device's id.
struct Authorization {
  Role role = Role::camera;
  DeviceId device;
  crypto::PublicKey owner;  ///< its thumbprint is the account
  crypto::PublicKey tls;    ///< key of the certificate request
};
[[nodiscard]] Result<Bytes> encode_authorization(const Authorization& authorization, const crypto::SigningKey& owner);
/// Errors: malformed, bad_signature.
[[nodiscard]] Result<Authorization> decode_authorization(ByteView message);

}  // namespace sealcam::protocol
