// SPDX-License-Identifier: Apache-2.0
/// One connection to a broker, from the first attempt to its end; it is not repeated. The adapter of Boost.MQTT5,
/// which appears in broker_session.cpp alone.
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

#include "transport/mqtt.hpp"
#include "transport/tls_context.hpp"

namespace sealcam::transport {

struct SessionConfig {
  std::string host;
  std::uint16_t port = 8883;
  std::string client_id;
  std::optional<Will> will;
  std::chrono::seconds keep_alive{5};
  std::uint32_t maximum_packet_size = 0;  ///< of packets that come in; larger ones end the connection
};

/// How a session ended.
struct SessionEnd {
  Error why;
  bool refused = false;  ///< by TLS or by the broker's word: trying again at once is of no use
  std::string words;     ///< for the log, with the next step where there is one
};

class SessionEvents {
 public:
  /// Connected; publish and subscribe may be called.
  virtual void session_ready() = 0;
  /// Once, whether it was ready before or not. Answers of publications come before or never.
  virtual void session_ended(const SessionEnd& end) = 0;
  virtual void session_message(const Message& message) = 0;
  /// The broker took a subscription back: its access list forbids it.
  virtual void subscription_refused(const std::string& filter, const std::string& words) = 0;

 protected:
  ~SessionEvents() = default;
};

/// Thread-bound to the thread of its io_context; events and handlers come from there and never from within a call.
class BrokerSession {
 public:
  using Answer = std::move_only_function<void(Result<>)>;
  using Filters = std::vector<std::pair<std::string, Qos>>;

  /// Begins to connect. `events` must live until abandon().
  [[nodiscard]] static std::shared_ptr<BrokerSession> start(boost::asio::io_context& io, const SessionConfig& config,
                                                            const TlsContext& tls, SessionEvents& events);
  virtual ~BrokerSession() = default;

  /// Errors: permission, exhausted (larger than the broker takes), invalid_argument (topic), unsupported (the broker
  /// keeps no retained messages), io (another refusal), connection (cut off by the connection's end, which follows).
  virtual void publish(const Publication& publication, Answer done) = 0;
  virtual void subscribe(const Filters& filters) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  /// Leaves in peace: no will. The caller bounds the time it waits for `done`.
  virtual void disconnect(std::move_only_function<void()> done) = 0;
  /// Closes at once; no event and no answer comes after this.
  virtual void abandon() = 0;
  [[nodiscard]] virtual std::size_t unsent() const = 0;
};

}  // namespace sealcam::transport
