// SPDX-License-Identifier: Apache-2.0
/// An unpaired camera and an owner's messages to it, with the same keys in each run.
#pragma once

#include <boost/beast/core/detail/base64.hpp>
#include <optional>

#include "base/bytes.hpp"
#include "pairing/endpoint.hpp"
#include "parties.hpp"
#include "protocol/pairing.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::fuzz {

/// A TLS key whose private scalar is the SHA-256 of a text. It is encoded as ECPrivateKey (RFC 5915) without the public
/// key.
inline transport::TlsKey tls_key(const std::string& name) {
  Bytes der = must(from_hex("30310201010420"));
  const auto scalar = must(crypto::sha256(as_bytes("sealcam fuzz tls " + name)));
  der.insert(der.end(), scalar.begin(), scalar.end());
  const Bytes curve = must(from_hex("a00a06082a8648ce3d030107"));
  der.insert(der.end(), curve.begin(), curve.end());
  std::string text(boost::beast::detail::base64::encoded_size(der.size()), '\0');
  text.resize(boost::beast::detail::base64::encode(text.data(), der.data(), der.size()));
  const auto pem = "-----BEGIN EC PRIVATE KEY-----\n" + text + "\n-----END EC PRIVATE KEY-----\n";
  return must(transport::TlsKey::from_pem(as_bytes(pem)));
}

/// The exported keying material of the connection.
inline protocol::ChannelBinding pairing_channel() {
  protocol::ChannelBinding x;
  std::ranges::fill(x.fill(), std::byte{0x5a});
  return x;
}
inline protocol::PairingCode pairing_code() { return must(protocol::PairingCode::parse("abcdefgh")); }

/// The camera of parties() before pairing.
inline const pairing::Endpoint::Device& pairing_device() {
  static const auto* const device = [] {
    const auto key = tls_key("camera");
    const auto request = must(transport::make_request(key, parties().camera.id().to_string()));
    return new pairing::Endpoint::Device{.role = protocol::Role::camera,
                                         .keys = parties().camera.keys(),
                                         .descriptor = must(protocol::encode_device_descriptor(
                                             protocol::Role::camera, parties().camera.keys(),
                                             must(crypto::PublicKey::parse(must(transport::requested_key(request)))))),
                                         .request_pem = request,
                                         .tls_key = must(transport::requested_key(request)),
                                         .version = "1",
                                         .model = "board"};
  }();
  return *device;
}

/// The enrollment that the owner of parties() sends.
inline protocol::PairingEnrollment pairing_enrollment() {
  const auto authority_key = tls_key("authority");
  protocol::PairingEnrollment e;
  e.broker_host = "broker.example";
  e.broker_port = 8883;
  e.ca_pem = must(transport::make_authority(authority_key, "op"));
  e.certificate_pem =
      must(transport::sign_request(e.ca_pem, authority_key, pairing_device().request_pem,
                                   parties().camera.id().to_string(), transport::CertificateUse::client, {}));
  e.name = "Front door";
  e.roster = must(protocol::encode_roster(parties().roster(1), parties().route, parties().owner.keys().identity));
  return e;
}

inline Bytes pairing_claim_message() {
  return must(protocol::encode_pairing_claim(pairing_code(), pairing_channel(), parties().camera.id(),
                                             parties().owner.keys().identity));
}
inline Bytes pairing_enrollment_message() {
  return must(protocol::encode_pairing_enrollment(pairing_enrollment(), pairing_channel(), parties().camera.id(),
                                                  parties().owner.keys().identity));
}

inline std::string pairing_body(std::string_view member, ByteView message) {
  return "{\"" + std::string(member) + "\":\"" + to_base64url(message) + "\"}";
}
inline std::string pairing_request(std::string_view target, std::string_view body) {
  return "POST /pairing/1/" + std::string(target) + " HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

}  // namespace sealcam::fuzz
