// SPDX-License-Identifier: Apache-2.0
#include "watch/prekeys.hpp"

#include <catch2/catch_test_macros.hpp>

#include "base/testing/fakes.hpp"
#include "support/actors.hpp"
#include "support/hub_stores.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace sealcam::watch;
using namespace std::chrono_literals;

namespace {

struct Scene {
  Scene() { must(crypto::init()); }
  FakeClock clock;
  MemoryLog log;
  MemoryPrekeyStore store;

  [[nodiscard]] Prekeys open() { return must(Prekeys::open(store, clock, log)); }
  /// Runs with a tick each ten minutes.
  void run(Prekeys& prekeys, std::chrono::minutes time) {
    for (auto left = time; left > 0min; left -= 10min) {
      clock.advance(10min);
      prekeys.tick();
    }
  }
  void jump(std::chrono::hours by) { clock.step_wall(by); }
  [[nodiscard]] std::vector<std::uint64_t> numbers() const {
    std::vector<std::uint64_t> all;
    for (const auto& key : store.stolen()) all.push_back(key.number.value());
    return all;
  }
};

constexpr auto day = 24h;
constexpr auto ten_years = 10 * 365 * day;
using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("a hub makes a prekey at its first start, and one each day") {
  Scene s;
  auto prekeys = s.open();
  REQUIRE(prekeys.newest() != nullptr);
  CHECK(prekeys.newest()->number == PrekeyNumber(1));
  s.run(prekeys, 23h);
  CHECK(prekeys.newest()->number == PrekeyNumber(1));
  s.run(prekeys, 1h);
  CHECK(prekeys.newest()->number == PrekeyNumber(2));
  s.run(prekeys, 3 * day);
  CHECK(prekeys.newest()->number == PrekeyNumber(5));
  CHECK(s.numbers() == Numbers{1, 2, 3, 4, 5});
}

TEST_CASE("a restart makes a prekey only if the newest one is a day old") {
  Scene s;
  CHECK(s.open().newest()->number == PrekeyNumber(1));
  s.clock.advance(23h);
  CHECK(s.open().newest()->number == PrekeyNumber(1));
  s.clock.advance(1h);
  CHECK(s.open().newest()->number == PrekeyNumber(2));
}

TEST_CASE("a prekey is forgotten after eight days") {
  Scene s;
  auto prekeys = s.open();
  s.run(prekeys, (8 * day) - 10min);
  CHECK(prekeys.find(PrekeyNumber(1)) != nullptr);
  s.run(prekeys, 10min);
  CHECK(prekeys.find(PrekeyNumber(1)) == nullptr);
  CHECK(s.numbers() == Numbers{2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("a hub that was away for 30 days makes a new prekey at once, and soon forgets the old ones") {
  Scene s;
  {
    auto prekeys = s.open();
    s.run(prekeys, 3 * day);
  }
  s.clock.advance(30 * day);
  auto prekeys = s.open();
  CHECK(prekeys.newest()->number == PrekeyNumber(5));
  s.run(prekeys, Prekeys::settle);
  CHECK(s.numbers() == Numbers{5});
}

TEST_CASE("a wall clock that jumps ten years ahead deletes no prekey that is in use") {
  Scene s;
  auto prekeys = s.open();
  s.run(prekeys, 4 * day);
  prekeys.note_used(PrekeyNumber(2));
  s.jump(ten_years);
  prekeys.tick();
  CHECK(prekeys.find(PrekeyNumber(1)) == nullptr);  // control: it is not in use
  CHECK(prekeys.find(PrekeyNumber(2)) != nullptr);
  CHECK(prekeys.find(PrekeyNumber(5)) != nullptr);  // the newest one before the jump
  CHECK(prekeys.newest()->number == PrekeyNumber(6));
  s.jump(-ten_years);
  s.run(prekeys, 20min);
  CHECK(s.numbers() == Numbers{2, 3, 4, 5, 6});
  CHECK(prekeys.newest()->number == PrekeyNumber(6));
}

TEST_CASE("after a restart with a wrong wall clock, the hub first receives the grants that are in use") {
  Scene s;
  {
    auto prekeys = s.open();
    s.run(prekeys, day);
  }
  s.jump(ten_years);
  auto prekeys = s.open();
  s.clock.advance(1s);
  prekeys.tick();
  REQUIRE(prekeys.find(PrekeyNumber(2)) != nullptr);
  prekeys.note_used(PrekeyNumber(2));
  s.run(prekeys, Prekeys::settle);
  CHECK(s.numbers() == Numbers{2, 3});
  s.run(prekeys, Prekeys::in_use);
  CHECK(prekeys.find(PrekeyNumber(2)) == nullptr);
}

TEST_CASE("a wall clock that stands still or goes back keeps no prekey for ever") {
  Scene s;
  const auto stopped = s.clock.wall();
  SECTION("it stands still") {
    auto prekeys = s.open();
    for (int i = 0; i < 12; ++i) {
      s.clock.advance(day);
      s.clock.set_wall(stopped);
      prekeys.tick();
    }
    CHECK(s.numbers() == Numbers{5, 6, 7, 8, 9, 10, 11, 12, 13});
  }
  SECTION("it goes back by twelve hours before each restart") {
    for (int i = 0; i < 12; ++i) {
      auto prekeys = s.open();
      s.jump(-12h);
    }
    CHECK(s.numbers() == Numbers{4, 5, 6, 7, 8, 9, 10, 11, 12});
  }
}

TEST_CASE("a store that fails does not stop the hub, and the hub tries again") {
  Scene s;
  s.store.broken = true;
  auto prekeys = s.open();
  CHECK(prekeys.newest() == nullptr);
  CHECK(s.log.contains("cannot make a prekey"));
  s.store.broken = false;
  s.clock.advance(30s);
  prekeys.tick();
  CHECK(prekeys.newest() == nullptr);
  s.clock.advance(30s);
  prekeys.tick();
  CHECK(prekeys.newest() != nullptr);
}
