// SPDX-License-Identifier: Apache-2.0
/// The narrow seam to an MQTT 5 broker. Everything above it (stream, watch) is driven by these calls
/// and its own clock alone, and runs in tests against a scripted broker in the same process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace sealcam::transport {

/// Delivery as MQTT 5 section 4.3 has it; exactly-once is not used.
enum class Qos : std::uint8_t { at_most_once = 0, at_least_once = 1 };

struct Publication {
  std::string_view topic;
  ByteView payload;  ///< copied before publish() returns
  Qos qos = Qos::at_most_once;
  bool retain = false;
  std::chrono::seconds expiry{0};  ///< message expiry interval (section 3.3.2.3.3); 0: none
};

/// What arrived. Views are valid during the call only.
struct Message {
  std::string_view topic;
  ByteView payload;
  bool retained = false;  ///< delivered because it was retained, not because it was just published
};

/// Receives what the client has to say, on the thread that runs the client.
class MqttListener {
 public:
  /// The broker accepted the connection; also after each reconnect. Subscriptions are renewed by the
  /// client itself.
  virtual void on_connected() = 0;
  /// The connection is gone; the client tries again by itself. `why` is for the log.
  virtual void on_disconnected(const Error& why) = 0;
  virtual void on_message(const Message& message) = 0;

 protected:
  ~MqttListener() = default;
};

/// One connection to a broker, kept up by itself. Thread-bound to the thread that runs it: publish
/// and subscribe are called there, listeners and handlers run there, never from within publish()
/// or subscribe() themselves.
class MqttClient {
 public:
  /// QoS 0: the bytes were handed to the connection. QoS 1: the broker's PUBACK came with success.
  /// Errors: permission (the broker's access list), connection (lost before it was handed over,
  /// QoS 0 only: not repeated), cancelled (client stopped), exhausted (too many under way, or larger than
  /// the broker takes), invalid_argument (topic), unsupported and io (another refusal by the broker).
  using PublishHandler = std::move_only_function<void(Result<>)>;

  virtual ~MqttClient() = default;

  /// At most `max_in_flight()` publications may be unanswered; one more is answered with exhausted.
  void publish(const Publication& publication, PublishHandler done) { do_publish(publication, std::move(done)); }

  /// Adds a subscription (a topic filter, MQTT 5 section 4.7) that is renewed after each reconnect.
  void subscribe(std::string_view filter, Qos qos) { do_subscribe(filter, qos); }
  void unsubscribe(std::string_view filter) { do_unsubscribe(filter); }

  [[nodiscard]] bool connected() const { return do_connected(); }
  /// Publications handed over and not yet answered.
  [[nodiscard]] std::size_t in_flight() const { return do_in_flight(); }
  /// Bytes that wait unsent in the connection's socket, 0 when unknown or not connected.
  [[nodiscard]] std::size_t unsent_bytes() const { return do_unsent_bytes(); }

 private:
  virtual void do_publish(const Publication& publication, PublishHandler done) = 0;
  virtual void do_subscribe(std::string_view filter, Qos qos) = 0;
  virtual void do_unsubscribe(std::string_view filter) = 0;
  [[nodiscard]] virtual bool do_connected() const = 0;
  [[nodiscard]] virtual std::size_t do_in_flight() const = 0;
  [[nodiscard]] virtual std::size_t do_unsent_bytes() const = 0;
};

/// What this device says when its connection breaks (MQTT 5 section 3.1.2.5).
struct Will {
  std::string topic;
  Bytes payload;
  bool retain = true;
};

}  // namespace sealcam::transport
