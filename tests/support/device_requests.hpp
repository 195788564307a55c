// SPDX-License-Identifier: Apache-2.0
/// Requests of devices for an operator's authorization.
#pragma once

#include <string>

#include "owner/broker/authorization.hpp"
#include "support/actors.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::test {

/// The TLS key of a device and its certificate request.
struct TlsIdentity {
  explicit TlsIdentity(const DeviceId& device)
      : request(must(transport::make_request(must(transport::TlsKey::generate()), device.to_string()))),
        key(must(crypto::PublicKey::parse(must(transport::requested_key(request))))) {}
  std::string request;
  crypto::PublicKey key;
};

[[nodiscard]] inline Bytes descriptor(protocol::Role role, const Actor& device, const crypto::PublicKey& tls) {
  return must(protocol::encode_device_descriptor(role, device.keys(), tls));
}
[[nodiscard]] inline Bytes authorization(const Actor& owner, protocol::Role role, const DeviceId& device,
                                         const crypto::PublicKey& tls) {
  return must(protocol::encode_authorization({.role = role, .device = device, .owner = owner.identity(), .tls = tls},
                                             owner.keys().identity));
}
/// A correct request.
[[nodiscard]] inline owner::AuthorizationRequest request(const Actor& owner, protocol::Role role, const Actor& device,
                                                         const TlsIdentity& tls) {
  return {tls.request, descriptor(role, device, tls.key), authorization(owner, role, device.id(), tls.key)};
}
/// A correct request for a phone.
[[nodiscard]] inline owner::AuthorizationRequest phone_request(const Actor& owner, const Actor& phone,
                                                               std::string_view password) {
  return {"", must(protocol::encode_device_descriptor(protocol::Role::hub, phone.keys(), std::nullopt)),
          must(protocol::encode_authorization({.role = protocol::Role::hub,
                                               .device = phone.id(),
                                               .owner = owner.identity(),
                                               .tls = std::nullopt,
                                               .login = must(crypto::PasswordHash::make(as_bytes(password)))},
                                              owner.keys().identity))};
}

}  // namespace sealcam::test
