// SPDX-License-Identifier: Apache-2.0
#include "watch/stream_order.hpp"

#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using watch::CounterWindow;
using watch::StreamOrder;
using Verdict = StreamOrder::Verdict;

namespace {
struct Order {
  StreamOrder order;
  Verdict operator()(FrameKind kind, std::uint64_t counter, std::uint32_t number) {
    return order.accept(kind, Counter(counter), FrameNumber(number));
  }
};
constexpr auto I = FrameKind::key;
constexpr auto P = FrameKind::delta;
constexpr auto S = FrameKind::still;
constexpr auto R = FrameKind::report;
}  // namespace

TEST_CASE("a stream starts only at a key frame") {
  Order o;
  CHECK(o(P, 4, 4) == Verdict::wait_for_key);
  CHECK(o(P, 5, 5) == Verdict::wait_for_key);
  CHECK(o(I, 6, 6) == Verdict::show);
  CHECK(o(P, 7, 7) == Verdict::show);
}

TEST_CASE("after a gap it goes on only at a key frame") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(P, 2, 2) == Verdict::wait_for_key);
  CHECK(o(P, 3, 3) == Verdict::wait_for_key);
  CHECK(o(P, 1, 1) == Verdict::wait_for_key);  // late, older than nothing that is shown
  CHECK(o(I, 4, 4) == Verdict::show);
  CHECK(o(P, 5, 5) == Verdict::show);
}

TEST_CASE("a still or a report between two video frames is no gap") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(S, 1, 0) == Verdict::nothing_new);
  CHECK(o(R, 2, 0) == Verdict::nothing_new);
  CHECK(o(P, 3, 1) == Verdict::show);
  SECTION("also when it comes later over its own topic") {
    CHECK(o(P, 5, 2) == Verdict::show);  // 4 is a still that is not here yet: 2 follows 1
    CHECK(o(S, 4, 0) == Verdict::out_of_order);
  }
  SECTION("also when the sensor lost a picture") {
    CHECK(o(S, 4, 0) == Verdict::nothing_new);
    CHECK(o(P, 5, 9) == Verdict::show);
  }
  SECTION("but a missing counter with a missing picture is one") { CHECK(o(P, 5, 3) == Verdict::wait_for_key); }
}

TEST_CASE("a picture lost by the sensor is no gap") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(P, 1, 5) == Verdict::show);
}

TEST_CASE("a still that is newer than the video breaks the chain of references") {
  Order o;
  CHECK(o(I, 0, 0) == Verdict::show);
  CHECK(o(S, 5, 60) == Verdict::show);
  CHECK(o(P, 6, 61) == Verdict::wait_for_key);
  CHECK(o(I, 4, 60) == Verdict::show);  // its own key frame over the other topic, with a smaller counter
  CHECK(o(P, 7, 62) == Verdict::wait_for_key);
}

TEST_CASE("numbers that do not grow are out of order") {
  Order o;
  CHECK(o(I, 0, 10) == Verdict::show);
  CHECK(o(P, 1, 10) == Verdict::out_of_order);
  CHECK(o(I, 2, 9) == Verdict::out_of_order);
  CHECK(o(I, 2, 11) == Verdict::replayed);
}

TEST_CASE("the window counts what is older than itself as seen") {
  CounterWindow w;
  CHECK_FALSE(w.seen(Counter(5000)));
  w.mark(Counter(5000), CounterWindow::Seen::video);
  CHECK(w.seen(Counter(5000)));
  CHECK_FALSE(w.seen(Counter(4999)));
  CHECK_FALSE(w.seen(Counter(5001 - CounterWindow::size)));
  CHECK(w.seen(Counter(5000 - CounterWindow::size)));
  w.mark(Counter(5003), CounterWindow::Seen::other);
  CHECK_FALSE(w.seen(Counter(5001)));
  CHECK_FALSE(w.only_others_between(Counter(5000), Counter(5003)));
  w.mark(Counter(5001), CounterWindow::Seen::other);
  w.mark(Counter(5002), CounterWindow::Seen::other);
  CHECK(w.only_others_between(Counter(5000), Counter(5004)));
  w.mark(Counter(5002 + CounterWindow::size), CounterWindow::Seen::video);
  CHECK_FALSE(w.seen(Counter(5002 + CounterWindow::size - 1)));
}

TEST_CASE("a hub counts deltas that wait for a key frame apart from refusals") {
  HubWorld w;
  auto epoch = w.join();
  auto gop = w.builder.gop(epoch, "IPPPIP", w.challenge(epoch));
  w.video(gop.drop(2));
  CHECK(w.sink.shown.size() == 4);
  CHECK(w.status().counters.waiting_for_key == 1);
  CHECK(w.watcher->refused().total() == 0);
}
