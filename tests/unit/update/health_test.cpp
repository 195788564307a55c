// SPDX-License-Identifier: Apache-2.0
#include "update/health.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sealcam;
using namespace std::chrono_literals;
using Verdict = update::HealthGate::Verdict;

namespace {

constexpr update::Works everything{.sensor = true, .epoch = true, .broker = true};

update::CameraState working() {
  update::CameraState camera;
  camera.paired = camera.runs = true;
  camera.process = 7;
  camera.works = everything;
  return camera;
}

struct Result {
  Verdict verdict = Verdict::wait;
  std::chrono::seconds after{};
  std::string reason;
  bool transient = false;
};

/// Checks every 10 s until there is a verdict. `change` gets the time since the start.
Result run(const update::Works& required, const std::function<void(update::CameraState&, std::chrono::seconds)>& change,
           std::chrono::seconds spent = 0s) {
  update::HealthGate gate(required, BootTime{});
  for (auto time = 0s; time < 3h; time += 10s) {
    auto camera = working();
    change(camera, time);
    if (const auto verdict = gate.check(camera, BootTime{time}, spent + time); verdict != Verdict::wait)
      return {verdict, time, gate.reason(), gate.transient()};
  }
  return {};
}

}  // namespace

TEST_CASE("a camera that works for a minute is healthy") {
  const auto result = run(everything, [](auto&, auto) {});
  CHECK(result.verdict == Verdict::healthy);
  CHECK(result.after == 60s);
}

TEST_CASE("a part that fails for a moment begins the minute again") {
  const auto result = run(everything, [](auto& camera, auto time) { camera.works.sensor = time != 50s; });
  CHECK(result.verdict == Verdict::healthy);
  CHECK(result.after == 120s);
}

TEST_CASE("a missing sensor fails after 15 minutes, with its fault") {
  const auto result = run(everything, [](auto& camera, auto) {
    camera.works.sensor = false;
    camera.fault = "sensor";
  });
  CHECK(result.verdict == Verdict::failed);
  CHECK(result.after == 15min);
  CHECK(result.reason == "the sensor delivers no pictures (sensor)");
  CHECK_FALSE(result.transient);
}

TEST_CASE("a camera that crashes at its start fails after 15 minutes") {
  const auto result = run(everything, [](auto& camera, auto) {
    camera.runs = false;
    camera.works = {};
  });
  CHECK(result.verdict == Verdict::failed);
  CHECK(result.after == 15min);
  CHECK(result.reason == "the camera does not run");
}

TEST_CASE("a camera that restarts again and again fails at the end of the trial") {
  const auto result = run(everything, [](auto& camera, auto time) {
    camera.process = 7 + time / 30s;
    camera.runs = time % 30s != 0s;
  });
  CHECK(result.verdict == Verdict::failed);
  CHECK(result.after == 60min);
}

TEST_CASE("a missing broker alone fails after 60 minutes over all starts") {
  const auto no_broker = [](auto& camera, auto) { camera.works.broker = false; };
  const auto first = run(everything, no_broker);
  CHECK(first.verdict == Verdict::failed);
  CHECK(first.after == 60min);
  CHECK(first.transient);
  CHECK(first.reason == "the broker does not acknowledge the camera's grants");
  CHECK(run(everything, no_broker, 50min).after == 10min);
}

TEST_CASE("a broker that returns in the trial makes the camera healthy") {
  const auto result = run(everything, [](auto& camera, auto time) { camera.works.broker = time >= 50min; });
  CHECK(result.verdict == Verdict::healthy);
  CHECK(result.after == 51min);
}

TEST_CASE("a sensor that fails late in a trial without a broker gets 15 minutes") {
  const auto result = run(everything, [](auto& camera, auto time) {
    camera.works.broker = false;
    camera.works.sensor = time < 20min;
  });
  CHECK(result.verdict == Verdict::failed);
  CHECK(result.after == 35min - 10s);
  CHECK_FALSE(result.transient);
}

TEST_CASE("only what worked before is a condition") {
  CHECK(run({}, [](auto& camera, auto) { camera.works = {}; }).verdict == Verdict::healthy);
  CHECK(run({.sensor = true, .epoch = true, .broker = false}, [](auto& camera, auto) {
          camera.works.broker = false;
        }).verdict == Verdict::healthy);
  CHECK(run({.epoch = true}, [](auto& camera, auto) { camera.works.epoch = false; }).reason == "no epoch begins");
}

TEST_CASE("an unpaired camera must open its pairing port, and needs nothing else") {
  const auto unpaired = [](bool open) {
    return [open](auto& camera, auto) {
      camera = {};
      camera.runs = open;
    };
  };
  CHECK(run({}, unpaired(true)).verdict == Verdict::healthy);
  const auto closed = run({}, unpaired(false));
  CHECK(closed.verdict == Verdict::failed);
  CHECK(closed.reason == "the pairing port is closed");
}

TEST_CASE("a camera that is reset during the trial must open its pairing port only") {
  const auto result = run(everything, [](auto& camera, auto time) {
    if (time < 30s) return;
    camera = {};
    camera.runs = true;
  });
  CHECK(result.verdict == Verdict::healthy);
}
