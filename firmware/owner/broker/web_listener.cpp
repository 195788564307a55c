// SPDX-License-Identifier: Apache-2.0
#include "owner/broker/web_listener.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/format.hpp"
#include "owner/broker/authorization.hpp"
#include "protocol/pairing.hpp"
#include "transport/tls/certificate.hpp"

namespace sealcam::owner {

namespace {

constexpr std::uint16_t default_port = 8884;
constexpr std::size_t max_chain = 64U << 10;
constexpr std::size_t max_configuration = 1U << 20;
constexpr std::string_view first_line = "# Begin of the listener for phones. 'sealcam broker web' writes this part.\n";
constexpr std::string_view last_line = "# End of the listener for phones.\n";

/// RFC 4648 section 4, with padding.
std::string to_base64(ByteView bytes) {
  auto out = to_base64url(bytes);
  std::ranges::replace(out, '-', '+');
  std::ranges::replace(out, '_', '/');
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::string listener_line(const BrokerSettings& settings) {
  return sealcam::format("\nlistener {} {}\n", settings.web_port.value_or(default_port), settings.listen);
}

std::uint16_t chosen_port(const BrokerSettings& settings, std::optional<std::uint16_t> option) {
  return option.value_or(settings.web_port.value_or(default_port));
}

}  // namespace

std::string password_file(std::span<const DeviceRecord> records) {
  std::string out;
  for (const auto& [device, certificates, login] : records)
    if (login)
      out += sealcam::format("{}:$7${}${}${}\n", device.device.to_string(), crypto::PasswordHash::rounds,
                             to_base64(login->salt), to_base64(login->hash));
  return out;
}

Outcome<WebCertificate> WebCertificate::read(const std::filesystem::path& certificate, const std::filesystem::path& key,
                                             const std::string& host) {
  const auto certificate_pem = owner::read(certificate, max_chain);
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  auto key_pem = owner::read(key, max_chain);
  if (!key_pem) return std::unexpected(key_pem.error());
  WebCertificate out(std::string(as_text(*certificate_pem)), std::move(*key_pem));
  const auto checked = transport::check_server_certificate(out.certificate_pem, out.key_pem, host);
  if (checked) return out;
  switch (checked.error().code) {
    case Errc::wrong_key:
      return failure(EX_CONFIG, sealcam::format("{} is not the key of the certificate in {}; check both file names",
                                                key.string(), certificate.string()));
    case Errc::not_found:
      return failure(
          EX_CONFIG,
          sealcam::format("the certificate in {} is not for '{}', which is the name that phones use; make one "
                          "for this name, or change it with 'sealcam broker renew DIR --server --host NAME'",
                          certificate.string(), host));
    default:
      return failure(checked.error(), sealcam::format("cannot read {} and {}", certificate.string(), key.string()),
                     "use a certificate and an unencrypted key in PEM format");
  }
}

Outcome<> check_web_port(const BrokerSettings& settings, std::optional<std::uint16_t> option) {
  const auto port = chosen_port(settings, option);
  if (settings.kind != BrokerKind::mosquitto)
    return failure(EX_USAGE,
                   "a broker with RabbitMQ has no listener for phones; use Mosquitto for an account with phones");
  if (port == settings.port)
    return failure(EX_USAGE, sealcam::format("port {} is the port for devices with certificates; choose another port "
                                             "for phones",
                                             port));
  return {};
}

std::string web_address(const std::string& host, std::uint16_t port) {
  return "wss://" + protocol::HostPort{host, port}.to_string();
}

std::string web_listener_part(const BrokerFiles& files, const BrokerSettings& settings) {
  if (!settings.web_port) return "";
  return sealcam::format(
      R"({}# MQTT over WebSocket with TLS, for browsers. They log in with a password instead of a certificate.{}protocol websockets
# Browsers need 1.2 or 1.3.
tls_version tlsv1.2
# A certificate that the browsers trust, and its key.
certfile {}
keyfile {}
# The client id is the user name, so a phone cannot use the client id of another device.
use_username_as_clientid true
# The salted hash of each phone's password. Other devices are not in this file, so they cannot log in here.
password_file {}
# Mosquitto 2.0 does not apply max_packet_size to WebSocket, not even before the login. This limit of its memory in bytes
# prevents that a stranger fills the memory of the machine. Increase it for many devices: each camera has a retained
# picture of at most 1 MiB, and each slow hub a queue of about 2 MiB.
memory_limit 536870912
{})",
      first_line, listener_line(settings), files.web_certificate().string(), files.web_key().string(),
      files.passwords().string(), last_line);
}

std::string with_web_listener(std::string configuration, const BrokerFiles& files, const BrokerSettings& settings) {
  const auto part = web_listener_part(files, settings);
  const auto begin = configuration.find(first_line);
  if (begin == std::string::npos) return configuration + "\n" + part;
  auto end = configuration.find(last_line, begin);
  end = end == std::string::npos ? configuration.size() : end + last_line.size();
  if (std::string_view(configuration).substr(begin, end - begin).contains(listener_line(settings)))
    return configuration;
  return configuration.replace(begin, end - begin, part);
}

namespace {

/// Returns whether the file changed.
Outcome<bool> write_configuration(const BrokerFiles& files, const BrokerSettings& settings) {
  const auto content = read(files.configuration(), max_configuration);
  if (!content) return std::unexpected(content.error());
  const std::string before(as_text(*content));
  const auto after = with_web_listener(before, files, settings);
  if (after == before) return false;
  if (auto r = write(files.configuration(), as_bytes(after)); !r) return std::unexpected(r.error());
  return true;
}

}  // namespace

Outcome<WebListenerChange> set_web_listener(const BrokerFiles& files, std::optional<std::uint16_t> port,
                                            const WebCertificate& certificate) {
  auto lock = lock_broker(files);
  if (!lock) return std::unexpected(lock.error());
  auto settings = read_broker(files);
  if (!settings) return std::unexpected(settings.error());
  const auto chosen = chosen_port(*settings, port);
  if (auto r = check_web_port(*settings, chosen); !r) return std::unexpected(r.error());
  settings->web_port = chosen;
  if (auto r = write(files.web_key(), certificate.key_pem); !r) return std::unexpected(r.error());
  if (auto r = write(files.web_certificate(), as_bytes(certificate.certificate_pem)); !r)
    return std::unexpected(r.error());
  // Mosquitto does not start without the password file.
  if (auto r = write_access(files, settings->kind); !r) return std::unexpected(r.error());
  const auto changed = write_configuration(files, *settings);
  if (!changed) return std::unexpected(changed.error());
  if (auto r = write_broker_settings(files, *settings); !r) return std::unexpected(r.error());
  lock->reset();
  const auto turn = lock_reload(files);
  if (!turn) return std::unexpected(turn.error());
  const bool running = reload_broker(files, settings->kind);
  return WebListenerChange{.port = chosen, .running = running, .restart = *changed && running};
}

}  // namespace sealcam::owner
