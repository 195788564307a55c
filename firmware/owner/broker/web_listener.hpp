// SPDX-License-Identifier: Apache-2.0
/// The listener of Mosquitto for phones: MQTT over WebSocket with TLS. Browsers cannot present certificates in
/// practice, so a phone logs in with its id and a password of 256 random bits. The listener has a certificate that
/// browsers trust, which the operator provides. It is not one of the operator's authority.
///
///     web.pem, web.key  copies of the certificate (with intermediates) and of its key
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "owner/broker/broker_setup.hpp"
#include "owner/broker/device_records.hpp"

namespace sealcam::owner {

/// Mosquitto's password_file: one line for each phone. Devices with certificates are not in it, so they cannot log in
/// with a password.
[[nodiscard]] std::string password_file(std::span<const DeviceRecord> records);

/// A certificate and its key, both PEM. The key is wiped on destruction.
struct WebCertificate {
  std::string certificate_pem;
  Bytes key_pem;

  /// Reads both files and checks that they belong together, and that the certificate is for `host`, which is the name
  /// that phones use. EX_CONFIG: they do not.
  [[nodiscard]] static Outcome<WebCertificate> read(const std::filesystem::path& certificate,
                                                    const std::filesystem::path& key, const std::string& host);
  WebCertificate(std::string certificate, Bytes key)
      : certificate_pem(std::move(certificate)), key_pem(std::move(key)) {}
  WebCertificate(WebCertificate&&) noexcept = default;
  WebCertificate& operator=(WebCertificate&&) noexcept = default;
  ~WebCertificate() { wipe(key_pem); }
};

/// EX_USAGE: this kind of broker cannot have the listener, or the port is that of the other listener. Without `port`,
/// it checks the port that set_web_listener() chooses.
[[nodiscard]] Outcome<> check_web_port(const BrokerSettings& settings, std::optional<std::uint16_t> port);

/// The address for phones: `wss://HOST:PORT`.
[[nodiscard]] std::string web_address(const std::string& host, std::uint16_t port);

/// The part of mosquitto.conf for the listener, between two marks. Empty without a listener.
[[nodiscard]] std::string web_listener_part(const BrokerFiles& files, const BrokerSettings& settings);

/// mosquitto.conf with this part instead of an older one, or at the end. A part with the same address stays, because
/// the operator may have changed its limits.
[[nodiscard]] std::string with_web_listener(std::string configuration, const BrokerFiles& files,
                                            const BrokerSettings& settings);

struct WebListenerChange {
  std::uint16_t port = 0;
  bool running = false;  ///< a broker with this folder runs on this machine; it has the new certificate
  bool restart = false;  ///< mosquitto.conf changed, and a running Mosquitto opens no listener before its next start
};

/// Adds the listener to a set-up, or replaces its certificate. Without `port`, the port stays, or is 8884. Other lines
/// of mosquitto.conf stay. An interrupted call can be repeated. Errors: those of check_web_port().
[[nodiscard]] Outcome<WebListenerChange> set_web_listener(const BrokerFiles& files, std::optional<std::uint16_t> port,
                                                          const WebCertificate& certificate);

}  // namespace sealcam::owner
