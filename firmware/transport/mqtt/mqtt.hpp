// SPDX-License-Identifier: Apache-2.0
/// The interface of the MQTT 5 client. Tests replace it with a scripted broker in the same process.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "transport/tcp.hpp"

namespace sealcam::transport {

/// Delivery of MQTT 5 section 4.3, without exactly-once.
enum class Qos : std::uint8_t { at_most_once = 0, at_least_once = 1 };

struct Publication {
  std::string_view topic;
  ByteView payload;  ///< copied before publish() returns
  Qos qos = Qos::at_most_once;
  bool retain = false;
  std::chrono::seconds expiry{0};  ///< message expiry interval (section 3.3.2.3.3); 0: none
};

/// A received message. The views are valid during the call only.
struct Message {
  std::string_view topic;
  ByteView payload;
  bool retained = false;  ///< an old message that the broker retained
};

/// Receives the client's events, on the thread that runs the client.
class MqttListener {
 public:
  /// The broker accepted the connection. Called after each reconnect too. The client renews subscriptions itself.
  virtual void on_connected() = 0;
  /// The connection ended. The client reconnects automatically. `why` is for the log.
  virtual void on_disconnected(const Error& why) = 0;
  virtual void on_message(const Message& message) = 0;

 protected:
  ~MqttListener() = default;
};

/// Reconnects automatically. Thread-bound to the thread that runs it. Listeners and handlers run on that thread,
/// never inside publish() or subscribe().
class MqttClient {
 public:
  /// Success means for QoS 0 that the connection took the bytes, for QoS 1 a PUBACK of the broker with success.
  /// Errors: permission (the broker's access list), connection (lost before it took the
  /// bytes; QoS 0 only), canceled (client stopped), exhausted (too many unanswered, or larger than
  /// the broker allows), invalid_argument (topic), unsupported and io (another rejection by the broker).
  using PublishHandler = std::move_only_function<void(Result<>)>;

  virtual ~MqttClient() = default;

  /// Above the limit of unanswered publications, one more ends with exhausted.
  void publish(const Publication& publication, PublishHandler done) { do_publish(publication, std::move(done)); }

  /// Adds a topic filter (MQTT 5 section 4.7). The client renews it after each reconnect.
  void subscribe(std::string_view filter, Qos qos) { do_subscribe(filter, qos); }
  void unsubscribe(std::string_view filter) { do_unsubscribe(filter); }

  [[nodiscard]] bool connected() const { return do_connected(); }
  /// Number of unanswered publications.
  [[nodiscard]] std::size_t in_flight() const { return do_in_flight(); }
  [[nodiscard]] SendProgress send_progress() const { return do_send_progress(); }

 private:
  virtual void do_publish(const Publication& publication, PublishHandler done) = 0;
  virtual void do_subscribe(std::string_view filter, Qos qos) = 0;
  virtual void do_unsubscribe(std::string_view filter) = 0;
  [[nodiscard]] virtual bool do_connected() const = 0;
  [[nodiscard]] virtual std::size_t do_in_flight() const = 0;
  [[nodiscard]] virtual SendProgress do_send_progress() const = 0;
};

/// The broker publishes this if the connection breaks (MQTT 5 section 3.1.2.5).
struct Will {
  std::string topic;
  Bytes payload;
  bool retain = true;
};

}  // namespace sealcam::transport
