// SPDX-License-Identifier: Apache-2.0
/// What a sensor does wrong, on the kernel's vivid, which does so on request.
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <fstream>
#include <thread>

#include "contract/vivid.hpp"
#include "core/log.hpp"
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

/// The next picture; waiting longer than usual is allowed, anything else is not.
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

/// What ends the pictures, at the latest after `limit` of them.
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

TEST_CASE("vivid: a picture marked as damaged is corrupt_frame, and the next ones are good") {
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

TEST_CASE("vivid: dropped pictures are gaps in the numbers") {
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

TEST_CASE("vivid: a fatal error while streaming is device_lost, and opening anew helps") {
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

TEST_CASE("vivid: a device that disconnects is device_lost, also with a picture leased") {
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
    faults.close();  // with its last user gone vivid connects itself again
    const auto again = s.open();
    check_goes_on(*again, 5);
  }
}

TEST_CASE("vivid: a buffer that is refused once is offered again, and none is lost") {
  Scene s;
  VividFaults faults(s.device.path);
  const auto source = s.open();
  for (int i = 0; i < 12; ++i) {  // more often than there are buffers
    auto picture = get(*source);
    faults.set("Inject VIDIOC_QBUF Error");
  }
  check_goes_on(*source, 40);
}

TEST_CASE("vivid: a driver that refuses to begin is an error that passes") {
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

TEST_CASE("vivid: sequence numbers go over their wrap") {
  Scene s;
  VividFaults faults(s.device.path);
  faults.set("Wrap Sequence Number");  // vivid begins 128 before it
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

TEST_CASE("vivid: timestamps far in the future, and their wrap, are no times of pictures") {
  Scene s;
  VividFaults faults(s.device.path);
  faults.set("Wrap Timestamp", 1);
  const auto source = s.open();
  const auto begin = system_clock.monotonic();
  auto last = begin - 1s;
  while (system_clock.monotonic() - begin < 18s) {  // vivid begins 16 s before the wrap
    const auto picture = get(*source);
    const auto now = system_clock.monotonic();
    REQUIRE(picture.captured >= last);
    REQUIRE(picture.captured <= now);
    REQUIRE(now - picture.captured < 1s);
    last = picture.captured;
  }
}

TEST_CASE("vivid: controls are listed, set, and refused by name") {
  Scene s;
  const auto source = s.open();
  REQUIRE(source->controls() != nullptr);
  auto& controls = *source->controls();
  const auto now = [&](Control wanted) -> std::optional<ControlValue> {
    for (const auto& info : controls.list()) {
      if (info.control == wanted) return info.value;
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

TEST_CASE("vivid: the driver unbound while streaming and bound again, ten times") {
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
    // A camera's loop lets go before it tries again; a device that returns earlier gets another node.
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
