// SPDX-License-Identifier: Apache-2.0
/// A client of a real broker, with its events.
#pragma once

#include <boost/asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "support/mosquitto.hpp"
#include "transport/mqtt/mqtt5_client.hpp"

#define NEED_MOSQUITTO() \
  if (!::sealcam::test::Mosquitto::installed()) SKIP("mosquitto is not installed")

namespace sealcam::test {

using namespace std::chrono_literals;
using transport::Qos;

/// Runs `io` until `done` holds. False if that took longer than `limit`.
inline bool run_until(boost::asio::io_context& io, const std::function<bool()>& done,
                      std::chrono::steady_clock::duration limit = 10s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= 0s) return false;
    io.restart();
    io.run_one_for(left);
  }
  return true;
}

struct Client final : transport::MqttListener {
  struct Got {
    std::string topic, payload;
    bool retained;
  };

  Client(boost::asio::io_context& context, transport::MqttConfig config) : io(context) {
    auto opened = transport::Mqtt5Client::open(io, std::move(config), *this, log);
    if (!opened) FAIL(to_string(opened.error()));
    mqtt = std::move(*opened);
  }

  void on_connected() override { ++connects; }
  void on_disconnected(const Error& why) override {
    ++disconnects;
    last_loss = why;
  }
  void on_message(const transport::Message& m) override {
    if (m.topic == "ready") {
      observed_ready = true;
      return;
    }
    if (on_got) return on_got(m);
    got.push_back({std::string(m.topic), std::string(as_text(m.payload)), m.retained});
  }

  [[nodiscard]] bool wait_connected(std::chrono::steady_clock::duration limit = 10s) {
    return run_until(io, [this] { return mqtt->connected(); }, limit);
  }
  /// Publishes and waits for the answer.
  Result<> publish(std::string_view topic, std::string_view payload, Qos qos, bool retain = false,
                   std::chrono::seconds expiry = 0s) {
    std::optional<Result<>> answer;
    mqtt->publish({.topic = topic, .payload = as_bytes(payload), .qos = qos, .retain = retain, .expiry = expiry},
                  [&](Result<> r) { answer = r; });
    if (!run_until(io, [&] { return answer.has_value(); }, 15s)) return fail(Errc::timeout, "no answer");
    return *answer;
  }

  /// Waits until the broker has all subscriptions of this client.
  [[nodiscard]] bool wait_subscribed(Client& other) {
    mqtt->subscribe("ready", Qos::at_least_once);
    observed_ready = false;
    return wait_connected() && other.wait_connected() &&
           run_until(io, [&] { return other.publish("ready", "", Qos::at_least_once) && observed_ready; });
  }

  boost::asio::io_context& io;
  MemoryLog log;
  std::unique_ptr<transport::Mqtt5Client> mqtt;
  std::vector<Got> got;
  std::function<void(const transport::Message&)> on_got;
  int connects = 0, disconnects = 0;
  bool observed_ready = false;
  std::optional<Error> last_loss;
};

inline transport::MqttConfig config_for(const TestOperator& op, const Mosquitto& broker, std::string name) {
  return {.host = "localhost", .port = broker.port(), .client_id = name, .tls = op.client(name)};
}

}  // namespace sealcam::test
