// SPDX-License-Identifier: Apache-2.0
/// What becomes of Mqtt5Client when the real Mosquitto dies, comes back, stands still or says no.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>

#include "mqtt_harness.hpp"

using namespace sealcam;
using namespace sealcam::test;

namespace {

long ms_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
}

/// How long this thread was kept from running, by a clock that ticks in it: a machine that is busy, or a virtual one
/// that is not run, says nothing of the client.
class Pauses {
 public:
  explicit Pauses(boost::asio::io_context& io) : timer_(io) { tick(); }
  void begin() {
    total_ = {};
    due_ = std::chrono::steady_clock::now() + interval;
    timer_.expires_at(due_);
    tick();
  }
  [[nodiscard]] long ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(total_ + overdue()).count();
  }

 private:
  static constexpr auto interval = std::chrono::milliseconds(20);
  [[nodiscard]] std::chrono::steady_clock::duration overdue() const {
    return std::max(std::chrono::steady_clock::now() - due_, std::chrono::steady_clock::duration::zero());
  }
  void tick() {
    timer_.async_wait([this](boost::system::error_code ec) {
      if (ec) return;
      total_ += overdue();
      due_ = std::chrono::steady_clock::now() + interval;
      timer_.expires_at(due_);
      tick();
    });
  }
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now() + interval;
  std::chrono::steady_clock::duration total_{};
};

}  // namespace

TEST_CASE("a broker that was killed and comes back is found again within a second, subscriptions included") {
  NEED_MOSQUITTO();
  const TestOperator op;
  Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/#", Qos::at_least_once);
  REQUIRE(hub.wait_subscribed(camera));
  Pauses pauses(io);
  for (int round = 1; round <= 5; ++round) {
    broker.kill();
    pauses.begin();
    const auto died = std::chrono::steady_clock::now();
    REQUIRE(run_until(io, [&] { return hub.disconnects == round && camera.disconnects == round; }));
    const auto noticed = ms_since(died) - pauses.ms();
    CHECK(noticed < 1000);
    CHECK_FALSE(hub.mqtt->connected());
    // QoS 1 outlives the gap, QoS 0 does not.
    std::optional<Result<>> lasting, passing;
    camera.mqtt->publish({.topic = "a/lasting", .payload = {}, .qos = Qos::at_least_once},
                         [&](Result<> r) { lasting = r; });
    camera.mqtt->publish({.topic = "a/passing", .payload = {}, .qos = Qos::at_most_once},
                         [&](Result<> r) { passing = r; });
    run_until(io, [] { return false; }, std::chrono::milliseconds(700 * round));
    REQUIRE(passing.has_value());
    CHECK_FALSE(*passing);
    CHECK_FALSE(lasting.has_value());
    hub.got.clear();
    broker.start();
    pauses.begin();
    const auto back = std::chrono::steady_clock::now();
    REQUIRE(run_until(io, [&] { return hub.connects == round + 1 && camera.connects == round + 1; }));
    const auto found = ms_since(back) - pauses.ms();
    std::printf("broker killed: noticed after %ld ms; away %d ms; found again after %ld ms\n", noticed, 700 * round,
                found);
    CHECK(found < 1300);
    REQUIRE(run_until(io, [&] { return lasting.has_value(); }));
    CHECK(*lasting);
    REQUIRE(run_until(io, [&] { return camera.publish("a/again", "", Qos::at_least_once) && !hub.got.empty(); }));
  }
}

TEST_CASE("a broker that stands still is noticed within 10 s and taken up again when it moves") {
  NEED_MOSQUITTO();
  const TestOperator op;
  Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  Client idle(io, config_for(op, broker, "idle"));
  REQUIRE(camera.wait_connected());
  REQUIRE(idle.wait_connected());
  broker.pause();
  const auto stopped = std::chrono::steady_clock::now();
  // One client is idle, the other's socket is full.
  const std::string filler(200'000, 'x');
  int answered = 0;
  const auto push = [&] {
    while (camera.mqtt->connected() && camera.mqtt->in_flight() < 4)
      camera.mqtt->publish({.topic = "a", .payload = as_bytes(filler)}, [&](Result<>) { ++answered; });
    return camera.disconnects == 1 && idle.disconnects == 1;
  };
  REQUIRE(run_until(io, push, 12s));
  std::printf("broker stopped: noticed after %ld ms\n", ms_since(stopped));
  CHECK(ms_since(stopped) < 10'500);
  CHECK(camera.last_loss->code == Errc::timeout);
  CHECK(camera.mqtt->in_flight() == 0);
  broker.resume();
  const auto back = std::chrono::steady_clock::now();
  REQUIRE(camera.wait_connected());
  REQUIRE(idle.wait_connected());
  std::printf("broker goes on: connected after %ld ms\n", ms_since(back));
  CHECK(ms_since(back) < 6'000);
}

TEST_CASE("a refused device keeps trying slowly and says what to do") {
  NEED_MOSQUITTO();
  const TestOperator op, other("another operator");
  const Mosquitto broker(op);
  boost::asio::io_context io;
  SECTION("the broker does not know the device's authority") {
    auto config = config_for(op, broker, "camera");
    config.tls = other.client("camera", op.authority());
    Client camera(io, std::move(config));
    run_until(io, [] { return false; }, 2500ms);
    CHECK(camera.connects == 0);
    for (const auto& line : camera.log.lines()) UNSCOPED_INFO(line);
    CHECK(camera.log.contains("does not accept this device's certificate"));
    // At 0, 1 and perhaps a bit more than 2 s; Mosquitto has a line for each.
    const auto log = broker.log();
    int tries = 0;
    for (auto at = log.find("failed"); at != std::string::npos; at = log.find("failed", at + 1)) ++tries;
    CHECK(tries <= 5);
    CHECK(camera.log.lines().size() == 1);  // said once
  }
  SECTION("the device does not know the broker's authority") {
    auto config = config_for(op, broker, "camera");
    config.tls = op.client("camera", other.authority());
    Client camera(io, std::move(config));
    REQUIRE(run_until(io, [&] { return camera.log.contains("the peer's certificate is refused"); }));
    CHECK(camera.connects == 0);
  }
  SECTION("control: an admitted device gets in") {
    Client camera(io, config_for(op, broker, "camera"));
    CHECK(camera.wait_connected());
  }
}

TEST_CASE("two devices with one identity are told apart from a bad network") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client first(io, config_for(op, broker, "camera"));
  REQUIRE(first.wait_connected());
  Client second(io, config_for(op, broker, "camera"));
  REQUIRE(second.wait_connected());
  REQUIRE(run_until(io, [&] { return first.disconnects == 1; }));
  CHECK(first.log.contains("the identity was copied"));
  CHECK(second.mqtt->connected());
}

TEST_CASE("a client may be destroyed at any moment") {
  NEED_MOSQUITTO();
  const TestOperator op;
  Mosquitto broker(op);
  boost::asio::io_context io;
  for (int i = 0; i < 12; ++i) {
    auto client = std::make_unique<Client>(io, config_for(op, broker, "camera"));
    client->mqtt->subscribe("a/#", Qos::at_least_once);
    client->mqtt->publish({.topic = "a", .payload = {}, .qos = Qos::at_least_once}, [](Result<>) {});
    if (i % 3 == 1) run_until(io, [] { return false; }, std::chrono::milliseconds(3 * i));
    if (i % 3 == 2) REQUIRE(client->wait_connected());
    if (i % 4 == 3) client->mqtt->stop([] {});
    client.reset();
    io.restart();
    io.poll();
  }
  SUCCEED();
}
