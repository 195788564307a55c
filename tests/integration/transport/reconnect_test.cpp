// SPDX-License-Identifier: Apache-2.0
/// Mqtt5Client and a real Mosquitto that is killed, restarted or stopped, or that rejects the client.
#include <atomic>
#include <catch2/generators/catch_generators.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

#include "mqtt_harness.hpp"

using namespace sealcam;
using namespace sealcam::test;

namespace {

using SteadyClock = std::chrono::steady_clock;

long ms_of(SteadyClock::duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); }

/// Measures how long the machine did not run this process, for example because a virtual machine was paused. The thread
/// only sleeps and compares clocks, so the client under test cannot delay it.
class MachinePauses {
 public:
  MachinePauses()
      : thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            const auto due = SteadyClock::now() + interval;
            std::this_thread::sleep_until(due);
            const auto late = SteadyClock::now() - due;
            if (late > interval) total_ += late.count();
          }
        }) {}
  [[nodiscard]] SteadyClock::duration total() const { return SteadyClock::duration(total_); }

 private:
  static constexpr SteadyClock::duration interval = std::chrono::milliseconds(10);
  std::atomic<SteadyClock::rep> total_{0};
  std::jthread thread_;
};

/// Time since construction, without the pauses of the machine.
class Stopwatch {
 public:
  explicit Stopwatch(const MachinePauses& pauses) : pauses_(pauses) {}
  [[nodiscard]] long ms() const { return ms_of(SteadyClock::now() - begin_ - (pauses_.total() - paused_)); }

 private:
  const MachinePauses& pauses_;
  SteadyClock::duration paused_ = pauses_.total();
  SteadyClock::time_point begin_ = SteadyClock::now();
};

}  // namespace

TEST_CASE("a client notices a killed broker within 1 s, and reconnects within 1.3 s of its restart") {
  NEED_MOSQUITTO();
  const TestOperator op;
  Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  Client hub(io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/#", Qos::at_least_once);
  REQUIRE(hub.wait_subscribed(camera));
  const MachinePauses pauses;
  for (int round = 1; round <= 5; ++round) {
    broker.kill();
    const Stopwatch since_kill(pauses);
    REQUIRE(run_until(io, [&] { return hub.disconnects == round && camera.disconnects == round; }));
    const auto noticed = since_kill.ms();
    CHECK(noticed < 1000);
    CHECK_FALSE(hub.mqtt->connected());
    // A message with QoS 1 is delivered after the reconnection, one with QoS 0 is not.
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
    const Stopwatch since_start(pauses);
    REQUIRE(run_until(io, [&] { return hub.connects == round + 1 && camera.connects == round + 1; }));
    const auto reconnected = since_start.ms();
    std::printf("broker killed: noticed after %ld ms; restarted after %d ms; reconnected after %ld ms\n", noticed,
                700 * round, reconnected);
    CHECK(reconnected < 1300);
    REQUIRE(run_until(io, [&] { return lasting.has_value(); }));
    CHECK(*lasting);
    REQUIRE(run_until(io, [&] { return camera.publish("a/again", "", Qos::at_least_once) && !hub.got.empty(); }));
  }
}

TEST_CASE("a client notices a stopped broker within 10.5 s, and reconnects within 6 s after it continues") {
  NEED_MOSQUITTO();
  const TestOperator op;
  Mosquitto broker(op);
  boost::asio::io_context io;
  Client camera(io, config_for(op, broker, "camera"));
  Client idle(io, config_for(op, broker, "idle"));
  REQUIRE(camera.wait_connected());
  REQUIRE(idle.wait_connected());
  broker.pause();
  const MachinePauses pauses;
  const Stopwatch since_stop(pauses);
  // One client is idle. The socket buffer of the other client is full.
  const std::string filler(200'000, 'x');
  int answered = 0;
  const auto push = [&] {
    while (camera.mqtt->connected() && camera.mqtt->in_flight() < 4)
      camera.mqtt->publish({.topic = "a", .payload = as_bytes(filler)}, [&](Result<>) { ++answered; });
    return camera.disconnects == 1 && idle.disconnects == 1;
  };
  REQUIRE(run_until(io, push, 12s));
  const auto noticed = since_stop.ms();
  std::printf("broker stopped: noticed after %ld ms\n", noticed);
  CHECK(noticed < 10'500);
  CHECK(camera.last_loss->code == Errc::timeout);
  CHECK(camera.mqtt->in_flight() == 0);
  broker.resume();
  const Stopwatch since_continue(pauses);
  REQUIRE(camera.wait_connected());
  REQUIRE(idle.wait_connected());
  const auto reconnected = since_continue.ms();
  std::printf("broker continues: reconnected after %ld ms\n", reconnected);
  CHECK(reconnected < 6'000);
}

TEST_CASE("a rejected client retries at most five times in 2.5 s and logs the reason once") {
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
    // Mosquitto logs one line per attempt.
    const auto log = broker.log();
    int tries = 0;
    for (auto at = log.find("failed"); at != std::string::npos; at = log.find("failed", at + 1)) ++tries;
    CHECK(tries <= 5);
    CHECK(camera.log.lines().size() == 1);
  }
  SECTION("the device does not know the broker's authority") {
    auto config = config_for(op, broker, "camera");
    config.tls = op.client("camera", other.authority());
    Client camera(io, std::move(config));
    REQUIRE(run_until(io, [&] { return camera.log.contains("the peer's certificate is rejected"); }));
    CHECK(camera.connects == 0);
  }
  SECTION("control: an authorized device connects") {
    Client camera(io, config_for(op, broker, "camera"));
    CHECK(camera.wait_connected());
  }
}

TEST_CASE("a client logs that its identity was copied if a second client with it connects") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io;
  Client first(io, config_for(op, broker, "camera"));
  REQUIRE(first.wait_connected());
  Client second(io, config_for(op, broker, "camera"));
  REQUIRE(second.wait_connected());
  REQUIRE(run_until(io, [&] { return first.disconnects == 1; }));
  CHECK(first.log.contains("its identity was copied"));
  CHECK(second.mqtt->connected());
}

TEST_CASE("a client can be destroyed in each state") {
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

TEST_CASE("a client reports the limits of a broker that cannot be used, and connects when they are gone") {
  NEED_MOSQUITTO();
  const TestOperator op;
  const auto [line, why] = GENERATE(std::pair("retain_available false\n", "the broker retains no messages"),
                                    std::pair("max_qos 0\n", "the broker accepts QoS 0 only"));
  boost::asio::io_context io;
  Mosquitto broker(op, {.more = line});
  auto config = config_for(op, broker, "camera");
  if (GENERATE(false, true))
    config.will = transport::Will{.topic = "a/status", .payload = {}};  // with RETAIN and QoS 1
  Client camera(io, std::move(config));
  REQUIRE(run_until(io, [&] { return camera.log.contains(why); }));
  CHECK(camera.connects == 0);
  // Control: the same broker without this line.
  broker.kill();
  const auto path = broker.folder() / "mosquitto.conf";
  std::ifstream in(path);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  std::ofstream(path) << text.substr(0, text.rfind(line));
  broker.start();
  CHECK(camera.wait_connected(20s));
}
