// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <thread>

#include "unit/stream/capture_scene.hpp"

using namespace sealcam;
using namespace sealcam::stream;
using namespace sealcam::test;
using namespace std::chrono_literals;

TEST_CASE("a producer, a consumer and a third thread that clears the queue mix no units") {
  AccessUnitQueue queue({.slots = 16, .bytes = 20'000, .max_unit = 4096});
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> taken = 0;
  // A scheduler may not run the consumer while 20,000 units arrive and are dropped. So the producer continues until the
  // consumer has taken enough units.
  std::jthread producer([&] {
    for (std::uint32_t n = 0; n < 20'000 || taken < 1'000; ++n)
      push_gop(queue, n % 20 == 0 || queue.take_keyframe_request() ? "I" : "P", n, 100 + n % 1900);
    done = true;
  });
  std::jthread cleaner([&] {
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
      for (const std::byte b : unit->plaintext.subspan(protocol::FrameHeader::min_size))
        intact = intact && b == static_cast<std::byte>(number);
      ordered = ordered && (!last || number > *last);
      // A delta follows directly after the unit that it depends on.
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
  cleaner.join();
  while (queue.take()) queue.release();
  const auto c = queue.counters();
  CHECK(c.pushed == c.taken + c.dropped);
}

TEST_CASE("challenges can be added while the capture thread picks") {
  ReceivedChallenges challenges;
  std::atomic<bool> done = false;
  std::jthread requester([&] {
    for (std::uint64_t n = 1; n <= 20'000; ++n) {
      const MonotonicTime at{std::chrono::nanoseconds(n)};
      challenges.add(DeviceId{}, protocol::Challenge(n), at, at + 10s, Lease::live);
      if (n % 1000 == 0) challenges.clear();
    }
    done = true;
  });
  bool right = true;
  for (std::uint64_t n = 1; !done; ++n) {
    const auto picked = challenges.pick(MonotonicTime{std::chrono::nanoseconds(n)});
    right = right && std::ranges::all_of(picked, [&](protocol::Challenge c) { return c.value() < n; });
    (void)challenges.leases(MonotonicTime{std::chrono::nanoseconds(n)});
  }
  CHECK(right);
}

TEST_CASE("another thread can control the capture loop and stop it within its timeout") {
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

TEST_CASE("a stop ends the pause between two attempts of the capture loop") {
  CaptureScene s;
  s.factory.open_fails = 1'000'000;
  std::jthread thread([&](const std::stop_token& stop) { s.loop.run(stop); });
  thread.request_stop();
  thread.join();
  CHECK(s.loop.counters().source_opened == 0);
}
