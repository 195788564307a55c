// SPDX-License-Identifier: Apache-2.0
#include "stream/access_unit_queue.hpp"

#include <catch2/catch_test_macros.hpp>

#include "unit/stream/gop.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("units come out as they went in, with room for the header in front") {
  AccessUnitQueue queue;
  push_gop(queue, "IPPPIPP");
  const auto unit = queue.take();
  REQUIRE(unit);
  CHECK(unit->plaintext.size() == protocol::frame_header_size + 100);
  queue.release();
  CHECK(drain(queue) == "P1 P2 P3 I4 P5 P6");
  CHECK(queue.counters().dropped == 0);
}

TEST_CASE("a stream begins with a key frame") {
  AccessUnitQueue queue;
  push_gop(queue, "PPIP");
  CHECK(drain(queue) == "I2 P3");
  CHECK(queue.counters().refused == 2);
}

TEST_CASE("the oldest group goes as a whole") {
  AccessUnitQueue queue({.slots = 7, .bytes = 4096, .largest = 1024});
  push_gop(queue, "IPPPIPP");
  push_gop(queue, "P", 7);
  CHECK(drain(queue) == "I4 P5 P6 P7");
  CHECK(queue.counters().dropped == 4);
  CHECK(queue.counters().dropped_groups == 1);
  CHECK_FALSE(queue.take_keyframe_request());  // the stream was never broken
}

TEST_CASE("what follows of a dropped group is refused, and one key frame asked for once the queue is empty") {
  AccessUnitQueue queue({.slots = 4, .bytes = 4096, .largest = 1024});
  push_gop(queue, "IPPPPP");
  CHECK(queue.size() == 0);
  CHECK(queue.counters().dropped == 4);
  CHECK(queue.counters().refused == 2);
  CHECK(queue.take_keyframe_request());
  CHECK_FALSE(queue.take_keyframe_request());
  push_gop(queue, "PPIP", 6);
  CHECK(drain(queue) == "I8 P9");
  CHECK_FALSE(queue.take_keyframe_request());
}

TEST_CASE("no key frame is asked for while something waits") {
  AccessUnitQueue queue;
  push_gop(queue, "IPP");
  queue.break_group();
  push_gop(queue, "P", 3);
  CHECK_FALSE(queue.take_keyframe_request());
  CHECK(drain(queue) == "I0 P1 P2");
  CHECK(queue.take_keyframe_request());
}

TEST_CASE("the lent unit survives every drop") {
  AccessUnitQueue queue({.slots = 4, .bytes = 4096, .largest = 1024});
  push_gop(queue, "IPPI");
  const auto lent = queue.take();
  REQUIRE(lent);
  push_gop(queue, "P", 4);  // drops P1 P2, which lie behind the lent one
  CHECK(queue.size() == 3);
  queue.clear();
  CHECK(queue.size() == 1);
  CHECK(lent->plaintext[protocol::frame_header_size] == std::byte{0});
  queue.release();
  CHECK(queue.size() == 0);
  push_gop(queue, "PIP", 5);
  CHECK(drain(queue) == "I6 P7");
}

TEST_CASE("the limit in bytes holds, and the ring wraps without mixing units") {
  AccessUnitQueue queue({.slots = 64, .bytes = 1000, .largest = 500});
  std::uint32_t number = 0;
  for (int round = 0; round < 200; ++round) {
    const auto size = static_cast<std::size_t>(40 + (round * 37) % 300);
    push_gop(queue, round % 5 == 0 ? "I" : "P", number++, size);
    if (round % 3 != 0) continue;
    const auto unit = queue.take();
    if (!unit) continue;
    for (const std::byte b : unit->plaintext.subspan(protocol::frame_header_size))
      REQUIRE(b == static_cast<std::byte>(unit->info.number.value()));
    queue.release();
  }
  CHECK(drain(queue).find('!') == std::string::npos);
  const auto counters = queue.counters();
  CHECK(counters.dropped > 0);
  CHECK(counters.pushed == counters.taken + counters.dropped);
}

TEST_CASE("a unit that is too large breaks its group") {
  AccessUnitQueue queue({.slots = 64, .bytes = 4096, .largest = 1024});
  push_gop(queue, "IP");
  push_gop(queue, "P", 2, 1024);
  push_gop(queue, "P", 3);
  CHECK(drain(queue) == "I0 P1");
  CHECK(queue.take_keyframe_request());
  push_gop(queue, "I", 4, 1024);  // the answer was too large as well: asked again
  CHECK(queue.take_keyframe_request());
}

TEST_CASE("old groups are passed over only for a newer one") {
  AccessUnitQueue queue;
  const MonotonicTime t0{1h};
  push_gop(queue, "IPP", 0, 100, t0);
  queue.drop_stale(t0 + 1s);
  CHECK(queue.size() == 3);
  push_gop(queue, "IP", 3, 100, t0 + 2s);
  queue.drop_stale(t0 + 1s);
  CHECK(drain(queue) == "I3 P4");
}
