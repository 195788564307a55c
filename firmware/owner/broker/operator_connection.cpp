// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/operator_connection.hpp"

#include <deque>

#include "base/format.hpp"
#include "owner/broker/access_list.hpp"
#include "owner/sync/exchange.hpp"
#include "protocol/pairing.hpp"

namespace sealcam::owner {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t max_pem = 16U << 10;
/// The broker is on this machine. It needs a moment to read its lists, more if the machine is busy.
constexpr auto timeout = 10s;

Outcome<transport::MqttConfig> connection(const BrokerFiles& files, const AuthorityKey& authority,
                                          const std::string& name) {
  const auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  auto key = transport::TlsKey::generate();
  if (!key) return failure(key.error(), "cannot make a key");
  const auto request = transport::make_request(*key, name);
  if (!request) return failure(request.error(), "cannot make a certificate request");
  auto certificate = transport::sign_request(authority.certificate_pem, authority.key, *request, name,
                                             transport::CertificateUse::client, {name});
  if (!certificate) return failure(certificate.error(), "cannot sign the operator's certificate");
  return transport::MqttConfig{.host = settings->local_host(),
                               .port = settings->port,
                               .client_id = name,
                               .tls = {.role = transport::TlsRole::client,
                                       .authority_pem = authority.certificate_pem,
                                       .certificate_pem = std::move(*certificate),
                                       .key = std::move(*key)}};
}

/// Connects, publishes and disconnects.
Outcome<> exchange(transport::MqttConfig config, std::deque<Outgoing> outgoing) {
  const auto count = outgoing.size();
  const auto place = protocol::HostPort{config.host, config.port}.to_string();
  Exchange exchange(
      std::move(outgoing), {.timeout = timeout, .listen = 0ms, .quiet = 0ms, .once = true},
      [](const transport::Message&) {}, [] { return true; });
  if (auto r = exchange.run(std::move(config), {}); !r) return failure(r.error(), "cannot connect to the broker");
  if (exchange.reached() && exchange.acknowledged().size() == count) return {};
  return failure(EX_UNAVAILABLE, sealcam::format("the broker at {} did not answer: {}", place, exchange.why()));
}

}  // namespace

Outcome<AuthorityKey> read_authority(const BrokerFiles& files) {
  auto key_pem = read(files.authority_key(), max_pem);
  if (!key_pem) return std::unexpected(key_pem.error());
  auto key = transport::TlsKey::from_pem(*key_pem);
  wipe(*key_pem);
  if (!key)
    return failure(key.error(), sealcam::format("{} is damaged", files.authority_key().string()),
                   "restore it with 'sealcam broker restore'");
  const auto certificate = read(files.authority(), max_pem);
  if (!certificate) return std::unexpected(certificate.error());
  return AuthorityKey{std::move(*key), std::string(as_text(*certificate))};
}

Outcome<> end_session(const BrokerFiles& files, const AuthorityKey& authority, const DeviceId& device) {
  auto config = connection(files, authority, device.to_string());
  if (!config) return std::unexpected(config.error());
  return exchange(std::move(*config), {});
}

Outcome<> delete_retained(const BrokerFiles& files, const AuthorityKey& authority,
                          const std::vector<std::string>& topics) {
  auto config = connection(files, authority, std::string(operator_name));
  if (!config) return std::unexpected(config.error());
  std::deque<Outgoing> outgoing;
  for (const auto& topic : topics) outgoing.push_back({.camera = {}, .topic = topic, .message = {}});
  return exchange(std::move(*config), std::move(outgoing));
}

}  // namespace sealcam::owner
