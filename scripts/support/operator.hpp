// SPDX-License-Identifier: Apache-2.0
/// Connects to a broker with the operator's rights, for programs that test a broker.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include "base/file.hpp"
#include "crypto/psa.hpp"
#include "transport/mqtt/mqtt5_client.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::support {

/// The value, or an exception with the error's text.
template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(to_string(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline std::string read_text(const std::filesystem::path& path) {
  return std::string(as_text(value_of(read_file(path, 1 << 16))));
}

/// `broker`: the folder that 'sealcam broker init' made. Signs a client certificate named "relay" with the operator's
/// CA. The broker's access list must have an entry "user relay".
inline transport::MqttConfig operator_connection(const std::filesystem::path& broker, std::uint16_t port) {
  value_of(crypto::init());
  auto key = value_of(transport::TlsKey::generate());
  const auto authority = read_text(broker / "ca.pem");
  const auto authority_key = value_of(transport::TlsKey::from_pem(as_bytes(read_text(broker / "ca.key"))));
  const auto request = value_of(transport::make_request(key, "relay"));
  const auto certificate = value_of(
      transport::sign_request(authority, authority_key, request, "relay", transport::CertificateUse::client, {}));
  return {.host = "127.0.0.1",
          .port = port,
          .client_id = "relay",
          .tls = {.authority_pem = authority, .certificate_pem = certificate, .key = std::move(key)},
          .max_in_flight = 64};
}

}  // namespace sealcam::support
