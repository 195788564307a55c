// SPDX-License-Identifier: Apache-2.0
/// A connection with operator's rights: a certificate of the operator's own CA, and an entry in the access list that
/// the caller made ("user relay").
#pragma once

#include <filesystem>
#include <string>

#include "core/file.hpp"
#include "support/actors.hpp"
#include "transport/certificate.hpp"
#include "transport/mqtt5_client.hpp"

namespace sealcam::test {

inline std::string text_of(const std::filesystem::path& path) {
  return std::string(as_text(must(read_file(path, 1 << 16))));
}

/// `broker`: folder made by 'sealcam broker init'.
inline transport::MqttConfig operators_connection(const std::filesystem::path& broker, std::uint16_t port) {
  must(crypto::init());
  auto key = must(transport::TlsKey::generate());
  const auto authority = text_of(broker / "ca.pem");
  const auto authority_key = must(transport::TlsKey::from_pem(as_bytes(text_of(broker / "ca.key"))));
  const auto request = must(transport::make_request(key, "relay"));
  const auto certificate =
      must(transport::sign_request(authority, authority_key, request, "relay", transport::CertificateUse::client, {}));
  return {.host = "127.0.0.1",
          .port = port,
          .client_id = "relay",
          .tls = {.authority_pem = authority, .certificate_pem = certificate, .key = std::move(key)},
          .max_in_flight = 64};
}

}  // namespace sealcam::test
