// SPDX-License-Identifier: Apache-2.0
/// The MqttClient for a real broker: MQTT 5 over mutual TLS 1.3, and one connection to a broker, from the first attempt
/// to its end. Only broker_session.cpp includes Boost.MQTT5.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "transport/mqtt/mqtt.hpp"
#include "transport/tls/tls_context.hpp"

namespace sealcam::transport {

struct SessionConfig {
  std::string host;
  std::uint16_t port = 8883;
  std::string client_id;
  std::optional<Will> will;
  std::chrono::seconds keep_alive{5};
  std::uint32_t maximum_packet_size = 0;  ///< of received packets; a larger one ends the connection
};

/// How a session ended.
struct SessionEnd {
  Error why;
  bool rejected = false;  ///< by TLS or by the broker; a retry at once would fail too
  std::string text;       ///< for the log, with the next step if there is one
};

class SessionEvents {
 public:
  /// Connected; publish and subscribe may be called.
  virtual void session_ready() = 0;
  /// Called once, also if the session never was ready. All answers of publications come before.
  virtual void session_ended(const SessionEnd& end) = 0;
  virtual void session_message(const Message& message) = 0;
  /// The access list of the broker forbids a subscription.
  virtual void subscription_rejected(const std::string& filter, const std::string& text) = 0;
  /// The broker answered a subscribe().
  virtual void subscriptions_answered() = 0;

 protected:
  ~SessionEvents() = default;
};

/// Thread-bound to the thread of its io_context. Events and handlers run there, never inside a call.
class BrokerSession {
 public:
  using Answer = std::move_only_function<void(Result<>)>;
  using Filters = std::vector<std::pair<std::string, Qos>>;

  /// Starts to connect. `events` must live until abandon().
  [[nodiscard]] static std::shared_ptr<BrokerSession> start(boost::asio::io_context& io, const SessionConfig& config,
                                                            const TlsContext& tls, SessionEvents& events);
  virtual ~BrokerSession() = default;

  /// Errors: permission, exhausted (larger than the broker allows), invalid_argument (topic), unsupported (the broker
  /// keeps no retained messages), io (another rejection), connection (the connection ends; session_ended() follows).
  virtual void publish(const Publication& publication, Answer done) = 0;
  /// Sends one packet.
  virtual void subscribe(const Filters& filters) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  /// Disconnects cleanly: the broker does not publish the will. The caller limits its wait for `done`.
  virtual void disconnect(std::move_only_function<void()> done) = 0;
  /// Closes at once. No event and no answer follows.
  virtual void abandon() = 0;
  [[nodiscard]] virtual SendProgress progress() const = 0;
};

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
