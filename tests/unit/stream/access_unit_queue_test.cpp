// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/access_unit_queue.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("the queue returns units in order, with free bytes for the header in front") {
  AccessUnitQueue queue;
  push_gop(queue, "IPPPIPP");
  const auto unit = queue.take();
  REQUIRE(unit);
  CHECK(unit->plaintext.size() == protocol::FrameHeader::min_size + 100);
  queue.release();
  CHECK(drain(queue) == "P1 P2 P3 I4 P5 P6");
  CHECK(queue.counters().dropped == 0);
}

TEST_CASE("memory of the queue is resident only once a unit uses it") {
  AccessUnitQueue queue({.slots = 4, .bytes = 64U << 20, .max_unit = 16U << 20});
  push_gop(queue, "I", 0, 8U << 20);
  const auto lent = queue.take();
  REQUIRE(lent);
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto resident = [&](std::size_t offset) {
    const auto address = reinterpret_cast<std::uintptr_t>(lent->plaintext.data()) + offset;
    unsigned char answer = 0;
    REQUIRE(::mincore(reinterpret_cast<void*>(address / page * page), page, &answer) == 0);
    return (answer & 1) != 0;
  };
  CHECK(resident(4U << 20));  // control
  CHECK_FALSE(resident(32U << 20));
}

TEST_CASE("the queue rejects deltas before the first key frame") {
  AccessUnitQueue queue;
  push_gop(queue, "PPIP");
  CHECK(drain(queue) == "I2 P3");
  CHECK(queue.counters().rejected == 2);
}

TEST_CASE("a full queue drops the whole oldest group") {
  AccessUnitQueue queue({.slots = 7, .bytes = 4096, .max_unit = 1024});
  push_gop(queue, "IPPPIPP");
  push_gop(queue, "P", 7);
  CHECK(drain(queue) == "I4 P5 P6 P7");
  CHECK(queue.counters().dropped == 4);
  CHECK(queue.counters().dropped_groups == 1);
  CHECK_FALSE(queue.take_keyframe_request());  // the newest group is complete
}

TEST_CASE("the queue rejects the rest of a dropped group and requests one key frame when it is empty") {
  AccessUnitQueue queue({.slots = 4, .bytes = 4096, .max_unit = 1024});
  push_gop(queue, "IPPPPP");
  CHECK(queue.size() == 0);
  CHECK(queue.counters().dropped == 4);
  CHECK(queue.counters().rejected == 2);
  CHECK(queue.take_keyframe_request());
  CHECK_FALSE(queue.take_keyframe_request());
  push_gop(queue, "PPIP", 6);
  CHECK(drain(queue) == "I8 P9");
  CHECK_FALSE(queue.take_keyframe_request());
}

TEST_CASE("the queue requests no key frame while a unit waits") {
  AccessUnitQueue queue;
  push_gop(queue, "IPP");
  queue.break_group();
  push_gop(queue, "P", 3);
  CHECK_FALSE(queue.take_keyframe_request());
  CHECK(drain(queue) == "I0 P1 P2");
  CHECK(queue.take_keyframe_request());
}

TEST_CASE("no drop removes the lent unit") {
  AccessUnitQueue queue({.slots = 4, .bytes = 4096, .max_unit = 1024});
  push_gop(queue, "IPPI");
  const auto lent = queue.take();
  REQUIRE(lent);
  push_gop(queue, "P", 4);  // drops P1 and P2 behind the lent unit
  CHECK(queue.size() == 3);
  queue.clear();
  CHECK(queue.size() == 1);
  CHECK(lent->plaintext[protocol::FrameHeader::min_size] == std::byte{0});
  queue.release();
  CHECK(queue.size() == 0);
  push_gop(queue, "PIP", 5);
  CHECK(drain(queue) == "I6 P7");
}

TEST_CASE("the first retain() makes the queue larger, and no waiting unit is lost") {
  const bool lent = GENERATE(false, true);
  AccessUnitQueue queue({.slots = 4, .bytes = 700, .max_unit = 300, .retained_slots = 20, .retained_bytes = 1 << 16});
  push_gop(queue, "IPP");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(queue.take());
    queue.release();
  }
  push_gop(queue, "PPP", 3);  // the ring has wrapped
  const auto unit = lent ? queue.take() : std::nullopt;
  queue.retain(10s);
  if (lent) {
    CHECK(unit->plaintext.back() == std::byte{2});
    queue.release();
  }
  push_gop(queue, "PPPPPPPPP", 6);
  CHECK(drain(queue) == std::string(lent ? "" : "P2 ") + "P3 P4 P5 P6 P7 P8 P9 P10 P11 P12 P13 P14");
  CHECK(queue.counters().dropped == 0);
  CHECK(queue.counters().rejected == 0);
}

TEST_CASE("the ring keeps its limit in bytes and wraps without mixing units") {
  AccessUnitQueue queue({.slots = 64, .bytes = 1000, .max_unit = 500});
  std::uint32_t number = 0;
  for (int round = 0; round < 200; ++round) {
    const auto size = static_cast<std::size_t>(40 + (round * 37) % 300);
    push_gop(queue, round % 5 == 0 ? "I" : "P", number++, size);
    if (round % 3 != 0) continue;
    const auto unit = queue.take();
    if (!unit) continue;
    for (const std::byte b : unit->plaintext.subspan(protocol::FrameHeader::min_size))
      REQUIRE(b == static_cast<std::byte>(unit->info.number.value()));
    queue.release();
  }
  CHECK(drain(queue).find('!') == std::string::npos);
  const auto counters = queue.counters();
  CHECK(counters.dropped > 0);
  CHECK(counters.pushed == counters.taken + counters.dropped);
}

TEST_CASE("a unit above the size limit breaks its group") {
  AccessUnitQueue queue({.slots = 64, .bytes = 4096, .max_unit = 1024});
  push_gop(queue, "IP");
  push_gop(queue, "P", 2, 1024);
  push_gop(queue, "P", 3);
  CHECK(drain(queue) == "I0 P1");
  CHECK(queue.take_keyframe_request());
  push_gop(queue, "I", 4, 1024);  // the requested key frame is also too large, so the queue requests another one
  CHECK(queue.take_keyframe_request());
}

TEST_CASE("drop_stale() drops pictures that are too old in any case, and the stream continues with a key frame") {
  AccessUnitQueue queue;
  const MonotonicTime t0{1h};
  push_gop(queue, "IPP", 0, 100, t0);
  queue.drop_stale(t0 + 1s, t0 + 1ms);
  CHECK(queue.size() == 0);
  push_gop(queue, "P", 3, 100, t0 + 2s);
  CHECK(queue.size() == 0);
  CHECK(queue.take_keyframe_request());
  push_gop(queue, "IP", 4, 100, t0 + 2s);
  CHECK(drain(queue) == "I4 P5");
}

TEST_CASE("drop_stale() drops an old group only if a newer group waits") {
  AccessUnitQueue queue;
  const MonotonicTime t0{1h};
  push_gop(queue, "IPP", 0, 100, t0);
  queue.drop_stale(t0 + 1s, t0);
  CHECK(queue.size() == 3);
  push_gop(queue, "IP", 3, 100, t0 + 2s);
  queue.drop_stale(t0 + 1s, t0);
  CHECK(drain(queue) == "I3 P4");
}
