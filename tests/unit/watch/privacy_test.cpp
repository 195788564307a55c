// SPDX-License-Identifier: Apache-2.0
// A camera whose sensor is closed, and a hub that may close or open it.
#include <catch2/catch_test_macros.hpp>

#include "hub_world.hpp"

using namespace sealcam;
using namespace sealcam::test;
using namespace std::chrono_literals;
using protocol::Want;
using watch::Reason;

namespace {

struct Switch : HubWorld {
  TestEpoch epoch;

  explicit Switch(bool allowed = true) : epoch(prepare(allowed)) {}
  TestEpoch prepare(bool allowed) {
    auto roster = this->roster();
    roster.hubs[0].may_switch_privacy = allowed;
    deliver_roster(roster);
    clock.set_wall(CaptureTime{1'790'000'000s});
    return join();
  }
  [[nodiscard]] Result<> wish(bool on) { return watcher->switch_privacy(camera.id(), on); }
  [[nodiscard]] std::vector<Want> asked() const {
    std::vector<Want> all;
    const auto verifier = hub.verifier();
    for (const auto& sent : client.sent)
      if (const auto ask = protocol::decode_ask(sent.payload, route, verifier)) all.push_back(ask->want);
    return all;
  }
  [[nodiscard]] auto count(Want want) const { return std::ranges::count(asked(), want); }
  void say(bool privacy) { deliver(Leaf::status, builder.status(true, privacy)); }
  void live() { video(builder.gop(epoch, "I", challenge(epoch))); }
};

}  // namespace

TEST_CASE("a closed sensor is said with the time this hub heard so; a fresh echo always wins") {
  Switch w(false);
  w.live();
  w.say(true);
  CHECK(w.status().state == CameraState::live);
  CHECK(w.status().reason == Reason::none);
  w.advance(5001ms);
  CHECK(w.status().reason == Reason::privacy);
  CHECK(w.status().privacy_heard == CaptureTime{1'790'000'000s});
  w.say(true);
  CHECK(w.status().privacy_heard == CaptureTime{1'790'000'000s});
  w.live();
  CHECK(w.status().reason == Reason::none);
  CHECK(w.status().state == CameraState::live);
  w.advance(6s);
  w.say(false);
  CHECK(w.status().reason == Reason::none);
  CHECK_FALSE(w.status().privacy_heard);
}

TEST_CASE("a forged word about privacy is none") {
  Switch w(false);
  auto forged = w.builder.status(true, true);
  forged.back() ^= std::byte{1};
  w.deliver(Leaf::status, forged);
  CHECK_FALSE(w.status().privacy);
  w.say(true);
  CHECK(w.status().privacy);  // control
}

TEST_CASE("a hub whose roster entry does not allow it asks nothing") {
  Switch w(false);
  CHECK_FALSE(w.status().may_switch_privacy);
  CHECK(w.wish(true).error().code == Errc::permission);
  w.advance(3s);
  CHECK(w.count(Want::privacy_on) == 0);
  CHECK(w.watcher->switch_privacy(w.owner.id(), true).error().code == Errc::not_found);
}

TEST_CASE("the ask is repeated each second until the status says so, and live asks go on between") {
  Switch w;
  w.live();
  CHECK(w.status().may_switch_privacy);
  const auto live_before = w.count(Want::live);
  REQUIRE(w.wish(true));
  CHECK(w.count(Want::privacy_on) == 1);
  CHECK(w.status().privacy_wish == true);
  for (int i = 0; i < 35; ++i) w.advance(100ms);
  CHECK(w.count(Want::privacy_on) == 4);
  CHECK(w.count(Want::live) >= live_before + 3);
  CHECK(w.asked().size() <= 9);  // a camera takes two a second
  w.say(false);
  CHECK(w.status().privacy_wish == true);
  w.say(true);
  CHECK_FALSE(w.status().privacy_wish);
  CHECK_FALSE(w.status().privacy_failed);
  for (int i = 0; i < 20; ++i) w.advance(100ms);
  CHECK(w.count(Want::privacy_on) == 4);

  REQUIRE(w.wish(false));
  CHECK(w.count(Want::privacy_off) == 1);
  w.say(false);
  CHECK_FALSE(w.status().privacy_wish);
}

TEST_CASE("after ten seconds without the status it did not work, and that is forgotten with the next wish") {
  Switch w;
  w.live();
  REQUIRE(w.wish(true));
  for (int i = 0; i < 99; ++i) w.advance(100ms);
  CHECK(w.status().privacy_wish == true);
  w.advance(100ms);
  CHECK_FALSE(w.status().privacy_wish);
  CHECK(w.status().privacy_failed == true);
  CHECK(w.sink.states.back().privacy_failed == true);
  const auto asked = w.count(Want::privacy_on);
  CHECK(asked == 10);
  w.advance(5s);
  CHECK(w.count(Want::privacy_on) == asked);
  SECTION("the next wish") {
    REQUIRE(w.wish(false));
    CHECK_FALSE(w.status().privacy_failed);
  }
  SECTION("or when it did it later") {
    w.say(true);
    CHECK_FALSE(w.status().privacy_failed);
  }
}

TEST_CASE("a camera that says so already is asked once more and not waited for, unless its pictures say otherwise") {
  Switch w;
  w.say(true);
  REQUIRE(w.wish(true));
  CHECK(w.count(Want::privacy_on) == 1);
  CHECK_FALSE(w.status().privacy_wish);
  w.live();
  REQUIRE(w.wish(true));
  CHECK(w.status().privacy_wish == true);
}

TEST_CASE("a wish ends with the permission, and without a broker there is none") {
  Switch w;
  w.live();
  REQUIRE(w.wish(true));
  w.deliver_roster(w.roster(2));
  CHECK_FALSE(w.status().privacy_wish);
  CHECK_FALSE(w.status().may_switch_privacy);
  auto roster = w.roster(3);
  roster.hubs[0].may_switch_privacy = true;
  w.deliver_roster(roster);
  w.client.is_connected = false;
  CHECK(w.wish(true).error().code == Errc::connection);
}

TEST_CASE("a suspension does not make a hub forget what the camera said, since nobody says it again") {
  Switch w(false);
  w.say(true);
  auto roster = w.roster(2);
  roster.hubs[0].integration = protocol::Integration(7);
  roster.suspended = {protocol::Integration(7)};
  w.deliver_roster(roster);
  CHECK(w.status().reason == Reason::suspended);
  w.deliver_roster(w.roster(3));
  CHECK(w.status().reason == Reason::privacy);
}
