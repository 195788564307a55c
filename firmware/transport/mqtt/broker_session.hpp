// SPDX-License-Identifier: Apache-2.0
/// One connection to a broker, from the first attempt to its end. It does not reconnect. Only broker_session.cpp
/// includes Boost.MQTT5.
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

}  // namespace sealcam::transport
