// SPDX-License-Identifier: Apache-2.0
/// The MqttClient on a real broker: MQTT 5 over mutual TLS 1.3.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/log.hpp"
#include "core/result.hpp"
#include "transport/mqtt.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::transport {

struct MqttConfig {
  std::string host;  ///< DNS name or IPv4 address; what the broker's certificate must carry
  std::uint16_t port = 8883;
  std::string client_id;  ///< the device id, also the certificate's common name
  TlsConfig tls;          ///< authority, certificate and key, PEM; the key is wiped once it was read
  std::optional<Will> will{};
  std::chrono::seconds keep_alive{5};  ///< a silent broker is noticed after one and a half of it
  std::size_t max_in_flight = 4;
  /// Largest packet taken from the broker; a larger one ends the connection. Each packet that comes in costs the
  /// moving of so many bytes: a camera, which receives small ones only, does well with less.
  std::uint32_t maximum_packet_size = (1024 + 64) * 1024;
};

/// Tries again by itself for as long as it lives: after a lost connection at once, then at growing intervals of at most
/// 1 s; after a refusal (certificate, access list) of at most 15 s. Each connection is a new session (session expiry
/// 0). Publications with QoS 1 are kept over a reconnect and sent again, with QoS 0 they end with an error.
class Mqtt5Client final : public MqttClient {
 public:
  /// Begins to connect; `io`, `listener` and `log` outlive the client. Call on the thread that runs `io`.
  /// Errors: invalid_argument (host, port, limits), those of TlsContext::make.
  [[nodiscard]] static Result<std::unique_ptr<Mqtt5Client>> open(boost::asio::io_context& io, MqttConfig config,
                                                                 MqttListener& listener, Log& log);
  /// Drops the connection as a crash would: the broker publishes the will. Nothing is called afterwards.
  ~Mqtt5Client() override;

  /// To be called once. Leaves in peace (no will). Unanswered publications end with cancelled; `done` comes within 1 s.
  /// Nothing else is called afterwards, and publish() answers with cancelled.
  void stop(std::move_only_function<void()> done);

 private:
  class Impl;
  explicit Mqtt5Client(std::shared_ptr<Impl> impl) noexcept;
  void do_publish(const Publication& publication, PublishHandler done) override;
  void do_subscribe(std::string_view filter, Qos qos) override;
  void do_unsubscribe(std::string_view filter) override;
  [[nodiscard]] bool do_connected() const override;
  [[nodiscard]] std::size_t do_in_flight() const override;
  [[nodiscard]] std::size_t do_unsent_bytes() const override;

  std::shared_ptr<Impl> impl_;
};

}  // namespace sealcam::transport
