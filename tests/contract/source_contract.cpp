// SPDX-License-Identifier: Apache-2.0
#include "contract/source_contract.hpp"

#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace sealcam::test {

using namespace hal;
using namespace std::chrono_literals;

namespace {

const SystemClock clock;

std::unique_ptr<FrameSource> opened(const SourceUnderTest& subject) {
  auto source = subject.open(clock);
  INFO((source ? std::string() : to_string(source.error())));
  REQUIRE(source);
  REQUIRE(*source);
  return std::move(*source);
}

/// Returns the next picture. Calls again after errors that permit it.
Picture fetch(FrameSource& source, const SourceUnderTest& subject) {
  for (int tries = 0;; ++tries) {
    auto picture = source.next(subject.timeout);
    if (picture) return std::move(*picture);
    INFO(to_string(picture.error()));
    REQUIRE(picture.error().code == Errc::corrupt_frame);
    REQUIRE(tries < 10);
  }
}

/// A hash of all bytes of the picture, without padding.
std::size_t fingerprint(const Picture& p) {
  const auto rows = [](const Plane& plane, std::size_t width, std::size_t count) {
    std::size_t h = 0;
    for (std::size_t y = 0; y < count; ++y)
      h = h * 31 + std::hash<std::string_view>{}(as_text({plane.data + y * plane.stride, width}));
    return h;
  };
  const auto w = static_cast<std::size_t>(p.size.width);
  const auto h = static_cast<std::size_t>(p.size.height);
  switch (p.format) {
    case PixelFormat::yu12:
      return rows(p.planes[0], w, h) + rows(p.planes[1], w / 2, h / 2) * 3 + rows(p.planes[2], w / 2, h / 2) * 7;
    case PixelFormat::nv12: return rows(p.planes[0], w, h) + rows(p.planes[1], w, h / 2) * 3;
    case PixelFormat::yuyv:
    case PixelFormat::uyvy: return rows(p.planes[0], w * 2, h);
    case PixelFormat::gray: return rows(p.planes[0], w, h);
    case PixelFormat::rgb24:
    case PixelFormat::bgr24: return rows(p.planes[0], w * 3, h);
    case PixelFormat::mjpeg:
    case PixelFormat::h264: return rows(p.planes[0], p.planes[0].stride, 1);
  }
  return 0;
}

void check_planes(const Picture& p) {
  const auto w = static_cast<std::size_t>(p.size.width);
  REQUIRE(p.planes[0].data != nullptr);
  switch (p.format) {
    case PixelFormat::yu12:
      REQUIRE((p.planes[1].data != nullptr && p.planes[2].data != nullptr));
      CHECK((p.planes[0].stride >= w && p.planes[1].stride >= w / 2 && p.planes[2].stride >= w / 2));
      break;
    case PixelFormat::nv12:
      REQUIRE(p.planes[1].data != nullptr);
      CHECK((p.planes[0].stride >= w && p.planes[1].stride >= w));
      break;
    case PixelFormat::yuyv:
    case PixelFormat::uyvy: CHECK(p.planes[0].stride >= w * 2); break;
    case PixelFormat::gray: CHECK(p.planes[0].stride >= w); break;
    case PixelFormat::rgb24:
    case PixelFormat::bgr24: CHECK(p.planes[0].stride >= w * 3); break;
    case PixelFormat::mjpeg:
    case PixelFormat::h264: CHECK(p.planes[0].stride > 0); break;
  }
}

void check_description(FrameSource& source) {
  CHECK(is_valid(source.size()));
  CHECK(source.rate() > 0);
  CHECK_FALSE(source.describe().empty());
  CHECK(source.describe().find('\n') == std::string::npos);
}

void check_order_and_time(FrameSource& source, const SourceUnderTest& subject, MonotonicTime opened_at) {
  std::optional<FrameNumber> number;
  std::uint32_t first_number = 0;
  MonotonicTime captured = opened_at;
  const auto begin = clock.monotonic();
  MonotonicTime first_at{};
  constexpr int count = 40;
  for (int i = 0; i < count; ++i) {
    const auto picture = fetch(source, subject);
    const auto now = clock.monotonic();
    if (i == 0) {
      first_at = now;
      first_number = picture.number.value();
    }
    CHECK(picture.size == source.size());
    CHECK(picture.format == source.format());
    check_planes(picture);
    if (number) CHECK(picture.number > *number);
    if (!number) CHECK(picture.number.value() < 30);  // numbers start again at open()
    CHECK(picture.captured >= captured);
    CHECK(picture.captured <= now);      // never in the future
    CHECK(now - picture.captured < 1s);  // not from an earlier source
    number = picture.number;
    captured = picture.captured;
  }
  if (!subject.realtime) return;
  const double seconds = std::chrono::duration<double>(clock.monotonic() - first_at).count();
  const auto pictures = subject.may_lose ? number->value() - first_number : std::uint32_t{count - 1};
  const double expected = pictures / source.rate();
  INFO(seconds << " s for " << pictures << " pictures after the first, expected " << expected << ", started "
               << std::chrono::duration<double>(first_at - begin).count() << " s");
  CHECK(std::abs(seconds - expected) < 0.15 * expected + 0.1);
}

void check_leases(FrameSource& source, const SourceUnderTest& subject) {
  // Two leased pictures do not change while the source continues with its other buffers.
  const auto one = fetch(source, subject);
  const auto two = fetch(source, subject);
  const auto first = fingerprint(one);
  const auto second = fingerprint(two);
  CHECK(one.planes[0].data != two.planes[0].data);
  for (int i = 0; i < 3; ++i) {
    const auto more = source.next(200ms);
    if (!more) CHECK((more.error().code == Errc::timeout || more.error().code == Errc::corrupt_frame));
  }
  CHECK(fingerprint(one) == first);
  CHECK(fingerprint(two) == second);
}

void check_returning(FrameSource& source, const SourceUnderTest& subject) {
  // The caller returns buffers in different orders, for many more pictures than the source has buffers.
  Picture held;
  for (int i = 0; i < 80; ++i) {
    auto picture = fetch(source, subject);
    if (i % 3 == 0) held = std::move(picture);
  }
}

void check_movement(FrameSource& source, const SourceUnderTest& subject) {
  const auto before = fingerprint(fetch(source, subject));
  bool moved = false;
  for (int i = 0; i < 30 && !moved; ++i) moved = fingerprint(fetch(source, subject)) != before;
  CHECK(moved);
}

void check_timeout(FrameSource& source, const SourceUnderTest& subject) {
  // In real time a wait of a millisecond often ends with timeout.
  int timeouts = 0;
  for (int i = 0; i < 20; ++i) {
    const auto begin = clock.monotonic();
    const auto picture = source.next(1ms);
    CHECK(clock.monotonic() - begin < 500ms);
    if (!picture) CHECK((picture.error().code == Errc::timeout || picture.error().code == Errc::corrupt_frame));
    timeouts += !picture && picture.error().code == Errc::timeout ? 1 : 0;
  }
  if (subject.realtime) CHECK(timeouts > 0);
  CHECK(fetch(source, subject).size == source.size());  // the source still works
}

}  // namespace

void check_source_contract(const SourceUnderTest& subject) {
  for (int round = 0; round < 2; ++round) {  // the second round opens a new source
    const auto opened_at = clock.monotonic();
    const auto source = opened(subject);
    check_description(*source);
    check_order_and_time(*source, subject, opened_at);
    check_leases(*source, subject);
    if (round > 0) continue;
    check_returning(*source, subject);
    check_timeout(*source, subject);
    if (subject.moving) check_movement(*source, subject);
  }
}

}  // namespace sealcam::test
