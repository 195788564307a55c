// SPDX-License-Identifier: Apache-2.0
/// A broker in the same process that delivers when it is told to: retained messages, expiry, subscriptions with '+'.
/// Whoever holds it has an operator's rights. Thread-bound.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "transport/mqtt.hpp"

namespace sealcam::attacks {

struct Packet {
  std::string topic;
  Bytes payload;
  bool retain = false;
  std::chrono::seconds expiry{0};
};

class Broker {
 public:
  /// One connection; leaves with its destruction. Publications that it did not hear of are then never answered.
  class Client final : public transport::MqttClient {
   public:
    /// All outlive it.
    Client(Broker& broker, transport::MqttListener& listener);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() override;
    void connect();
    /// Hands over one message, as a broker with bad intent does.
    void deliver(const Packet& packet, bool retained = false);

   private:
    friend class Broker;
    void do_publish(const transport::Publication& publication, PublishHandler done) override;
    void do_subscribe(std::string_view filter, transport::Qos qos) override;
    void do_unsubscribe(std::string_view filter) override { std::erase(filters_, filter); }
    [[nodiscard]] bool do_connected() const override { return connected_; }
    [[nodiscard]] std::size_t do_in_flight() const override { return in_flight_; }
    [[nodiscard]] std::size_t do_unsent_bytes() const override { return 0; }

    Broker& broker_;
    transport::MqttListener& listener_;
    std::vector<std::string> filters_;
    std::size_t in_flight_ = 0;
    bool connected_ = false;
  };

  explicit Broker(const Clock& clock) : clock_(clock) {}

  /// Sees each publication first; false: it goes no further, and its sender is none the wiser.
  std::function<bool(const Packet&)> intercept;
  /// Past the interceptor, to everybody who subscribed.
  void publish(const Packet& packet);
  /// Works until nobody has anything to say.
  void settle();

 private:
  struct Retained {
    Packet packet;
    MonotonicTime until;
  };
  struct Event {
    Client* from = nullptr;
    Packet packet;
    transport::MqttClient::PublishHandler done;
    std::string filter;  // a new subscription when not empty
  };
  void deliver_retained(Client& client, std::string_view filter);

  const Clock& clock_;
  std::vector<Client*> clients_;
  std::map<std::string, Retained> retained_;
  std::deque<Event> events_;
};

/// MQTT 5 section 4.7, without '#'.
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic) noexcept;

}  // namespace sealcam::attacks
