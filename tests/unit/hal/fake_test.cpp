// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <vector>

#include "base/clock.hpp"
#include "base/testing/fakes.hpp"
#include "hal/fake/fake_source.hpp"
#include "hal/testing/scripted_source.hpp"

using namespace sealcam;
using namespace sealcam::hal;
using namespace sealcam::hal::fake;
using namespace sealcam::hal::testing;
using namespace std::chrono_literals;

namespace {
constexpr auto soon = 1ms;

std::unique_ptr<FakeSource> fast(const Clock& clock, Size size = {320, 240}, std::uint16_t camera = 7) {
  FakeConfig config;
  config.size = size;
  config.camera = camera;
  config.realtime = false;
  return FakeSource::open(config, clock).value();
}
}  // namespace

TEST_CASE("a mark is read back, and no mark is found in other pictures") {
  Bytes luma(320 * 240, std::byte{128});
  const LumaPlane plane{luma.data(), 320, {320, 240}};
  Picture picture;
  picture.size = {320, 240};
  picture.planes[0] = {luma.data(), 320};
  CHECK_FALSE(read_mark(picture));
  for (const std::uint32_t number : {0u, 1u, 0x55555555u, 0xffffffffu}) {
    const PictureMark mark{FrameNumber(number), static_cast<std::uint16_t>(number >> 3)};
    draw_mark(plane, mark);
    CHECK(read_mark(picture) == mark);
  }
  // One inverted cell: the CRC is wrong.
  for (std::size_t y = 10; y < 20; ++y)
    for (std::size_t x = 8; x < 16; ++x) luma[y * 320 + x] = ~luma[y * 320 + x];
  CHECK_FALSE(read_mark(picture));
  std::ranges::fill(luma, std::byte{16});
  CHECK_FALSE(read_mark(picture));
  std::ranges::fill(luma, std::byte{235});
  CHECK_FALSE(read_mark(picture));
}

TEST_CASE("the fake source numbers and marks its pictures, and ends after `count`") {
  const FakeClock clock;
  FakeConfig config{.size = {640, 360}, .camera = 513, .realtime = false, .count = 3};
  const auto source = FakeSource::open(config, clock).value();
  for (std::uint32_t i = 0; i < 3; ++i) {
    const auto picture = source->next(soon);
    REQUIRE(picture);
    CHECK(picture->number == FrameNumber(i));
    CHECK(read_mark(*picture) == PictureMark{FrameNumber(i), 513});
  }
  CHECK(source->next(soon).error().code == Errc::end_of_stream);
}

TEST_CASE("in real time a picture comes when it is due, and lost pictures leave a gap") {
  FakeClock clock;
  const auto source = FakeSource::open({.size = {320, 240}, .rate = 10}, clock).value();
  const MonotonicTime start = clock.monotonic();
  CHECK(source->next(soon)->number == FrameNumber(0));
  CHECK(source->next(soon).error().code == Errc::timeout);
  clock.advance(99ms);
  CHECK(source->next(soon).error().code == Errc::timeout);
  clock.advance(2ms);
  const auto one = source->next(soon);
  REQUIRE(one);
  CHECK(one->number == FrameNumber(1));
  CHECK(one->captured == start + 100ms);  // the due time, not the time of the call
  clock.advance(200ms);                   // within the driver's buffers: late, not lost
  CHECK(source->next(soon)->number == FrameNumber(2));
  CHECK(source->next(soon)->number == FrameNumber(3));
  clock.advance(2s);
  const auto later = source->next(soon);
  REQUIRE(later);
  CHECK(later->number == FrameNumber(23));
  CHECK(later->captured <= clock.monotonic());
}

TEST_CASE("leased pictures do not change, and while all buffers are leased next() returns timeout") {
  const FakeClock clock;
  const auto source = fast(clock);
  std::vector<Picture> leased;
  for (int i = 0; i < 4; ++i) leased.push_back(source->next(soon).value());
  CHECK(source->next(soon).error().code == Errc::timeout);
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(read_mark(leased[i])->number == FrameNumber(i));
  leased.erase(leased.begin());
  const auto next = source->next(soon);
  REQUIRE(next);
  CHECK(read_mark(leased[0])->number == FrameNumber(1));
}

TEST_CASE("a fake source rejects an invalid configuration") {
  const FakeClock clock;
  CHECK(FakeSource::open({.size = {321, 240}}, clock).error().code == Errc::invalid_argument);
  CHECK(FakeSource::open({.size = {16, 16}}, clock).error().code == Errc::invalid_argument);
  CHECK(FakeSource::open({.rate = 0}, clock).error().code == Errc::invalid_argument);
  CHECK(FakeSource::open({.buffers = 1}, clock).error().code == Errc::invalid_argument);
}

TEST_CASE("a script injects faults into a source") {
  const FakeClock clock;
  const auto source = fast(clock);
  ScriptedSource scripted(*source, {Step::pictures(2), Step::errors(Errc::corrupt_frame, 2), Step::lose(3),
                                    Step::pictures(1), Step::errors(Errc::device_lost)});
  CHECK(scripted.next(soon)->number == FrameNumber(0));
  CHECK(scripted.next(soon)->number == FrameNumber(1));
  CHECK(scripted.next(soon).error().code == Errc::corrupt_frame);
  CHECK(scripted.next(soon).error().code == Errc::corrupt_frame);
  CHECK(scripted.next(soon)->number == FrameNumber(5));
  CHECK(scripted.next(soon)->number == FrameNumber(6));
  CHECK(scripted.next(soon).error().code == Errc::device_lost);
  CHECK(scripted.next(soon).error().code == Errc::device_lost);
  CHECK_FALSE(scripted.finished());

  ScriptedSource ends(*source, {Step::errors(Errc::timeout)});
  CHECK(ends.next(soon).error().code == Errc::timeout);
  CHECK(ends.finished());
  CHECK(ends.next(soon)->number == FrameNumber(7));
}
