// SPDX-License-Identifier: Apache-2.0
/// Prints the latency and the cost of publications through Mosquitto. Fails only for absurd values.
#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstdio>
#include <thread>

#include "mqtt_harness.hpp"

using namespace sealcam;
using namespace sealcam::test;
using Steady = std::chrono::steady_clock;

namespace {

double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

struct Figures {
  double p50_us, p99_us, own_us, broker_us;
};

Figures measure(std::size_t size, int count, std::chrono::milliseconds pause) {
  const TestOperator op;
  const Mosquitto broker(op);
  boost::asio::io_context io, hub_io;  // one thread each, like the separate processes of the programs
  Client camera(io, config_for(op, broker, "camera"));
  Client hub(hub_io, config_for(op, broker, "hub"));
  hub.mqtt->subscribe("a/video", Qos::at_most_once);
  std::vector<double> times;
  Steady::time_point sent;
  bool arrived = false;
  std::size_t wrong = 0;
  hub.on_got = [&](const transport::Message& m) {
    const auto now = Steady::now();
    wrong += m.payload.size() == size ? 0U : 1U;
    boost::asio::post(io, [&, now] {
      times.push_back(std::chrono::duration<double, std::micro>(now - sent).count());
      arrived = true;
    });
  };
  REQUIRE(camera.wait_connected());
  REQUIRE(hub.wait_connected());
  const std::string payload(size, 'x');
  const auto work = boost::asio::make_work_guard(hub_io);
  const std::jthread thread([&] {
    hub_io.restart();
    hub_io.run();
  });
  const auto pass = [&](std::chrono::milliseconds limit) {
    arrived = false;
    sent = Steady::now();
    camera.mqtt->publish({.topic = "a/video", .payload = as_bytes(payload)}, [](Result<>) {});
    return run_until(io, [&] { return arrived; }, limit);
  };
  bool all = run_until(io, [&] { return pass(100ms); });  // until the subscription is active
  run_until(io, [] { return false; }, 200ms);
  times.clear();
  const auto cpu = own_cpu_us();
  const auto broker_cpu = broker.cpu_time();
  for (int i = 0; i < count && all; ++i) {
    all = pass(10s);
    run_until(io, [] { return false; }, pause);
  }
  hub_io.stop();
  REQUIRE(all);
  REQUIRE(wrong == 0);
  Figures f{};
  f.own_us = (own_cpu_us() - cpu) / count;
  f.broker_us = static_cast<double>((broker.cpu_time() - broker_cpu).count()) / count;
  std::ranges::sort(times);
  f.p50_us = times[times.size() / 2];
  f.p99_us = times[times.size() * 99 / 100];
  return f;
}

}  // namespace

TEST_CASE("a picture passes the broker long before the next one is taken") {
  NEED_MOSQUITTO();
  for (const auto& [size, count] : {std::pair<std::size_t, int>{5'000, 1000}, {145'000, 400}}) {
    const auto f = measure(size, count, 2ms);
    std::printf(
        "%zu bytes: publish to receive p50 %.0f us, p99 %.0f us; CPU per message: both clients %.0f us, broker %.0f "
        "us\n",
        size, f.p50_us, f.p99_us, f.own_us, f.broker_us);
    CHECK(f.p50_us < 33'000);
  }
}
