// SPDX-License-Identifier: Apache-2.0
#include "watch/freshness.hpp"

#include <catch2/catch_test_macros.hpp>

#include "support/hub_scene.hpp"

using namespace sealcam;
using namespace sealcam::test;
using watch::CounterWindow;
using watch::StreamOrder;
using Verdict = StreamOrder::Verdict;

namespace {
struct Order {
  StreamOrder order;
  /// `depends` counts for deltas only.
  Verdict operator()(FrameKind kind, std::uint64_t counter, std::uint32_t number, std::uint64_t depends = 0) {
    protocol::FrameHeader header;
    header.number = FrameNumber(number);
    header.depends = protocol::Counter(kind == FrameKind::delta ? depends : counter);
    return order.accept(kind, protocol::Counter(counter), header);
  }
};
constexpr auto I = FrameKind::key;
constexpr auto P = FrameKind::delta;
constexpr auto S = FrameKind::still;
constexpr auto R = FrameKind::report;
}  // namespace

TEST_CASE("a stream starts at a key frame") {
  Order o;
  CHECK(o(P, 4, 4, 3) == Verdict::wait_for_key);
  CHECK(o(P, 5, 5, 4) == Verdict::wait_for_key);
  CHECK(o(I, 6, 6) == Verdict::show);
  CHECK(o(P, 7, 7, 6) == Verdict::show);
}

TEST_CASE("after a lost frame the stream continues at a key frame") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(P, 2, 2, 1) == Verdict::wait_for_key);
  CHECK(o(P, 3, 3, 2) == Verdict::wait_for_key);
  CHECK(o(I, 4, 4) == Verdict::show);
  CHECK(o(P, 5, 5, 4) == Verdict::show);
  CHECK(o(P, 6, 6, 0) == Verdict::wait_for_key);  // depends on a frame that is no longer the newest one
}

TEST_CASE("a late frame is shown if the frame that it depends on is still the newest one") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(P, 2, 2, 1) == Verdict::wait_for_key);
  CHECK(o(P, 1, 1, 0) == Verdict::show);
  CHECK(o(P, 3, 3, 2) == Verdict::wait_for_key);  // frame 2 was not shown
}

TEST_CASE("frames of other kinds, and pictures that the sensor lost, are no gap") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(S, 1, 0) == Verdict::nothing_new);
  CHECK(o(R, 2, 0) == Verdict::nothing_new);
  CHECK(o(P, 3, 1, 0) == Verdict::show);
  SECTION("a still that arrives later on its own topic") {
    CHECK(o(P, 5, 2, 3) == Verdict::show);
    CHECK(o(S, 4, 0) == Verdict::out_of_order);
  }
  SECTION("a still that never arrives") { CHECK(o(P, 5, 9, 3) == Verdict::show); }
  SECTION("a gap of many counters") { CHECK(o(P, 5000, 10, 3) == Verdict::show); }
  SECTION("control: consecutive numbers do not make up for a lost frame") {
    CHECK(o(P, 4, 2, 2) == Verdict::wait_for_key);
  }
}

TEST_CASE("after a still that is newer than the video the next delta needs a key frame") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(S, 5, 60) == Verdict::show);
  CHECK(o(P, 6, 61, 0) == Verdict::wait_for_key);
  CHECK(o(I, 4, 60) == Verdict::show);  // the key frame of the same picture on the other topic, with a smaller counter
  CHECK(o(P, 7, 62, 6) == Verdict::wait_for_key);
  CHECK(o(P, 8, 63, 4) == Verdict::show);
}

TEST_CASE("frame numbers that do not grow are out of order") {
  Order o;
  CHECK(o(I, 0, 10) == Verdict::show);
  CHECK(o(P, 1, 10, 0) == Verdict::out_of_order);
  CHECK(o(I, 2, 9) == Verdict::out_of_order);
  CHECK(o(I, 2, 11) == Verdict::replayed);
}

TEST_CASE("a camera that took 2^32 pictures continues, and older pictures stay older") {
  constexpr std::uint32_t last = 0xffffffff;
  for (const std::uint32_t first : {std::uint32_t{0}, std::uint32_t{0x7ffffffe}, last - 1}) {
    const auto at = [&](std::uint32_t n) { return first + n; };
    Order o;
    CHECK(o(I, 10, at(0)) == Verdict::show);
    CHECK(o(P, 11, at(1), 10) == Verdict::show);
    CHECK(o(P, 12, at(2), 11) == Verdict::show);
    CHECK(o(P, 13, at(3), 12) == Verdict::show);
    CHECK(o(I, 14, at(1)) == Verdict::out_of_order);
    CHECK(o(I, 15, at(0) - 1) == Verdict::out_of_order);
    CHECK(o(S, 16, at(3)) == Verdict::nothing_new);
    CHECK(o(S, 17, at(2)) == Verdict::nothing_new);
    CHECK(o(S, 18, at(4)) == Verdict::show);
    CHECK(o(I, 19, at(5)) == Verdict::show);
  }
  static_assert(watch::before(FrameNumber(last), FrameNumber(0)) && !watch::before(FrameNumber(0), FrameNumber(last)));
  static_assert(!watch::before(FrameNumber(0), FrameNumber(0x80000000)) &&
                !watch::at_or_before(FrameNumber(0x80000000), FrameNumber(0)));
}

TEST_CASE("an echo bounds the age of the pictures after it, also across the wrap of their numbers") {
  using namespace std::chrono_literals;
  for (const std::uint32_t first : {std::uint32_t{100}, std::uint32_t{0xffffffff}}) {
    watch::Freshness freshness;
    freshness.on_echo(FrameNumber(first + 1), BootTime{100s});
    freshness.on_shown(FrameNumber(first));
    CHECK_FALSE(freshness.live(BootTime{101s}));  // the echo is in a later picture
    freshness.on_shown(FrameNumber(first + 1));
    CHECK(freshness.live(BootTime{101s}));
    freshness.on_echo(FrameNumber(first), BootTime{104s});
    CHECK(freshness.age(BootTime{104s}) == 0ms);
  }
}

TEST_CASE("counters older than the window count as received") {
  CounterWindow window;
  CHECK_FALSE(window.seen(Counter(5000)));
  window.mark(Counter(5000));
  CHECK(window.seen(Counter(5000)));
  CHECK_FALSE(window.seen(Counter(4999)));
  CHECK_FALSE(window.seen(Counter(5001 - CounterWindow::size)));
  CHECK(window.seen(Counter(5000 - CounterWindow::size)));
  window.mark(Counter(5003));
  CHECK_FALSE(window.seen(Counter(5001)));
  window.mark(Counter(5001));
  CHECK(window.seen(Counter(5001)));
  window.mark(Counter(5002 + CounterWindow::size));
  CHECK(window.seen(Counter(5002)));
  CHECK(window.seen(Counter(5003)));
  CHECK_FALSE(window.seen(Counter(5004)));
  CHECK_FALSE(window.seen(Counter(5001 + CounterWindow::size)));
  window.mark(Counter(5002 + 3 * CounterWindow::size));
  CHECK(window.seen(Counter(5002 + CounterWindow::size)));  // older than the window
  CHECK_FALSE(window.seen(Counter(5003 + 2 * CounterWindow::size)));
}

TEST_CASE("the hub counts deltas that wait for a key frame apart from rejections") {
  HubScene s;
  auto epoch = s.join();
  auto gop = s.builder.gop(epoch, "IPPPIP", s.challenge(epoch));
  s.video(gop.drop(2));
  CHECK(s.sink.shown.size() == 4);
  CHECK(s.status().counters.waiting_for_key == 1);
  CHECK(s.watcher->rejected().total() == 0);
}
