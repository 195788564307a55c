// SPDX-License-Identifier: Apache-2.0
#include "stream/capture/received_challenges.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>

using namespace sealcam;
using namespace sealcam::stream;
using namespace std::chrono_literals;
using protocol::Challenge;

static DeviceId hub(unsigned n) {
  std::array<std::byte, DeviceId::size> bytes{};
  bytes[0] = static_cast<std::byte>(n);
  return DeviceId(bytes);
}
static constexpr MonotonicTime t0{std::chrono::hours(1)};

/// The challenges as text, in order.
static std::string text(const protocol::Echoes& echoes) {
  std::string all;
  for (const auto challenge : echoes) all += std::to_string(challenge.value()) + " ";
  return all;
}

TEST_CASE("a picture echoes only a challenge that arrived before it was captured") {
  ReceivedChallenges challenges;
  challenges.add(hub(1), Challenge(11), t0, t0 + 10s, Lease::live);
  CHECK(challenges.pick(t0) == Challenge{});  // the same time is not earlier
  CHECK(challenges.pick(t0 - 1ms) == Challenge{});
  CHECK(challenges.pick(t0 + 1ns) == Challenge(11));
  challenges.add(hub(1), Challenge(12), t0 + 1s, t0 + 11s, Lease::live);
  CHECK(challenges.pick(t0 + 500ms) == Challenge(11));  // captured before the second challenge arrived
  CHECK(challenges.pick(t0 + 1500ms) == Challenge(12));
}

TEST_CASE("pictures echo the challenges of several hubs in turn") {
  ReceivedChallenges challenges;
  challenges.add(hub(1), Challenge(1), t0, t0 + 10s, Lease::live);
  challenges.add(hub(2), Challenge(2), t0, t0 + 10s, Lease::live);
  CHECK(text(challenges.pick(t0 + 1s)) == "1 2 ");    // the first picture echoes all
  CHECK(text(challenges.pick(t0 + 1001ms)) == "1 ");  // hub 3 sent its request later
  CHECK(text(challenges.pick(t0 + 1002ms)) == "2 ");
  CHECK(text(challenges.pick(t0 + 1003ms)) == "1 ");
  challenges.add(hub(3), Challenge(4), t0 + 1004ms, t0 + 12s, Lease::live);
  CHECK(text(challenges.pick(t0 + 1005ms)) == "2 ");
  CHECK(text(challenges.pick(t0 + 1006ms)) == "4 ");
}

TEST_CASE("each hub is echoed about once a second at every frame rate") {
  for (const std::uint64_t rate : {1U, 5U, 30U}) {
    for (const unsigned hubs : {1U, 6U, 16U, 40U}) {
      ReceivedChallenges challenges;
      std::map<protocol::Challenge, unsigned> echoed;
      for (unsigned n = 0; n < hubs; ++n) challenges.add(hub(n), Challenge(n + 1), t0, t0 + 10s, Lease::live);
      std::size_t max = 0;
      for (std::uint64_t i = 1; i <= 5 * rate; ++i) {
        const auto echoes = challenges.pick(t0 + std::chrono::milliseconds(i * 1000 / rate));
        max = std::max(max, echoes.size());
        for (const auto challenge : echoes) ++echoed[challenge];
      }
      INFO(rate << " pictures a second, " << hubs << " hubs");
      CHECK(max <= protocol::Echoes::max);
      REQUIRE(echoed.size() == hubs);
      const unsigned expected = rate == 1 && hubs > 16 ? 1 : 4;  // in 5 s; 16 challenges fit into one picture
      for (const auto& [challenge, count] : echoed) CHECK(count >= expected);
    }
  }
}

TEST_CASE("at one picture a second, 16 hubs stay LIVE, whenever their requests arrive") {
  // LIVE ends 5 s after the hub issued the newest challenge that came back. A picture is shown until the next one.
  constexpr auto travel = 300ms;  // of a request and of a picture, each
  ReceivedChallenges challenges;
  std::map<unsigned, MonotonicTime> echoed;  // issue time of each hub's newest challenge that came back
  std::chrono::nanoseconds oldest{0};
  for (unsigned ms = 0; ms < 60'000; ++ms) {
    const auto now = t0 + ms * 1ms;
    for (unsigned h = 0; h < 16; ++h)
      if (ms % 1000 == h * 61) challenges.add(hub(h), Challenge(1 + h + 16 * (ms / 1000)), now, now + 10s, Lease::live);
    if (ms % 1000 != 500 || ms < 2000) continue;
    for (const auto challenge : challenges.pick(now)) {
      const auto n = static_cast<unsigned>(challenge.value() - 1);
      echoed[n % 16] = t0 + (n / 16) * 1s + (n % 16) * 61ms - travel;
    }
    REQUIRE(echoed.size() == 16);
    for (const auto& [h, issued] : echoed) oldest = std::max(oldest, now + travel + 1s - issued);
  }
  CHECK(oldest < 5s);
  CHECK(oldest > 1s);  // control
}

TEST_CASE("a picture echoes a challenge once, also if two hubs sent it") {
  ReceivedChallenges challenges;
  challenges.add(hub(1), Challenge(1), t0, t0 + 10s, Lease::live);
  challenges.add(hub(2), Challenge(1), t0, t0 + 10s, Lease::live);
  challenges.add(hub(3), Challenge(3), t0, t0 + 10s, Lease::live);
  CHECK(text(challenges.pick(t0 + 1s)) == "1 3 ");
}

TEST_CASE("a lease ends after its time") {
  ReceivedChallenges challenges;
  CHECK(challenges.add(hub(1), Challenge(1), t0, t0 + 10s, Lease::live));
  CHECK_FALSE(challenges.add(hub(1), Challenge(5), t0 + 1s, t0 + 11s, Lease::live));
  CHECK_FALSE(challenges.add(hub(1), Challenge(6), t0 + 2s + 500ms, t0 + 12s, Lease::live));
  // The interval between two requests is too long: the hub was disconnected and needs a key frame, also during a lease.
  CHECK(challenges.add(hub(1), Challenge(2), t0 + 5s, t0 + 15s, Lease::live));
  CHECK(challenges.leases(t0 + 14s).live == 1);
  CHECK(challenges.leases(t0 + 15s).live == 0);
  CHECK(challenges.pick(t0 + 15s) == Challenge{});
  CHECK(challenges.add(hub(1), Challenge(3), t0 + 16s, t0 + 26s, Lease::live));
}

TEST_CASE("leases for stills are counted apart from live leases") {
  ReceivedChallenges challenges;
  CHECK_FALSE(challenges.add(hub(1), Challenge(1), t0, t0 + 10s, Lease::still));
  challenges.add(hub(2), Challenge(2), t0, t0 + 10s, Lease::live);
  CHECK(challenges.leases(t0 + 1s).still == 1);
  CHECK(challenges.leases(t0 + 1s).live == 1);
  challenges.end_stills();
  CHECK(challenges.leases(t0 + 1s).still == 0);
  CHECK(challenges.leases(t0 + 1s).live == 1);
}

TEST_CASE("the number of stored hubs is bounded") {
  ReceivedChallenges challenges;
  for (unsigned n = 0; n < 200; ++n)
    challenges.add(hub(n), Challenge(n + 1), t0 + n * 1ms, t0 + 10s + n * 1ms, Lease::live);
  CHECK(challenges.leases(t0 + 1s).live == protocol::Roster::max_hubs);
  challenges.clear();
  CHECK(challenges.pick(t0 + 1s) == Challenge{});
}
