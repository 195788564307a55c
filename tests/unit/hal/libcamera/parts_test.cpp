// SPDX-License-Identifier: Apache-2.0
/// The parts of the libcamera backend that need no camera.
#include <catch2/catch_test_macros.hpp>
#include <limits>
#include <thread>

#include "hal/libcamera/module/frame_order.hpp"
#include "hal/libcamera/module/negotiate.hpp"
#include "support/frame_buffer.hpp"

using namespace sealcam;
using namespace sealcam::hal::libcamera;
using namespace sealcam::test;
using namespace std::chrono_literals;

namespace {

constexpr MonotonicTime zero{std::chrono::hours(1)};

std::uint64_t ns(MonotonicTime t) { return static_cast<std::uint64_t>(t.since_boot.count()); }

}  // namespace

TEST_CASE("numbers start at 0 and keep gaps, also across the wrap") {
  FrameOrder order(zero, 33ms);
  CHECK(order.number(4'294'967'294).value() == 0);
  CHECK(order.number(4'294'967'295).value() == 1);
  CHECK(order.number(0).value() == 2);
  CHECK(order.number(5).value() == 7);
  SECTION("a skipped picture leaves no gap") {
    order.skip();
    order.skip();
    CHECK(order.number(8).value() == 8);
    CHECK(order.number(10).value() == 10);  // only for one picture
  }
  SECTION("missed intervals leave a gap") {
    order.add_gap(3);
    CHECK(order.number(6).value() == 11);
  }
  SECTION("a camera that does not count, or counts backwards") {
    CHECK(order.number(5).value() == 8);
    CHECK(order.number(3).value() == 9);
  }
}

TEST_CASE("times never decrease and are never in the future") {
  FrameOrder order(zero, 33ms);
  CHECK(order.time(ns(zero + 10ms), zero, zero + 20ms) == zero + 10ms);
  CHECK(order.time(ns(zero + 9ms), zero, zero + 30ms) == zero + 10ms);  // jitter
  CHECK(order.time(ns(zero + 50ms), zero, zero + 5s) == zero + 50ms);   // an old time does not change
  // Without a usable time: one interval before the request was queued.
  CHECK(order.time(ns(zero + 10h), zero + 5s, zero + 6s) == zero + 4967ms);  // boot-time clock after a sleep
  CHECK(order.time(0, zero + 6s, zero + 7s) == zero + 5967ms);               // no time
  CHECK(order.time(std::numeric_limits<std::uint64_t>::max(), zero + 7s, zero + 8s) == zero + 6967ms);
  CHECK(order.time(0, zero + 6s, zero + 9s) == zero + 6967ms);
}

TEST_CASE("a request reports good, damaged and canceled pictures") {
  MemoryBuffer memory({{0, 0, 640}, {0, 640, 320}});
  auto& frame = memory.metadata();
  const std::vector<std::size_t> needed = {640, 320};
  frame.status = lib::FrameMetadata::FrameSuccess;
  frame.sequence = 7;
  frame.timestamp = 1000;
  frame.planes()[0].bytesused = 640;
  frame.planes()[1].bytesused = 320;
  const auto kind = [&] { return report_of(memory.buffer(), needed, {}, 99).kind; };
  const auto good = report_of(memory.buffer(), needed, 900, 99);
  CHECK(good.kind == Report::Kind::good);
  CHECK(good.sequence == 7);
  CHECK(good.timestamp == 900);
  CHECK(good.used == 640);
  CHECK(report_of(memory.buffer(), needed, {}, 99).timestamp == 1000);  // from the buffer
  SECTION("error") {
    frame.status = lib::FrameMetadata::FrameError;
    CHECK(kind() == Report::Kind::damaged);
  }
  SECTION("canceled") {
    frame.status = lib::FrameMetadata::FrameCancelled;
    CHECK(kind() == Report::Kind::none);
  }
  SECTION("a status of later versions") {
    frame.status = static_cast<lib::FrameMetadata::Status>(3);
    CHECK(kind() == Report::Kind::none);
  }
  SECTION("too few bytes for a picture") {
    frame.planes()[1].bytesused = 319;
    CHECK(kind() == Report::Kind::damaged);
  }
  SECTION("no bytes, with the time of the sensor") {
    frame.planes()[0].bytesused = frame.planes()[1].bytesused = 0;
    CHECK(report_of(memory.buffer(), needed, 1000, 99).kind == Report::Kind::damaged);
  }
  SECTION("a report that the pipeline did not fill in") {
    frame.status = lib::FrameMetadata::FrameError;
    frame.planes()[0].bytesused = frame.planes()[1].bytesused = 0;
    const auto report = report_of(memory.buffer(), needed, 60'000'000'000, 99);
    CHECK(report.kind == Report::Kind::good);
    CHECK(report.sequence == 99);
    CHECK(report.timestamp == 60'000'000'000);
    frame.timestamp = 0;  // soon after the boot
    CHECK(report_of(memory.buffer(), needed, 900'000'000, 99).sequence == 99);
  }
}

TEST_CASE("planes are found at any position in their buffers") {
  const Layout nv12{hal::PixelFormat::nv12, {32, 32}, 64};
  const auto offsets = [](const MemoryBuffer& memory, const Layout& layout) {
    auto mapped = MappedBuffer::map(memory.buffer(), layout);
    REQUIRE(mapped);
    mapped->begin_reading();
    std::vector<int> marks;
    for (const auto& p : mapped->planes(10)) {
      if (p.data != nullptr) marks.push_back(std::to_integer<int>(*p.data));
    }
    mapped->end_reading();
    return marks;
  };
  SECTION("one descriptor with offsets") {
    MemoryBuffer memory({{0, 0, 2048}, {0, 2048, 1024}});
    memory.mark(0, 0, 11);
    memory.mark(0, 2048, 22);
    CHECK(offsets(memory, nv12) == std::vector{11, 22});
  }
  SECTION("one descriptor for each plane") {
    MemoryBuffer memory({{0, 0, 2048}, {1, 0, 1024}});
    memory.mark(0, 0, 33);
    memory.mark(1, 0, 44);
    CHECK(offsets(memory, nv12) == std::vector{33, 44});
  }
  SECTION("one plane for all parts, and three planes of YU12") {
    MemoryBuffer memory({{0, 0, 3072}});
    memory.mark(0, 0, 5);
    memory.mark(0, 2048, 6);
    memory.mark(0, 2560, 7);
    CHECK(offsets(memory, nv12) == std::vector{5, 6});
    CHECK(offsets(memory, {hal::PixelFormat::yu12, {32, 32}, 64}) == std::vector{5, 6, 7});
  }
  SECTION("an additional plane without bytes") {
    MemoryBuffer memory({{0, 0, 2048}, {0, 2048, 1024}, {0, 3072, 0}});
    memory.mark(0, 2048, 9);
    CHECK(offsets(memory, nv12) == std::vector{0, 9});
  }
  SECTION("compressed: the used bytes") {
    MemoryBuffer memory({{0, 0, 4096}});
    const auto mapped = MappedBuffer::map(memory.buffer(), {hal::PixelFormat::mjpeg, {32, 32}, 0});
    REQUIRE(mapped);
    CHECK(mapped->planes(100)[0].stride == 100);
    CHECK(mapped->planes(100'000)[0].stride == 4096);
  }
  SECTION("too small") {
    const MemoryBuffer memory({{0, 0, 2048}, {0, 2048, 1023}});
    CHECK(MappedBuffer::map(memory.buffer(), nv12).error().code == Errc::unsupported);
  }
  SECTION("outside the memory") {
    const MemoryBuffer memory({{0, 0, 2048}, {0, 1U << 30, 1024}});
    CHECK(MappedBuffer::map(memory.buffer(), nv12).error().code == Errc::unsupported);
    const MemoryBuffer wrapping({{0, 0, 2048}, {0, 0xFFFF'FF00, 1024}});
    CHECK(MappedBuffer::map(wrapping.buffer(), nv12).error().code == Errc::unsupported);
  }
}

TEST_CASE("a camera that is too fast is limited to its rate, and another is not limited") {
  FrameRateLimiter limiter(25);
  SECTION("at the rate, with bursts of two pictures") {
    for (int i = 0; i < 100; ++i) limiter.add(zero + 40ms * i - (i % 2) * 15ms);
    CHECK_FALSE(limiter.limits());
  }
  SECTION("a quarter faster") {
    for (int i = 0; i < 100; ++i) limiter.add(zero + 32ms * i);
    CHECK_FALSE(limiter.limits());
  }
  SECTION("twice as fast") {
    for (int i = 0; i < 5; ++i) limiter.add(zero + 20ms * i);
    REQUIRE(limiter.limits());
    CHECK(limiter.due(zero + 81ms) == zero + 120ms);
    limiter.advance();
    CHECK(limiter.due(zero + 121ms) == zero + 160ms);
    CHECK(limiter.due(zero + 280ms) == zero + 160ms);  // catches up three intervals
    CHECK(limiter.missed() == 0);
    CHECK(limiter.due(zero + 321ms) == zero + 320ms);  // more intervals are missed
    CHECK(limiter.missed() == 4);
    CHECK(limiter.missed() == 0);
  }
}

TEST_CASE("finished requests pass from one thread to another") {
  Completions completions(4);
  CHECK_FALSE(completions.wait(1ms));
  CHECK_FALSE(completions.take(1));
  completions.push({2, false});
  CHECK_FALSE(completions.take(2));
  completions.push({3, true});
  CHECK(completions.take(2)->request == 2);
  CHECK(completions.wait(1s)->canceled);
  std::jthread other([&] {
    for (std::uint32_t i = 0; i < 4; ++i) completions.push({i, false});
  });
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(completions.wait(5s)->request == i);
  SECTION("a waiting call ends if the camera is lost") {
    std::jthread loses([&] { completions.lose(); });
    CHECK_FALSE(completions.wait(1h));
    CHECK(completions.lost());
    completions.push({1, false});
    CHECK_FALSE(completions.take(1));
    completions.pause(1h);
  }
}

TEST_CASE("flips map to libcamera's orientations") {
  CHECK(orientation_of(false, false) == lib::Orientation::Rotate0);
  CHECK(orientation_of(true, false) == lib::Orientation::Rotate0Mirror);
  CHECK(orientation_of(false, true) == lib::Orientation::Rotate180Mirror);
  CHECK(orientation_of(true, true) == lib::Orientation::Rotate180);
}
