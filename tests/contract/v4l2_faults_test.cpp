// SPDX-License-Identifier: Apache-2.0
/// Faults of a sensor, which the kernel's vivid injects on request.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <thread>

#include "base/log.hpp"
#include "base/testing/fakes.hpp"
#include "contract/vivid.hpp"
#include "hal/v4l2/v4l2_source.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::v4l2;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

const SystemClock system_clock;

struct Scene {
  TestDevice device = some_device();
  MemoryLog log;

  static TestDevice some_device() {
    auto device = vivid_device();
    if (!device) SKIP(no_vivid);
    return std::move(*device);
  }
  Result<std::unique_ptr<V4l2Source>> try_open(std::vector<Setting> controls = {}) {
    return V4l2Source::open({.device = device.path, .size = {320, 180}, .rate = 30, .controls = std::move(controls)},
                            system_clock, log);
  }
  std::unique_ptr<V4l2Source> open() {
    auto source = try_open();
    INFO(device.path << ": " << (source ? std::string() : to_string(source.error())));
    REQUIRE(source);
    return std::move(*source);
  }
};

/// Returns the next picture. Accepts a timeout, but no other error.
Picture get(FrameSource& source) {
  for (int tries = 0; tries < 10; ++tries) {
    auto picture = source.next(1s);
    if (picture) return std::move(*picture);
    INFO(to_string(picture.error()));
    REQUIRE(picture.error().code == Errc::timeout);
  }
  FAIL("no picture in 10 s");
  return {};
}

/// Returns the error that ends the stream. Reads at most `limit` pictures.
std::optional<Errc> first_error(FrameSource& source, int limit = 60) {
  for (int i = 0; i < limit; ++i) {
    const auto picture = source.next(1s);
    if (!picture && picture.error().code != Errc::timeout) return picture.error().code;
  }
  return std::nullopt;
}

void check_goes_on(FrameSource& source, int pictures = 20) {
  FrameNumber last = get(source).number;
  for (int i = 0; i < pictures; ++i) {
    const auto picture = get(source);
    REQUIRE(picture.number > last);
    last = picture.number;
  }
}

}  // namespace

TEST_CASE("vivid: a damaged picture is corrupt_frame, and the next pictures are good") {
  Scene s;
  VividFaults faults(s.device.path);
  const auto source = s.open();
  const auto before = get(*source).number;
  for (int i = 0; i < 3; ++i) {
    faults.set("Inject V4L2_BUF_FLAG_ERROR");
    CHECK(first_error(*source) == Errc::corrupt_frame);
  }
  check_goes_on(*source);
  CHECK(get(*source).number.value() >= before.value() + 3 + 20);
}

TEST_CASE("vivid: dropped pictures leave gaps in the numbers") {
  Scene s;
  VividFaults faults(s.device.path);
  faults.set("Percentage of Dropped Buffers", 50);
  const auto source = s.open();
  std::uint32_t gaps = 0;
  FrameNumber last = get(*source).number;
  for (int i = 0; i < 40; ++i) {
    const auto picture = get(*source);
    REQUIRE(picture.number > last);
    gaps += picture.number.value() - last.value() - 1;
    last = picture.number;
  }
  CHECK(gaps >= 10);  // 40 are expected
  faults.set("Percentage of Dropped Buffers", 0);
  check_goes_on(*source);
}

TEST_CASE("vivid: a fatal error while streaming is device_lost, and the device can be opened again") {
  Scene s;
  VividFaults faults(s.device.path);
  {
    const auto source = s.open();
    (void)get(*source);
    faults.set("Inject Fatal Streaming Error");
    CHECK(first_error(*source) == Errc::device_lost);
    CHECK(source->next(100ms).error().code == Errc::device_lost);
  }
  const auto again = s.open();
  CHECK(get(*again).number.value() < 30);
  check_goes_on(*again);
}

TEST_CASE("vivid: a disconnect is device_lost, also while a picture is leased") {
  for (int round = 0; round < 3; ++round) {
    Scene s;
    VividFaults faults(s.device.path);
    {
      const auto source = s.open();
      const auto leased = get(*source);
      faults.set("Disconnect");
      CHECK(first_error(*source) == Errc::device_lost);
      CHECK_FALSE(s.try_open());
    }
    faults.close();  // vivid reconnects when its last user closes it
    const auto again = s.open();
    check_goes_on(*again, 5);
  }
}

TEST_CASE("vivid: a rejected buffer is queued again") {
  Scene s;
  VividFaults faults(s.device.path);
  const auto source = s.open();
  for (int i = 0; i < 12; ++i) {  // more rounds than buffers
    auto picture = get(*source);
    faults.set("Inject VIDIOC_QBUF Error");
  }
  check_goes_on(*source, 40);
}

TEST_CASE("vivid: after a failed start the device can be opened again") {
  Scene s;
  VividFaults faults(s.device.path);
  for (const char* fault : {"Inject VIDIOC_REQBUFS Error", "Inject VIDIOC_STREAMON Error"}) {
    CAPTURE(fault);
    faults.set(fault);
    CHECK_FALSE(s.try_open());
    const auto source = s.open();
    check_goes_on(*source, 5);
  }
}

TEST_CASE("vivid: numbers stay correct across the wrap of sequence numbers") {
  Scene s;
  VividFaults faults(s.device.path);
  faults.set("Wrap Sequence Number");  // vivid starts 128 numbers before the wrap
  const auto source = s.open();
  FrameNumber last = get(*source).number;
  CHECK(last.value() < 30);
  for (int i = 0; i < 160; ++i) {
    const auto picture = get(*source);
    REQUIRE(picture.number > last);
    REQUIRE(picture.number.value() - last.value() < 30);
    last = picture.number;
  }
}

TEST_CASE("vivid: timestamps far in the future or after a wrap are replaced") {
  Scene s;
  VividFaults faults(s.device.path);
  faults.set("Wrap Timestamp", 1);
  const auto source = s.open();
  const auto begin = system_clock.monotonic();
  auto last = begin - 1s;
  while (system_clock.monotonic() - begin < 18s) {  // vivid starts 16 s before the wrap
    const auto picture = get(*source);
    const auto now = system_clock.monotonic();
    REQUIRE(picture.captured >= last);
    REQUIRE(picture.captured <= now);
    REQUIRE(now - picture.captured < 1s);
    last = picture.captured;
  }
}

TEST_CASE("vivid: controls can be listed and set, and unknown ones are rejected by name") {
  Scene s;
  const auto source = s.open();
  REQUIRE(source->controls() != nullptr);
  auto& controls = *source->controls();
  const auto now = [&](Control control) -> std::optional<ControlValue> {
    for (const auto& info : controls.list()) {
      if (info.control == control) return info.value;
    }
    return std::nullopt;
  };
  for (const Control flip : {Control::hflip, Control::vflip}) {
    REQUIRE(now(flip));
    CHECK(controls.set({flip, {.value = 1}}));
    CHECK(now(flip)->value == 1);
    CHECK(controls.set({flip, {.value = 0}}));
    CHECK(now(flip)->value == 0);
  }
  CHECK(controls.set({Control::gain, {.value = 33}}));
  CHECK(now(Control::gain) == ControlValue{.value = 33});
  CHECK(controls.set({Control::gain, {.automatic = true}}));
  CHECK(now(Control::gain)->automatic);
  CHECK(controls.set({Control::focus, {.value = 1}}).error().code == Errc::not_found);
  CHECK(controls.set({Control::frame_rate, {.value = 1}}).error().code == Errc::unsupported);
  check_goes_on(*source, 5);
}

TEST_CASE("vivid: the source survives ten cycles of unbinding and binding the driver") {
  const std::string folder = "/sys/bus/platform/drivers/vivid/", name = "vivid.0";
  const auto write = [&](const char* file) {
    std::ofstream out(folder + file);
    out << name << std::flush;
    return out.good();
  };
  Scene s;
  if (::geteuid() != 0 || ::access((folder + name).c_str(), F_OK) != 0) SKIP("only root may unbind " << name);
  for (int round = 0; round < 10; ++round) {
    CAPTURE(round);
    auto source = s.open();
    auto picture = get(*source);
    REQUIRE(write("unbind"));
    CHECK(first_error(*source) == Errc::device_lost);
    CHECK_FALSE(s.try_open());
    picture = {};
    // The capture loop closes the device before it tries again. A device that returns earlier gets another node.
    const bool let_go_first = round % 2 == 0;
    if (let_go_first) source.reset();
    REQUIRE(write("bind"));
    auto device = vivid_device();
    for (int i = 0; i < 100 && !device; ++i) {
      std::this_thread::sleep_for(50ms);
      device = vivid_device();
    }
    REQUIRE(device);
    s.device = *device;
    source.reset();
    source = s.open();
    check_goes_on(*source, 5);
  }
}
