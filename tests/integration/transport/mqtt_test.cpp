// SPDX-License-Identifier: Apache-2.0
/// Messages through Mqtt5Client and a real Mosquitto.
#include <random>

#include "mqtt_harness.hpp"

using namespace sealcam;
using namespace sealcam::test;
using transport::Will;

namespace {

std::string noise(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, '\0');
  for (auto& c : text) c = static_cast<char>(random());
  return text;
}

}  // namespace

TEST_CASE("a publication of 1 MiB arrives complete with either QoS") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/#", Qos::at_least_once);
  REQUIRE(hub.wait_subscribed(camera));
  const auto payload = noise(1024 * 1024);
  for (const auto qos : {Qos::at_most_once, Qos::at_least_once}) {
    hub.got.clear();
    REQUIRE(camera.publish("a/picture", payload, qos));
    REQUIRE(run_until(io, [&] { return !hub.got.empty() && hub.got.back().topic == "a/picture"; }));
    CHECK(hub.got.back().payload == payload);
    CHECK_FALSE(hub.got.back().retained);
  }
  CHECK(hub.disconnects == 0);
}

TEST_CASE("a packet above the limit ends the connection, and the next connection works") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  auto config = config_for(op, broker, "hub");
  config.maximum_packet_size = 64 * 1024;
  Client hub(io, std::move(config));
  hub.mqtt->subscribe("a/#", Qos::at_most_once);
  REQUIRE(hub.wait_subscribed(camera));
  // The broker knows the limit and does not send larger packets (MQTT 5 section 3.1.2.11.4).
  REQUIRE(camera.publish("a/large", noise(100'000), Qos::at_least_once));
  REQUIRE(camera.publish("a/small", "1", Qos::at_least_once));
  REQUIRE(run_until(io, [&] { return !hub.got.empty(); }));
  CHECK(hub.got.front().topic == "a/small");
}

TEST_CASE("a later subscriber receives retained publications with the flag, and live ones without it") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  REQUIRE(camera.wait_connected());
  REQUIRE(camera.publish("a/1/roster", "first", Qos::at_least_once, true));
  REQUIRE(camera.publish("a/1/still", "second", Qos::at_most_once, true));
  REQUIRE(camera.publish("a/1/status", "third", Qos::at_least_once, true));
  REQUIRE(camera.publish("a/1/video", "gone", Qos::at_least_once, false));
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/+/roster", Qos::at_least_once);
  hub.mqtt->subscribe("a/1/still", Qos::at_most_once);
  hub.mqtt->subscribe("a/1/status", Qos::at_least_once);
  hub.mqtt->subscribe("a/1/video", Qos::at_least_once);
  REQUIRE(run_until(io, [&] { return hub.got.size() == 3; }));
  for (const auto& m : hub.got) CHECK(m.retained);
  hub.got.clear();
  REQUIRE(camera.publish("a/1/roster", "newer", Qos::at_least_once, true));
  REQUIRE(run_until(io, [&] { return !hub.got.empty(); }));
  CHECK(hub.got.front().payload == "newer");
  CHECK_FALSE(hub.got.front().retained);
  SECTION("an unsubscribed topic delivers nothing") {
    hub.got.clear();
    hub.mqtt->unsubscribe("a/+/roster");
    REQUIRE(run_until(io, [&] {
      (void)camera.publish("a/1/roster", "unheard", Qos::at_least_once);
      hub.got.clear();
      (void)camera.publish("a/1/status", "received", Qos::at_least_once);
      return run_until(io, [&] { return !hub.got.empty(); }, 1s) && hub.got.front().payload == "received";
    }));
  }
}

TEST_CASE("a broker with a short queue delivers the retained messages of many exact subscriptions") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op, {.more = "max_queued_messages 40\n"});
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  REQUIRE(camera.wait_connected());
  constexpr std::size_t topics = 300;
  const auto topic = [](std::size_t i) { return "a/" + std::to_string(i) + "/roster"; };
  for (std::size_t i = 0; i < topics; ++i) REQUIRE(camera.publish(topic(i), "x", Qos::at_least_once, true));
  Client hub(io, config_for(op, broker, "hub"));
  for (std::size_t i = 0; i < topics / 2; ++i) hub.mqtt->subscribe(topic(i), Qos::at_least_once);
  REQUIRE(run_until(io, [&] { return hub.got.size() == topics / 2; }));
  for (std::size_t i = topics / 2; i < topics; ++i) hub.mqtt->subscribe(topic(i), Qos::at_least_once);
  CHECK(run_until(io, [&] { return hub.got.size() == topics; }));
}

TEST_CASE("the will is published after a crash and not after a clean disconnect") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/status", Qos::at_least_once);
  REQUIRE(hub.wait_connected());
  const auto with_will = [&] {
    auto config = config_for(op, broker, "camera");
    const auto text = as_bytes("offline");
    config.will = Will{.topic = "a/status", .payload = Bytes(text.begin(), text.end())};
    return config;
  };
  auto camera = std::make_unique<Client>(io, with_will());
  REQUIRE(camera->wait_connected());
  REQUIRE(camera->publish("a/status", "online", Qos::at_least_once, true));
  REQUIRE(run_until(io, [&] { return hub.got.size() == 1; }));
  SECTION("crash") {
    camera.reset();
    REQUIRE(run_until(io, [&] { return hub.got.size() == 2; }));
    CHECK(hub.got.back().payload == "offline");
  }
  SECTION("clean disconnect") {
    bool left = false;
    const auto begin = std::chrono::steady_clock::now();
    camera->mqtt->stop([&] { left = true; });
    REQUIRE(run_until(io, [&] { return left; }));
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
    CHECK_FALSE(camera->publish("a/status", "late", Qos::at_least_once));
    camera.reset();
    Client other(io, config_for(op, broker, "other"));
    REQUIRE(other.wait_connected());
    REQUIRE(other.publish("a/status", "marker", Qos::at_least_once));
    REQUIRE(run_until(io, [&] { return hub.got.size() == 2; }));
    CHECK(hub.got.back().payload == "marker");
  }
}

TEST_CASE("a publication that the access list forbids ends with permission") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op, {.access_list = "user camera\ntopic write a/video\nuser hub\ntopic read a/#\n"});
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  REQUIRE(camera.wait_connected());
  CHECK(camera.publish("a/video", "x", Qos::at_least_once));  // control
  const auto denied = camera.publish("a/roster", "x", Qos::at_least_once);
  REQUIRE_FALSE(denied);
  CHECK(denied.error().code == Errc::permission);
  CHECK(camera.mqtt->connected());
}

TEST_CASE("thousands of messages of either QoS arrive in order and once") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op, {.more = "max_queued_messages 0\nmax_inflight_messages 0\n"});
  boost::asio::io_context io;
  auto camera_config = config_for(op, broker, "camera");
  camera_config.max_in_flight = 16;
  Client camera(io, std::move(camera_config));
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/#", Qos::at_least_once);
  REQUIRE(hub.wait_subscribed(camera));
  for (const auto qos : {Qos::at_most_once, Qos::at_least_once}) {
    hub.got.clear();
    constexpr int count = 3000;
    const std::string filler(3000, 'x');
    int sent = 0, answered = 0;
    while (answered < count) {
      while (sent < count && camera.mqtt->in_flight() < 16) {
        camera.mqtt->publish(
            {.topic = "a/video", .payload = as_bytes(std::to_string(sent++) + ' ' + filler), .qos = qos},
            [&](Result<> r) {
              CHECK(r);
              ++answered;
            });
      }
      REQUIRE(run_until(io, [&] { return answered == count || (camera.mqtt->in_flight() < 16 && sent < count); }));
    }
    REQUIRE(run_until(io, [&] { return hub.got.size() == count; }));
    bool in_order = true;
    for (int i = 0; i < count; ++i)
      in_order = in_order && hub.got[static_cast<std::size_t>(i)].payload.starts_with(std::to_string(i) + ' ');
    CHECK(in_order);
  }
}

TEST_CASE("at most max_in_flight publications wait, and QoS 0 fails at once while offline") {
  const TestOperator op;
  boost::asio::io_context io;
  transport::MqttConfig config{.host = "localhost", .port = 1, .client_id = "camera", .tls = op.client("camera")};
  Client camera(io, std::move(config));
  const auto rejected = camera.publish("a", "x", Qos::at_most_once);
  REQUIRE_FALSE(rejected);
  CHECK(rejected.error().code == Errc::connection);
  std::vector<Result<>> answers;
  for (int i = 0; i < 5; ++i)
    camera.mqtt->publish({.topic = "a", .payload = {}, .qos = Qos::at_least_once},
                         [&](Result<> r) { answers.push_back(r); });
  CHECK(answers.empty());  // never inside publish()
  REQUIRE(run_until(io, [&] { return answers.size() == 1; }));
  CHECK(answers.front().error().code == Errc::exhausted);
  CHECK(camera.mqtt->in_flight() == 4);
  bool left = false;
  camera.mqtt->stop([&] { left = true; });
  REQUIRE(run_until(io, [&] { return left && answers.size() == 5; }));
  CHECK(answers.back().error().code == Errc::canceled);
}
