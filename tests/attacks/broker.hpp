// SPDX-License-Identifier: Apache-2.0
/// A broker in the same process, with retained messages, expiry and subscriptions with '+'. It delivers inside settle()
/// only. The test has the rights of an operator. Thread-bound.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "support/fake_mqtt_client.hpp"

namespace sealcam::attacks {

struct Packet {
  std::string topic;
  Bytes payload;
  bool retain = false;
  std::chrono::seconds expiry{0};
};

class Broker {
 public:
  /// One connection. Its destruction ends it, and open publications are then never answered.
  class Client final : public test::FakeMqttClient {
   public:
    /// Both arguments must outlive the client.
    Client(Broker& broker, transport::MqttListener& listener);
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() override;
    void connect();
    /// Delivers one message to this client only, as a malicious broker can.
    void deliver(const Packet& packet, bool retained = false);
    /// The machine of this client sleeps: the network holds its messages.
    void sleep() noexcept { asleep_ = true; }
    /// The machine wakes, and receives the held messages in order.
    void wake();

   private:
    friend class Broker;
    void do_publish(const transport::Publication& publication, PublishHandler done) override;
    void do_subscribe(std::string_view filter, transport::Qos qos) override;

    Broker& broker_;
    transport::MqttListener& listener_;
    bool asleep_ = false;
    std::vector<std::pair<Packet, bool>> held_;  // with "retained"
  };

  explicit Broker(const Clock& clock) : clock_(clock) {}

  /// Receives each publication first. If it returns false, the publication is dropped, and its sender is not told.
  std::function<bool(const Packet&)> intercept;
  /// Delivers a message to all subscribers, without the interceptor.
  void publish(const Packet& packet);
  /// Delivers all waiting messages, also those that they cause.
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
    std::string filter;  // a new subscription if not empty
  };
  void deliver_retained(Client& client, std::string_view filter);

  const Clock& clock_;
  std::vector<Client*> clients_;
  std::map<std::string, Retained> retained_;
  std::deque<Event> events_;
};

/// Matches a topic filter as in MQTT 5 section 4.7, without '#'.
[[nodiscard]] bool matches(std::string_view filter, std::string_view topic) noexcept;

}  // namespace sealcam::attacks
