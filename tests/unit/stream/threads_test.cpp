// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "unit/stream/capture_fakes.hpp"
#include "unit/stream/gop.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("queue: a producer, a consumer and one who throws away mix nothing up") {
  AccessUnitQueue queue({.slots = 16, .bytes = 20'000, .largest = 4096});
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> taken = 0;
  // A scheduler may give the consumer nothing while 20,000 units come and are thrown away: it goes on until
  // the consumer had its share.
  std::jthread producer([&] {
    for (std::uint32_t n = 0; n < 20'000 || taken < 1'000; ++n)
      push_gop(queue, n % 20 == 0 || queue.take_keyframe_request() ? "I" : "P", n, 100 + n % 1900);
    done = true;
  });
  std::jthread third([&] {
    while (!done) {
      queue.clear();
      std::this_thread::yield();
    }
  });
  bool intact = true, ordered = true, complete = true;
  std::optional<std::uint32_t> last;
  for (bool end = false; !end;) {
    end = done;
    while (const auto unit = queue.take()) {
      const auto number = unit->info.number.value();
      for (const std::byte b : unit->plaintext.subspan(protocol::frame_header_size))
        intact = intact && b == static_cast<std::byte>(number);
      ordered = ordered && (!last || number > *last);
      // A delta comes only right behind the unit it refers to.
      complete = complete && (unit->info.keyframe || (last && number == *last + 1));
      last = number;
      ++taken;
      queue.release();
    }
  }
  CHECK(intact);
  CHECK(ordered);
  CHECK(complete);
  CHECK(taken >= 1'000);
  producer.join();
  third.join();
  while (queue.take()) queue.release();
  const auto c = queue.counters();
  CHECK(c.pushed == c.taken + c.dropped);
}

TEST_CASE("board: asks come while pictures pick") {
  ChallengeBoard board;
  std::atomic<bool> done = false;
  std::jthread asker([&] {
    for (std::uint64_t n = 1; n <= 20'000; ++n) {
      const MonotonicTime at{std::chrono::nanoseconds(n)};
      board.add(DeviceId{}, protocol::Challenge(n), at, at + 10s, true);
      if (n % 1000 == 0) board.clear();
    }
    done = true;
  });
  bool right = true;
  for (std::uint64_t n = 1; !done; ++n) {
    const auto picked = board.pick(MonotonicTime{std::chrono::nanoseconds(n)});
    right = right && picked.value() < n;
    (void)board.leases(MonotonicTime{std::chrono::nanoseconds(n)});
  }
  CHECK(right);
}

TEST_CASE("capture loop: is told from another thread, and stops within its patience") {
  CaptureScene s;
  std::jthread thread([&](const std::stop_token& stop) { s.loop.run(stop); });
  s.control.set_active(true);
  std::uint64_t taken = 0;
  while (taken < 500) {
    if (taken % 100 == 0) s.control.set_quality({BitsPerSecond(100'000 + static_cast<std::uint32_t>(taken)), 60, 0});
    if (!s.queue.take()) continue;
    s.queue.release();
    ++taken;
    s.control.request_keyframe();
    (void)s.loop.encoder_name();
  }
  thread.request_stop();
  thread.join();
  CHECK(s.loop.counters().encoded >= 500);
  CHECK(s.loop.encoder_name() == "fake");
}

TEST_CASE("capture loop: a pause between attempts ends at a stop") {
  CaptureScene s;
  s.factory.open_fails = 1'000'000;
  std::jthread thread([&](const std::stop_token& stop) { s.loop.run(stop); });
  thread.request_stop();
  thread.join();
  CHECK(s.loop.counters().source_opened == 0);
}
