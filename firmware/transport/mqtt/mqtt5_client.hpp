// SPDX-License-Identifier: Apache-2.0
/// The MqttClient for a real broker: MQTT 5 over mutual TLS 1.3.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.hpp"
#include "base/result.hpp"
#include "transport/mqtt/mqtt.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::transport {

struct MqttConfig {
  std::string host;  ///< DNS name or IPv4 address; the certificate of the broker must name it
  std::uint16_t port = 8883;
  std::string client_id;  ///< the device id; also the common name of the certificate
  TlsConfig tls;          ///< authority, certificate and key; open() wipes the key
  std::optional<Will> will{};
  std::chrono::seconds keep_alive{5};  ///< a silent broker is detected after 1.5 times this
  std::size_t max_in_flight = 4;
  /// Largest packet from the broker; a larger one ends the connection. Boost.MQTT5 moves this number of bytes for each
  /// received packet, so a camera, which receives only small packets, should use a small value.
  std::uint32_t maximum_packet_size = (1024 + 64) * 1024;
};

/// Reconnects until it is destroyed. The intervals grow to 1 s after a lost connection, and to 15 s after a rejection
/// (certificate, access list). Each connection is a new session (session expiry 0). After a reconnect the client sends
/// unanswered publications with QoS 1 again. Publications with QoS 0 end with an error.
class Mqtt5Client final : public MqttClient {
 public:
  /// Starts to connect. `io`, `listener` and `log` outlive the client. Call on the thread that runs `io`.
  /// Errors: invalid_argument (host, port, limits), those of TlsContext::make.
  [[nodiscard]] static Result<std::unique_ptr<Mqtt5Client>> open(boost::asio::io_context& io, MqttConfig config,
                                                                 MqttListener& listener, Log& log);
  /// Drops the connection like a crash: the broker publishes the will. Calls no handler.
  ~Mqtt5Client() override;

  /// Call it once. Disconnects without the will. Unanswered and later publications end with canceled. Calls `done`
  /// within 1 s, and no handler or listener after that.
  void stop(std::move_only_function<void()> done);

 private:
  class Impl;
  explicit Mqtt5Client(std::shared_ptr<Impl> impl) noexcept;
  void do_publish(const Publication& publication, PublishHandler done) override;
  void do_subscribe(std::string_view filter, Qos qos) override;
  void do_unsubscribe(std::string_view filter) override;
  [[nodiscard]] bool do_connected() const override;
  [[nodiscard]] std::size_t do_in_flight() const override;
  [[nodiscard]] SendProgress do_send_progress() const override;

  std::shared_ptr<Impl> impl_;
};

}  // namespace sealcam::transport
