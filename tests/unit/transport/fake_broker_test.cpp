// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <utility>

#include "base/testing/fakes.hpp"
#include "support/scripted_broker.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using transport::Message;
using transport::Qos;

namespace {

struct Party final : transport::MqttListener {
  Party(FakeBroker& broker, std::string name, std::size_t limit = 4, std::optional<transport::Will> will = {})
      : mqtt(broker.attach(std::move(name), *this, limit, std::move(will))) {}
  void on_connected() override { ++connects; }
  void on_disconnected(const Error&) override { ++disconnects; }
  void on_message(const Message& m) override {
    got.push_back(std::string(m.topic) + '=' + std::string(as_text(m.payload)) + (m.retained ? " (retained)" : ""));
  }
  void publish(std::string_view topic, std::string_view payload, Qos qos = Qos::at_most_once, bool retain = false,
               std::chrono::seconds expiry = 0s) {
    mqtt->publish({.topic = topic, .payload = as_bytes(payload), .qos = qos, .retain = retain, .expiry = expiry},
                  [this](Result<> r) { answers.push_back(r ? "ok" : std::string(name(r.error().code))); });
  }
  using Lines = std::vector<std::string>;
  Lines take() { return std::exchange(got, {}); }
  Lines take_answers() { return std::exchange(answers, {}); }

  int connects = 0, disconnects = 0;
  Lines got, answers;
  std::unique_ptr<transport::MqttClient> mqtt;
};
using Lines = Party::Lines;

struct World {
  FakeClock clock;
  FakeBroker broker{clock};
};

}  // namespace

TEST_CASE("topic filters match as in MQTT 5 section 4.7") {
  CHECK(topic_matches("a/b/c", "a/b/c"));
  CHECK_FALSE(topic_matches("a/b", "a/b/c"));
  CHECK_FALSE(topic_matches("a/b/c", "a/b"));
  CHECK(topic_matches("#", "a/b"));
  CHECK(topic_matches("a/#", "a/b/c"));
  CHECK(topic_matches("a/#", "a"));
  CHECK_FALSE(topic_matches("a/#", "ab"));
  CHECK(topic_matches("a/+/c", "a/b/c"));
  CHECK_FALSE(topic_matches("a/+", "a/b/c"));
  CHECK_FALSE(topic_matches("a/+", "a"));
  CHECK(topic_matches("+/+", "/a"));
  CHECK(topic_matches("/+", "/a"));
  CHECK_FALSE(topic_matches("+", "/a"));
  CHECK(topic_matches("a/+", "a/"));
  CHECK_FALSE(topic_matches("#", "$SYS/x"));
  CHECK_FALSE(topic_matches("+/x", "$SYS/x"));
  CHECK(topic_matches("$SYS/#", "$SYS/x"));
}

TEST_CASE("a subscriber receives each message once and in order") {
  World w;
  Party a(w.broker, "a"), b(w.broker, "b"), c(w.broker, "c");
  b.mqtt->subscribe("x/#", Qos::at_least_once);
  b.mqtt->subscribe("x/+", Qos::at_most_once);
  c.mqtt->subscribe("y", Qos::at_most_once);
  CHECK_FALSE(a.mqtt->connected());
  w.broker.run_until_idle();
  CHECK(a.mqtt->connected());
  CHECK(a.connects == 1);
  a.publish("x/1", "1");
  a.publish("x/2", "2", Qos::at_least_once);
  a.publish("x/1", "3");
  CHECK(a.answers.empty());  // never inside publish()
  CHECK(a.mqtt->in_flight() == 3);
  w.broker.run_until_idle();
  CHECK(b.take() == Lines{"x/1=1", "x/2=2", "x/1=3"});
  CHECK(c.take().empty());
  CHECK(a.take_answers() == Lines{"ok", "ok", "ok"});
  CHECK(a.mqtt->in_flight() == 0);
  b.mqtt->unsubscribe("x/#");
  b.mqtt->unsubscribe("x/+");
  a.publish("x/1", "4");
  w.broker.run_until_idle();
  CHECK(b.take().empty());
}

TEST_CASE("retained messages arrive after subscribing and reconnecting, and an empty message deletes them") {
  World w;
  Party a(w.broker, "a");
  w.broker.run_until_idle();
  a.publish("x/roster", "1", Qos::at_least_once, true);
  a.publish("x/still", "2", Qos::at_most_once, true, 60s);
  w.broker.run_until_idle();
  Party b(w.broker, "b");
  b.mqtt->subscribe("x/#", Qos::at_least_once);
  w.broker.run_until_idle();
  CHECK(b.take() == Lines{"x/roster=1 (retained)", "x/still=2 (retained)"});
  w.clock.advance(61s);
  w.broker.disconnect("b");
  w.broker.run_until_idle();
  CHECK(b.disconnects == 1);
  a.publish("x/video", "unheard");
  w.broker.run_until_idle();
  w.broker.reconnect("b");
  w.broker.run_until_idle();
  CHECK(b.connects == 2);
  CHECK(b.take() == Lines{"x/roster=1 (retained)"});
  a.publish("x/roster", "", Qos::at_least_once, true);
  w.broker.run_until_idle();
  CHECK(b.take() == Lines{"x/roster="});
  CHECK_FALSE(w.broker.retained("x/roster"));
}

TEST_CASE("offline, QoS 0 fails and QoS 1 waits; the number of both is limited") {
  World w;
  Party a(w.broker, "a", 2), b(w.broker, "b");
  b.mqtt->subscribe("#", Qos::at_least_once);
  w.broker.run_until_idle();
  w.broker.kill();
  w.broker.run_until_idle();
  CHECK(a.disconnects == 1);
  a.publish("x", "0");
  a.publish("x", "1", Qos::at_least_once);
  a.publish("x", "2", Qos::at_least_once);
  a.publish("x", "3", Qos::at_least_once);
  w.broker.run_until_idle();
  CHECK(a.take_answers() == Lines{"connection failed", "exhausted"});
  w.broker.restart();
  w.broker.run_until_idle();
  CHECK(a.take_answers() == Lines{"ok", "ok"});
  CHECK(b.take() == Lines{"x=1", "x=2"});
}

TEST_CASE("a will is published when the connection is cut") {
  World w;
  const auto text = as_bytes("gone");
  Party a(w.broker, "a", 4, transport::Will{.topic = "x/status", .payload = Bytes(text.begin(), text.end())});
  Party b(w.broker, "b");
  b.mqtt->subscribe("x/status", Qos::at_least_once);
  w.broker.run_until_idle();
  w.broker.disconnect("a");
  w.broker.run_until_idle();
  CHECK(b.take() == Lines{"x/status=gone"});
  CHECK(w.broker.retained("x/status"));
}

TEST_CASE("faults: messages are rejected, dropped, duplicated, delayed and reordered") {
  World w;
  Party a(w.broker, "a", 16), b(w.broker, "b");
  b.mqtt->subscribe("#", Qos::at_least_once);
  w.broker.run_until_idle();
  SECTION("rejected") {
    w.broker.reject("x");
    a.publish("x", "1", Qos::at_least_once);
    a.publish("x", "2", Qos::at_most_once);  // QoS 0 has no answer
    w.broker.run_until_idle();
    CHECK(a.take_answers() == Lines{"permission denied", "ok"});
    CHECK(b.take().empty());
    CHECK(w.broker.count("x") == 2);
  }
  SECTION("dropped and duplicated") {
    w.broker.drop("x", 1);
    w.broker.duplicate("y", 1);
    for (const char* topic : {"x", "x", "y", "y"}) a.publish(topic, "");
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=", "y=", "y=", "y="});
  }
  SECTION("delayed") {
    w.broker.delay("x", 2s, 1);
    a.publish("x", "late");
    a.publish("x", "prompt");
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=prompt"});
    REQUIRE(w.broker.next_due());
    w.clock.advance(2s);
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=late"});
  }
  SECTION("reordered") {
    w.broker.reorder("x", 3);
    for (const char* text : {"1", "2", "3", "4"}) a.publish("x", text);
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=3", "x=2", "x=1"});
    w.broker.clear_faults();
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=4"});
  }
  SECTION("changed, redirected and created by the hook") {
    w.broker.tamper([](Passing p) {
      auto redirected = p;
      redirected.topic = "stranger/" + p.topic;
      return std::vector<Passing>{p, redirected};
    });
    a.publish("x", "1");
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"x=1", "stranger/x=1"});
    w.broker.inject("y", as_bytes("from nowhere"));
    w.broker.run_until_idle();
    CHECK(b.take() == Lines{"y=from nowhere"});
  }
}

TEST_CASE("a stalled connection delivers neither answers nor messages until it is released") {
  World w;
  Party a(w.broker, "a", 2), b(w.broker, "b");
  b.mqtt->subscribe("x", Qos::at_most_once);
  w.broker.run_until_idle();
  w.broker.hold("a");
  w.broker.set_progress("a", {.acknowledged = 700, .unacknowledged = 5000});
  a.publish("x", "1");
  a.publish("x", "2");
  a.publish("x", "3");
  w.broker.run_until_idle();
  CHECK(a.take_answers() == Lines{"exhausted"});
  CHECK(a.mqtt->in_flight() == 2);
  CHECK(a.mqtt->send_progress().unacknowledged == 5000);
  w.broker.release("a");
  w.broker.run_until_idle();
  CHECK(a.take_answers() == Lines{"ok", "ok"});
  CHECK(b.take() == Lines{"x=1", "x=2"});
  w.broker.hold("b");
  a.publish("x", "4", Qos::at_most_once, false, 5s);
  a.publish("x", "5");
  w.broker.run_until_idle();
  CHECK(b.take().empty());
  w.clock.advance(5s);
  w.broker.release("b");
  w.broker.run_until_idle();
  CHECK(b.take() == Lines{"x=5"});  // the other one expired
}

TEST_CASE("a second client with the same name disconnects the first one") {
  World w;
  Party a(w.broker, "a");
  w.broker.run_until_idle();
  Party twin(w.broker, "a");
  w.broker.run_until_idle();
  CHECK(a.disconnects == 1);
  CHECK_FALSE(a.mqtt->connected());
  CHECK(twin.mqtt->connected());
}

TEST_CASE("two clients that answer each other forever are detected") {
  World w;
  struct Echo final : transport::MqttListener {
    explicit Echo(FakeBroker& broker) : mqtt(broker.attach("echo", *this)) { mqtt->subscribe("x", Qos::at_most_once); }
    void on_connected() override {
      mqtt->publish({.topic = "x", .payload = {}}, [](Result<>) {});
    }
    void on_disconnected(const Error&) override {}
    void on_message(const Message&) override { on_connected(); }
    std::unique_ptr<transport::MqttClient> mqtt;
  } echo(w.broker);
  CHECK_THROWS(w.broker.run_until_idle());
}
