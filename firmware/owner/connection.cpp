// SPDX-License-Identifier: Apache-2.0
#include "owner/connection.hpp"

#include "core/secret.hpp"

namespace sealcam::owner {

Outcome<transport::MqttConfig> broker_connection(const pairing::StateFiles& files) {
  std::string why;
  auto enrolment = pairing::read_enrolment(files, &why);
  if (!enrolment && enrolment.error().code == Errc::not_found)
    return failure(EX_CONFIG, "This account has no broker yet. Enrol a device: sealcam camera enroll");
  if (!enrolment) return failure(enrolment.error(), why.empty() ? files.enrolment().string() : why);
  auto name = transport::certificate_name(enrolment->certificate_pem);
  if (!name) return failure(name.error(), files.enrolment().string(), "Enrol a device again");
  auto pem = read(files.tls_key(), 16U << 10);
  if (!pem) return std::unexpected(pem.error());
  auto key = transport::TlsKey::from_pem(*pem);
  wipe(*pem);
  if (!key) return failure(key.error(), files.tls_key().string());
  return transport::MqttConfig{.host = std::move(enrolment->broker_host),
                               .port = enrolment->broker_port,
                               .client_id = std::move(*name),
                               .tls = {.role = transport::TlsRole::client,
                                       .authority_pem = std::move(enrolment->ca_pem),
                                       .certificate_pem = std::move(enrolment->certificate_pem),
                                       .key = std::move(*key)}};
}

}  // namespace sealcam::owner
