// SPDX-License-Identifier: Apache-2.0
#include "owner/connection.hpp"

#include "core/file.hpp"

namespace sealcam::owner {

Outcome<transport::MqttConfig> broker_connection(const pairing::DeviceState& state) {
  std::string why;
  auto enrolment = pairing::read_enrolment(state.files(), &why);
  if (!enrolment && enrolment.error().code == Errc::not_found)
    return failure(EX_CONFIG, "This account has no broker yet. Enrol a device: sealcam camera enroll");
  if (!enrolment) return failure(enrolment.error(), why.empty() ? state.files().enrolment().string() : why);
  auto pem = state.tls_key_pem();
  if (!pem) return failure(pem.error(), state.files().tls_key().string());
  auto key = transport::TlsKey::from_pem(as_bytes(*pem));
  wipe(std::as_writable_bytes(std::span(pem->data(), pem->size())));
  if (!key) return failure(key.error(), state.files().tls_key().string());
  return transport::MqttConfig{.host = std::move(enrolment->broker_host),
                               .port = enrolment->broker_port,
                               .client_id = state.keys().identity.id().to_string(),
                               .tls = {.role = transport::TlsRole::client,
                                       .authority_pem = std::move(enrolment->ca_pem),
                                       .certificate_pem = std::move(enrolment->certificate_pem),
                                       .key = std::move(*key)}};
}

}  // namespace sealcam::owner
