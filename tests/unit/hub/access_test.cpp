// SPDX-License-Identifier: Apache-2.0
// Tokens and one-time codes of the hub's clients.
#include "hub/access/access.hpp"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/testing/fakes.hpp"
#include "hub/access/testing/memory_tokens.hpp"

using namespace sealcam;
using namespace sealcam::hub::access;
using namespace std::chrono_literals;

namespace {

struct Scene {
  Scene() {
    REQUIRE(crypto::init());
    REQUIRE(access.load());
  }
  std::string code(std::string_view user = "alice") { return access.make_code(user).value(); }
  std::string browser(std::string_view user = "alice") { return access.redeem(code(user)).value(); }
  [[nodiscard]] bool stored(std::string_view token) const {
    return std::ranges::contains(store.tokens(), hash_of(token).value(), &Token::hash);
  }
  FakeClock clock;
  MemoryLog log;
  MemoryTokens store;
  Access access{store, clock, log};
};

const std::string secret(43, 's');

}  // namespace

TEST_CASE("a token gives its own right, and only the exact text is a token") {
  Scene s;
  for (const auto rights : {Rights::metrics, Rights::view, Rights::privacy})
    s.store.add(name(rights), rights, std::string(42, 's') + std::string(name(rights)).substr(0, 1));
  const auto found = s.access.find(std::string(42, 's') + "v");
  REQUIRE(found);
  CHECK(found->rights == Rights::view);
  CHECK_FALSE(s.access.find(std::string(42, 's') + "x"));
  CHECK_FALSE(s.access.find(std::string(42, 's')));
  CHECK_FALSE(s.access.find(std::string(42, 's') + "vv"));
  CHECK_FALSE(s.access.find(""));
  CHECK_FALSE(s.access.find(std::string(42, 's') + "="));
}

TEST_CASE("each right includes the ones before it") {
  CHECK(allows(Rights::privacy, Rights::view));
  CHECK(allows(Rights::view, Rights::metrics));
  CHECK(allows(Rights::metrics, Rights::metrics));
  CHECK_FALSE(allows(Rights::metrics, Rights::view));
  CHECK_FALSE(allows(Rights::view, Rights::privacy));
}

TEST_CASE("tokens and codes are random and have 256 bits") {
  Scene s;
  const auto first = make_secret().value(), second = make_secret().value();
  CHECK(first != second);
  CHECK(is_secret(first));
  CHECK(is_secret(s.code()));
}

TEST_CASE("a code works once and gives a browser the right privacy") {
  Scene s;
  const auto code = s.code();
  const auto token = s.access.redeem(code);
  REQUIRE(token);
  CHECK(*token != code);
  const auto found = s.access.find(*token);
  REQUIRE(found);
  CHECK(found->rights == Rights::privacy);
  CHECK(s.access.redeem(code).error().code == Errc::not_found);
  CHECK_FALSE(s.access.find(code));  // a code is not a token
  REQUIRE(s.store.tokens().size() == 1);
  CHECK(s.store.tokens()[0].name == "browser of alice");
  CHECK(s.store.tokens()[0].browser);
  CHECK(s.store.tokens()[0].hash == hash_of(*token).value());
}

TEST_CASE("a code is valid for 60 s") {
  Scene s;
  const auto late = s.code(), in_time = s.code();
  s.clock.advance(60s);
  CHECK(s.access.redeem(in_time));  // control
  s.clock.advance(1ms);
  CHECK(s.access.redeem(late).error().code == Errc::not_found);
}

TEST_CASE("a code ends while the machine sleeps, and a step of the wall clock does not extend it") {
  Scene s;
  const auto code = s.code();
  s.clock.step_boot(61s);
  s.clock.set_wall({std::chrono::seconds(0)});
  CHECK_FALSE(s.access.redeem(code));
}

TEST_CASE("only the newest eight codes are valid") {
  Scene s;
  const auto oldest = s.code(), next = s.code();
  for (std::size_t i = 0; i + 1 < Access::max_codes; ++i) (void)s.code();
  CHECK_FALSE(s.access.redeem(oldest));
  CHECK(s.access.redeem(next));
}

TEST_CASE("after 20 wrong codes in a minute no code is accepted until the minute is over") {
  Scene s;
  const auto right = s.code();
  for (unsigned i = 0; i < Access::max_wrong_codes; ++i)
    CHECK(s.access.redeem(make_secret().value()).error().code == Errc::not_found);
  CHECK(s.access.redeem(right).error().code == Errc::exhausted);
  s.clock.advance(59s);
  CHECK(s.access.redeem(right).error().code == Errc::exhausted);
  s.clock.advance(1s);
  CHECK(s.access.redeem(right));
}

TEST_CASE("a deleted token has no access, also on an open connection") {
  Scene s;
  s.store.add("player", Rights::view, secret);
  const auto grant = s.access.find(secret);
  REQUIRE(grant);
  CHECK(s.access.still_valid(grant->token));
  s.store.remove("player");
  s.access.tick();
  CHECK_FALSE(s.access.still_valid(grant->token));
  CHECK_FALSE(s.access.find(secret));
}

TEST_CASE("a browser that was not used for 90 days needs a new code; a token of a command does not end") {
  Scene s;
  s.store.add("player", Rights::view, secret);
  const auto token = s.browser();
  s.clock.advance(Access::browser_time);
  CHECK(s.access.find(token));
  s.clock.advance(Access::browser_time + 1s);
  CHECK_FALSE(s.access.find(token));
  CHECK(s.access.find(secret));
}

TEST_CASE("an open connection counts as use of its token") {
  Scene s;
  const auto token = s.browser();
  const auto grant = s.access.find(token).value();
  for (int day = 0; day < 200; ++day) {
    s.clock.advance(std::chrono::hours(24));
    CHECK(s.access.still_valid(grant.token));
    s.access.tick();
  }
  CHECK(s.access.find(token));
  // The date is stored, so that a restart does not forget the use; but not at each use.
  CHECK(s.store.tokens()[0].used == s.clock.wall());
  CHECK(s.store.writes <= 202);
}

TEST_CASE("a wall clock that receives the time of the network does not end a browser in use") {
  Scene s;
  s.clock.set_wall({std::chrono::seconds(0)});
  const auto token = s.browser();
  s.clock.set_wall({std::chrono::seconds(1'790'000'000)});
  CHECK(s.access.find(token));
}

TEST_CASE("the number of browsers is limited per user and in total, and the least recently used ones end") {
  Scene s;
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < max_browsers_of_one_name; ++i) {
    tokens.push_back(s.browser());
    s.clock.advance(1s);
  }
  REQUIRE(s.access.find(tokens[0]));  // in use again
  const auto other = s.browser("bob");
  const auto newest = s.browser();
  CHECK(s.access.find(tokens[0]));
  CHECK_FALSE(s.access.find(tokens[1]));
  CHECK(s.access.find(other));
  CHECK(s.access.find(newest));
  for (std::size_t i = 0; i < max_browsers; ++i) (void)s.browser("user" + std::to_string(i));
  CHECK(s.store.tokens().size() == max_browsers);
  CHECK_FALSE(s.access.find(newest));
}

TEST_CASE("with a full disk a browser has access until the hub stops, and is stored later") {
  Scene s;
  s.store.disk_full = true;
  const auto token = s.browser();
  CHECK(s.access.find(token));
  CHECK_FALSE(s.stored(token));
  CHECK(s.log.contains("it ends when the hub stops"));
  s.store.disk_full = false;
  s.access.tick();
  CHECK_FALSE(s.stored(token));
  s.clock.advance(1min);
  s.access.tick();
  CHECK(s.stored(token));
  CHECK(s.access.find(token));
}

TEST_CASE("a user's name that is no name of a token becomes unknown") {
  Scene s;
  (void)s.browser("a\nb\"");
  CHECK(s.store.tokens()[0].name == "browser of unknown");
}

TEST_CASE("a code is in no log line") {
  Scene s;
  const auto code = s.code();
  const auto token = s.access.redeem(code).value();
  CHECK_FALSE(s.log.contains(code));
  CHECK_FALSE(s.log.contains(token));
  CHECK(s.log.contains("browser of alice"));  // control
}
