// SPDX-License-Identifier: Apache-2.0
// The rate controller with simulated links and a model of an encoder. The clock is a fake one, so the results are
// exact.
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <functional>
#include <random>

#include "base/testing/fakes.hpp"
#include "unit/stream/simulated_camera.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

constexpr auto constant(double rate) {
  return [rate](double) { return rate; };
}

/// For a link on which the camera settled.
void check_steady(const SimulatedCamera::Result& r, double rate, std::chrono::milliseconds p95) {
  INFO("sent " << r.sent << " bit/s, p95 " << r.p95.count() << " ms, max " << r.max.count() << " ms, LIVE " << r.live
               << ", pictures/s " << r.fps << ", bitrate " << r.low << " to " << r.high);
  CHECK(r.live >= 0.99);
  CHECK(r.p95 < p95);
  CHECK(r.sent > rate * 0.8);
  CHECK(r.sent <= rate * 1.01);
}

}  // namespace

TEST_CASE("links of constant rate carry LIVE pictures with a short delay, without a saw-tooth") {
  struct Row {
    double rate;
    std::size_t buffer;
    std::chrono::milliseconds p95;
  };
  const Row rows[] = {{500'000, 40'000, 1200ms},
                      {500'000, 200'000, 1500ms},
                      {400'000, 300'000, 1500ms},
                      {150'000, 40'000, 1800ms},
                      {64'000, 40'000, 3000ms}};
  for (const auto& row : rows) {
    SimulatedCamera s({.rate = constant(row.rate), .buffer = row.buffer});
    s.run(20s);
    const auto r = s.run(60s);
    INFO("link of " << row.rate << " bit/s with " << row.buffer << " bytes");
    check_steady(r, row.rate, row.p95);
    CHECK(r.high < r.low * 1.7);
  }
}

TEST_CASE("an unlimited link keeps the configured quality, also with a long round trip") {
  for (const auto rtt : {1ms, 50ms, 200ms}) {
    SimulatedCamera s({.rate = constant(100e6), .rtt = rtt});
    s.run(5s);
    const auto r = s.run(60s);
    INFO("round trip of " << rtt.count() << " ms");
    CHECK(r.low == 2'000'000);
    CHECK(r.fps > 29);
    CHECK(r.held == 0);
  }
}

TEST_CASE("after a step down the picture is LIVE again soon, after a step up the full rate returns within 10 s") {
  for (const double low : {500'000.0, 150'000.0, 64'000.0}) {
    SimulatedCamera s({.rate = [low](double t) { return t > 20 && t < 60 ? low : 20e6; }});
    s.run(20s);
    const auto down = s.run(15s);
    INFO("step to " << low << " bit/s: LIVE " << down.live << ", max " << down.max.count());
    CHECK(down.live > 0.7);
    s.run(25s);
    s.run(10s);
    const auto up = s.run(5s);
    CHECK(up.low == 2'000'000);
    CHECK(up.fps > 29);
  }
}

TEST_CASE("the bitrate follows a ramp and a random walk") {
  SimulatedCamera ramp({.rate = [](double t) { return 300'000 + 700'000 * (0.5 + 0.5 * std::cos(t / 20)); }});
  ramp.run(20s);
  const auto r = ramp.run(120s);
  INFO("ramp: p95 " << r.p95.count() << " ms, LIVE " << r.live << ", sent " << r.sent);
  CHECK(r.live >= 0.99);
  CHECK(r.p95 < 1500ms);
  CHECK(r.sent > 450'000);
  std::mt19937 random(7);  // NOLINT(cert-msc51-cpp): the same walk each time
  double rate = 600'000;
  SimulatedCamera walk({.rate = [&random, &rate](double) {
    rate = std::clamp(rate * (1 + (std::uniform_real_distribution<double>(-0.02, 0.02)(random))), 200'000.0, 1e6);
    return rate;
  }});
  walk.run(20s);
  const auto w = walk.run(120s);
  INFO("walk: p95 " << w.p95.count() << " ms, LIVE " << w.live << ", sent " << w.sent);
  CHECK(w.live >= 0.99);
  CHECK(w.p95 < 1500ms);
}

TEST_CASE("while the scene needs less than the link carries, the bitrate does not grow above the rate of the link") {
  const auto scene = [](double t) { return t > 30 && t < 100 ? 150'000.0 : 1e9; };
  SimulatedCamera s({.rate = constant(500'000), .buffer = 40'000}, scene);
  s.run(30s);
  const auto quiet = s.run(70s);
  INFO("quiet scene: bitrate " << quiet.low << " to " << quiet.high << ", sent " << quiet.sent);
  CHECK(quiet.high < 500'000 * 1.15);
  CHECK(quiet.live == 1);
  const auto busy = s.run(20s);
  INFO("busy scene: p95 " << busy.p95.count() << " ms, max " << busy.max.count() << " ms, LIVE " << busy.live);
  CHECK(busy.live == 1);
  CHECK(busy.max < 1500ms);
}

TEST_CASE("with few pictures in a second, a bitrate that the encoder does not use stays near the rate of the link") {
  for (const double scene : {80'000.0, 30'000.0}) {
    SimulatedCamera s({.rate = constant(150'000), .buffer = 40'000},
                      [scene](double t) { return t < 30 ? 1e9 : scene; });
    s.run(60s);
    const auto r = s.run(60s);
    INFO("scene of " << scene << " bit/s: bitrate " << r.low << " to " << r.high << ", p95 " << r.p95.count() << " ms");
    CHECK(r.live >= 0.99);
    CHECK(r.high < 150'000 * 1.25);  // also while it tests whether the link carries each picture of the sensor
  }
}

TEST_CASE("the full rate returns also if the scene needs it only later") {
  const auto scene = [](double t) { return t < 60 ? 100'000.0 : 1e9; };
  SimulatedCamera s({.rate = [](double t) { return t > 10 && t < 30 ? 300'000.0 : 20e6; }}, scene);
  s.run(60s);
  s.run(10s);
  const auto r = s.run(5s);
  CHECK(r.low == 2'000'000);
  CHECK(r.fps > 29);
}

TEST_CASE("beside a connection that fills the buffer, the camera keeps a share of the link and LIVE pictures") {
  for (const std::size_t buffer : {60'000U, 125'000U, 250'000U}) {
    SimulatedCamera s(
        {.rate = constant(2e6), .buffer = buffer, .competing = [](double t) { return t > 20 && t < 140; }});
    s.run(40s);
    const auto r = s.run(100s);
    INFO("buffer of " << buffer << " bytes: sent " << r.sent << ", the other connection " << r.other << ", p95 "
                      << r.p95.count() << " ms, max " << r.max.count() << " ms, LIVE " << r.live << ", pictures/s "
                      << r.fps);
    CHECK(r.live >= 0.99);
    CHECK(r.p95 < 2000ms);
    CHECK(r.sent > 300'000);
    CHECK(r.fps > 15);
    s.run(15s);
    const auto alone = s.run(30s);
    INFO("alone again: p95 " << alone.p95.count() << " ms, pictures/s " << alone.fps << ", sent " << alone.sent);
    CHECK(alone.p95 < 600ms);
    CHECK(alone.fps > 28);
  }
}

TEST_CASE("beside other traffic, a camera that sends little sends its share of the link again") {
  for (const double low : {9'000.0, 30'000.0, 100'000.0}) {
    for (const std::size_t buffer : {60'000U, 125'000U, 250'000U}) {
      SimulatedCamera s({.rate = [low](double t) { return t < 30 ? low : 2e6; },
                         .buffer = buffer,
                         .competing = [](double t) { return t > 28; }});
      s.run(70s);
      const auto r = s.run(60s);
      INFO("after " << low << " bit/s, buffer of " << buffer << " bytes: sent " << r.sent << ", p95 " << r.p95.count()
                    << " ms, LIVE " << r.live << ", pictures/s " << r.fps);
      CHECK(r.live >= 0.99);
      CHECK(r.p95 < 2000ms);
      CHECK(r.sent > 300'000);
      CHECK(r.fps > 15);
    }
  }
}

TEST_CASE("between the broker and the hub, the receiver reports alone keep the delay short") {
  for (const double rate : {500'000.0, 250'000.0}) {
    SimulatedCamera s({.rate = [rate](double t) { return t < 20 ? 20e6 : rate; }, .behind_broker = true});
    s.run(60s);
    const auto r = s.run(60s);
    INFO("link of " << rate << " bit/s");
    check_steady(r, rate, 1200ms);
  }
}

TEST_CASE("between the broker and the hub, other traffic does not reduce the bitrate step by step") {
  for (const std::size_t buffer : {125'000U, 250'000U}) {
    SimulatedCamera s({.rate = constant(2e6),
                       .buffer = buffer,
                       .competing = [](double t) { return t > 20 && t < 140; },
                       .behind_broker = true});
    s.run(40s);
    const auto r = s.run(100s);
    INFO("buffer of " << buffer << " bytes: sent " << r.sent << ", p95 " << r.p95.count() << " ms, LIVE " << r.live
                      << ", lowest bitrate " << r.low << ", pictures/s " << r.fps);
    CHECK(r.live >= 0.99);
    CHECK(r.low > 150'000);
    CHECK(r.fps > 25);
  }
}

TEST_CASE("a link with loss carries LIVE pictures") {
  SimulatedCamera s({.rate = constant(5e6), .rtt = 100ms, .loss = 0.02});
  s.run(20s);
  const auto r = s.run(60s);
  INFO("sent " << r.sent << ", p95 " << r.p95.count() << " ms, LIVE " << r.live << ", pictures/s " << r.fps);
  CHECK(r.live >= 0.99);
  CHECK(r.p95 < 1000ms);
  CHECK(r.sent > 300'000);
}

TEST_CASE("a link that stops for some seconds has LIVE pictures soon after") {
  SimulatedCamera s({.rate = [](double t) { return t > 20 && t < 24 ? 0 : 1e6; }});
  s.run(24s);
  s.run(2s);
  const auto r = s.run(20s);
  CHECK(r.live >= 0.99);
  CHECK(r.p95 < 1500ms);
}
